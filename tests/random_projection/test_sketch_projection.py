"""SketchProjection: X times the transpose of a sketching matrix, as a transformer."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import DataDimensionalityWarning, NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.random_projection import johnson_lindenstrauss_min_dim

from skmatrix.random_projection import SketchOperator, SketchProjection
from skmatrix.random_projection import _projection as module
from skmatrix.random_projection._sketch import KINDS

RNG = np.random.default_rng(0)
# Features of "srht" in one block that they do not fill, and in two.
X = RNG.standard_normal((30, 500))
WIDE = RNG.standard_normal((12, 1500))
every_kind = pytest.mark.parametrize("kind", KINDS)
KEEPING = ["srht", "gaussian", "sparse_sign", "countsketch"]


def projection(kind="srht", n_components=40, **options):
    return SketchProjection(n_components, sketch=kind, random_state=0, **options)


def matrix(kind, n_components, n_features, **options):
    """The matrix that an operator of the same seed has."""
    return SketchOperator(kind, n_components, n_features, random_state=0, **options).toarray()


@every_kind
class TestProduct:
    @pytest.mark.parametrize(
        "data", [X, WIDE, X[:1], X[:, :40]], ids=["X", "wide", "row", "square"]
    )
    def test_dense_and_sparse(self, kind, data):
        expected = data @ matrix(kind, 40, data.shape[1]).T
        fitted = projection(kind).fit(data)
        for form in (data, np.asfortranarray(data), data.tolist(), sp.csr_array(data)):
            projected = fitted.transform(form)
            assert type(projected) is np.ndarray
            assert projected.dtype == np.float64
            assert projected.flags.c_contiguous
            assert_allclose(projected, expected, rtol=0, atol=1e-12)
        assert_allclose(projection(kind).fit_transform(data), expected, rtol=0, atol=1e-12)

    def test_one_feature(self, kind):
        with pytest.warns(DataDimensionalityWarning):
            fitted = projection(kind, 3).fit(X[:, :1])
        assert_allclose(fitted.transform(X[:, :1]), X[:, :1] @ matrix(kind, 3, 1).T, atol=1e-14)

    @pytest.mark.parametrize("container", [sp.csr_array, sp.csc_matrix, sp.coo_array])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
    def test_sparse_with_empty_rows_and_columns(self, kind, container, dtype):
        dense = (5 * WIDE * (RNG.uniform(size=WIDE.shape) < 0.05)).astype(dtype)
        dense[3], dense[:, 100:900] = 0, 0
        projected = projection(kind).fit(container(dense)).transform(container(dense))
        floating = np.float32 if dtype == np.float32 else np.float64
        assert projected.dtype == floating
        expected = dense.astype(float) @ matrix(kind, 40, 1500).T
        assert_allclose(projected, expected, rtol=0, atol=100 * np.finfo(floating).eps)

    def test_float32_is_kept_and_rounded_once(self, kind):
        single = X.astype(np.float32)
        projected = projection(kind).fit_transform(single)
        assert projected.dtype == np.float32
        expected = single.astype(float) @ matrix(kind, 40, 500).T
        assert_allclose(projected, expected, rtol=2e-7, atol=1e-12)

    def test_blocks_of_samples_change_nothing(self, kind, monkeypatch):
        whole = projection(kind).fit_transform(X)
        monkeypatch.setattr(module, "_BLOCK", 500 * 7)
        monkeypatch.setattr(module, "_SPARSE_ROWS", 4)
        for form in (X, sp.csr_array(X)):
            assert_allclose(projection(kind).fit_transform(form), whole, rtol=0, atol=1e-12)

    def test_engines_agree(self, kind, engine):
        expected = X @ matrix(kind, 40, 500).T
        for form in (X, sp.csr_array(X)):
            projected = projection(kind, backend=engine).fit_transform(form)
            assert type(projected) is np.ndarray
            assert_allclose(projected, expected, rtol=0, atol=1e-12)

    def test_data_are_left_alone(self, kind, tmp_path):
        path = tmp_path / "X.npy"
        np.save(path, X)
        mapped = np.load(path, mmap_mode="r")
        expected = projection(kind).fit_transform(X.copy())
        assert_array_equal(projection(kind).fit_transform(mapped), expected)
        kept = X.copy()
        projection(kind).fit_transform(kept)
        assert_array_equal(kept, X)


@pytest.mark.parametrize("n_nonzero", [1, 3])
def test_n_nonzero(n_nonzero):
    expected = X @ matrix("sparse_sign", 40, 500, n_nonzero=n_nonzero).T
    projected = projection("sparse_sign", n_nonzero=n_nonzero).fit_transform(X)
    assert_allclose(projected, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KEEPING)
def test_distances_stay_within_eps(kind):
    """Points of all scales, some of which differ in a single feature."""
    data = np.vstack([X[:20, :], 1e-3 * X[20:25], np.eye(500)[:5]])
    eps = 0.4
    n_components = johnson_lindenstrauss_min_dim(30, eps=eps)
    assert n_components < 250
    projected = projection(kind, n_components).fit_transform(data)
    above = np.triu_indices(30, 1)
    before = euclidean_distances(data, squared=True)[above]
    ratio = euclidean_distances(projected, squared=True)[above] / before
    assert 1 - eps < ratio.min() < ratio.max() < 1 + eps
    # As wide as the lemma leaves room for, and no wider: it is no isometry by accident.
    assert 0.4 < np.std(ratio) / np.sqrt(2 / n_components) < 1.6


class TestNumberOfComponents:
    @pytest.mark.parametrize("eps", [0.5, 0.9])
    def test_auto(self, eps):
        data = RNG.standard_normal((10, 700))
        fitted = projection(n_components="auto", eps=eps).fit(data)
        assert fitted.n_components_ == johnson_lindenstrauss_min_dim(10, eps=eps)
        assert type(fitted.n_components_) is int
        assert fitted.transform(data).shape == (10, fitted.n_components_)

    def test_auto_with_too_few_features(self):
        needed = johnson_lindenstrauss_min_dim(30, eps=0.1)
        message = (
            rf"eps=0.1 and n_samples=30 ask for {needed} components, more than the 500 features"
        )
        with pytest.raises(ValueError, match=message):
            SketchProjection().fit(X)

    def test_auto_of_one_sample(self):
        with pytest.raises(ValueError, match="needs distances to keep, and n_samples=1 has none"):
            SketchProjection().fit(X[:1])

    @every_kind
    def test_more_components_than_features(self, kind):
        with pytest.warns(DataDimensionalityWarning, match="n_components=9 exceeds the 4 features"):
            fitted = projection(kind, 9).fit(X[:, :4])
        projected = fitted.transform(X[:, :4])
        assert_allclose(projected, X[:, :4] @ matrix(kind, 9, 4).T, rtol=0, atol=1e-12)

    @pytest.mark.filterwarnings("error")
    def test_as_many_components_as_features_do_not_warn(self):
        projection(n_components=500).fit(X)


class TestState:
    def test_random_state(self):
        first, again, other = (SketchProjection(40, random_state=seed).fit(X) for seed in (0, 0, 1))
        assert first.seed_ == again.seed_ != other.seed_
        assert_array_equal(first.transform(X), again.transform(X))
        assert (first.transform(X) != other.transform(X)).any()
        unseeded = SketchProjection(40)
        assert unseeded.fit(X).seed_ != unseeded.fit(X).seed_
        assert_array_equal(unseeded.transform(X), unseeded.transform(X))
        generator = np.random.RandomState(0)
        assert SketchProjection(40, random_state=generator).fit(X).seed_ == first.seed_
        assert SketchProjection(40, random_state=generator).fit(X).seed_ != first.seed_

    @every_kind
    def test_set_params_after_fit_leaves_the_matrix(self, kind):
        fitted = projection(kind).fit(X)
        before = fitted.transform(X)
        fitted.set_params(n_components=7, sketch="gaussian", eps=0.5, n_nonzero=2, random_state=5)
        assert_array_equal(fitted.transform(X), before)
        assert fitted.fit_transform(X).shape == (30, 7)

    @every_kind
    def test_values_and_order_of_fit_do_not_matter(self, kind):
        other = projection(kind).fit(-3 * X[::-1])
        assert_array_equal(other.transform(X), projection(kind).fit_transform(X))

    @every_kind
    def test_each_sample_is_projected_alone(self, kind):
        fitted = projection(kind).fit(X)
        rows = np.vstack([fitted.transform(X[i : i + 1]) for i in range(30)])
        assert_allclose(rows, fitted.transform(X), rtol=0, atol=1e-12)

    def test_clone_and_pickle(self):
        fitted = projection("sparse_sign", n_nonzero=3).fit(X)
        unfitted = clone(fitted)
        assert not hasattr(unfitted, "seed_")
        assert_array_equal(unfitted.fit_transform(X), fitted.transform(X))
        stored = pickle.dumps(fitted)
        # No matrix.
        assert len(stored) < 2000
        assert_array_equal(pickle.loads(stored).transform(X), fitted.transform(X))


class TestInterface:
    def test_feature_names_out(self):
        fitted = projection(n_components=3).fit(X)
        names = ["sketchprojection0", "sketchprojection1", "sketchprojection2"]
        assert fitted.get_feature_names_out().tolist() == names

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_set_output(self, library):
        frames = pytest.importorskip(library)
        frame = frames.DataFrame(X, [f"f{j}" for j in range(500)]) if library == "polars" else None
        if frame is None:
            frame = frames.DataFrame(X, columns=[f"f{j}" for j in range(500)])
        model = projection(n_components=3).set_output(transform=library)
        projected = model.fit_transform(frame)
        assert isinstance(projected, frames.DataFrame)
        assert list(projected.columns) == list(model.get_feature_names_out())
        assert list(model.feature_names_in_) == list(frame.columns)
        assert_array_equal(np.asarray(projected), projection(n_components=3).fit_transform(X))

    def test_pandas_index_is_kept(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X, index=np.arange(30)[::-1]).rename(columns=str)
        projected = projection().set_output(transform="pandas").fit_transform(frame)
        assert list(projected.index) == list(frame.index)

    def test_pipeline_and_grid_search(self):
        y = X @ RNG.standard_normal(500)
        model = make_pipeline(projection(), Ridge())
        search = GridSearchCV(model, {"sketchprojection__n_components": [2, 300]}, cv=3).fit(X, y)
        assert search.best_estimator_[0].n_components_ in (2, 300)
        assert model.fit(X, y).score(X, y) > 0.9

    def test_tags(self):
        tags = SketchProjection().__sklearn_tags__()
        assert tags.input_tags.sparse
        assert not tags.input_tags.allow_nan
        assert set(tags.transformer_tags.preserves_dtype) == {"float32", "float64"}


class TestMessages:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("n_components", 0),
            ("n_components", 2.5),
            ("n_components", "all"),
            ("sketch", "hadamard"),
            ("eps", 0.0),
            ("eps", 1.0),
            ("n_nonzero", 0),
            ("random_state", "seed"),
            ("backend", "gpu"),
        ],
    )
    def test_parameters(self, name, value):
        model = SketchProjection(40).set_params(**{name: value})
        with pytest.raises(ValueError, match=f"The '{name}' parameter of SketchProjection"):
            model.fit(X)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    def test_numbers_that_are_not_finite(self, value, container):
        bad = X.copy()
        bad[3, 4] = value
        with pytest.raises(ValueError, match="Input X contains"):
            projection().fit(container(bad))
        with pytest.raises(ValueError, match="Input X contains"):
            projection().fit(X).transform(container(bad))

    @pytest.mark.parametrize(("shape", "what"), [((0, 5), "0 sample"), ((5, 0), "0 feature")])
    def test_empty(self, shape, what):
        with pytest.raises(ValueError, match=rf"Found array with {what}\(s\)"):
            projection().fit(np.zeros(shape))

    def test_other_number_of_features(self):
        with pytest.raises(
            ValueError, match="X has 499 features, but SketchProjection is expecting"
        ):
            projection().fit(X).transform(X[:, 1:])

    def test_transform_before_fit(self):
        with pytest.raises(
            NotFittedError, match="This SketchProjection instance is not fitted yet"
        ):
            projection().transform(X)

    def test_complex_and_one_dimension(self):
        with pytest.raises(ValueError, match="Complex data not supported"):
            projection().fit(X + 1j)
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
            projection().fit(X[0])

    def test_dask(self):
        dask_array = pytest.importorskip("dask.array")
        with pytest.raises(TypeError, match=r"X is a dask collection .* Pass X.compute\(\)"):
            projection().fit(dask_array.ones((5, 100)))
