"""Clustering of dask arrays: the answer of one machine, whatever the chunks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skmatrix.cluster import ILASDPClustering, SDPKMeans
from skmatrix.distributed import _sdp_clustering

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

pytestmark = [pytest.mark.dask, pytest.mark.xdist_group("dask")]

CHUNKS = [(150, 2), (600, 3), (599, 1)]
OURS = [
    ILASDPClustering(3, n_init=2, n_subsample=150, random_state=0),
    ILASDPClustering(3, covariance_type="diag", n_init=1, n_subsample=150, random_state=0),
    ILASDPClustering(3, covariance_type="tied", n_init=1, n_subsample=150, random_state=0),
    ILASDPClustering(3, covariance_type="spherical", n_init=1, n_subsample=150, random_state=0),
    SDPKMeans(3, n_subsample=150, random_state=0),
]
METHODS = {
    ILASDPClustering: ["predict", "predict_proba", "transform", "score_samples"],
    SDPKMeans: ["predict", "transform"],
}
ids = lambda model: f"{type(model).__name__}-{getattr(model, 'covariance_type', '')}"  # noqa: E731


def samples(n=600):
    """Groups of three shapes that overlap a little."""
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 3
    scales = np.array([[1, 1, 1], [2, 0.5, 1], [0.4, 1, 1.5]])
    return 100 + 5 * np.eye(3)[truth] + scales[truth] * rng.standard_normal((n, 3))


X = samples()


def refuse(dsk, keys, **kwargs):
    raise AssertionError("computed too early")


def with_empty_block(X):
    """The array with chunks of unknown sizes, of which the second is empty."""
    stacked = np.concatenate([X[:20], X[:20], X[20:]])
    kept = (np.arange(len(stacked)) < 20) | (np.arange(len(stacked)) >= 40)
    return da.from_array(stacked, chunks=(20, 3))[da.from_array(kept, chunks=20)]


def same(found, expected):
    """Compare what a fit says of all rows."""
    assert isinstance(found.labels_, da.Array)
    assert_array_equal(found.labels_.compute(), expected.labels_)
    memberships = found.memberships_.compute()
    assert_allclose(memberships, expected.memberships_, atol=1e-9)
    assert found.memberships_.dtype == memberships.dtype == expected.memberships_.dtype
    assert_array_equal(found.sketch_indices_, expected.sketch_indices_)
    names = ["cluster_centers_", "means_", "covariances_", "precisions_cholesky_", "weights_"]
    for name in [*names, "bic_", "icl_", "inertia_"]:
        if hasattr(expected, name):
            assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("model", OURS, ids=ids)
def test_fit_is_that_of_one_machine(model, chunks):
    expected, found = clone(model).fit(X), clone(model)
    assert found.fit(da.from_array(X, chunks=chunks)) is found
    same(found, expected)
    assert {name for name in vars(found) if name.endswith("_")} == {
        name for name in vars(expected) if name.endswith("_")
    }


@pytest.mark.parametrize("model", OURS, ids=ids)
def test_chunks_of_unknown_sizes_and_single_precision(model):
    single = X.astype(np.float32)
    found = clone(model).fit(with_empty_block(single))
    expected = clone(model).fit(single)
    assert_array_equal(found.labels_.compute(), expected.labels_)
    means = "means_" if isinstance(model, ILASDPClustering) else "cluster_centers_"
    assert getattr(found, means).dtype == np.float32
    assert_allclose(getattr(found, means), getattr(expected, means), rtol=1e-6)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("model", [OURS[0], OURS[-1]], ids=ids)
def test_queries_are_lazy_and_those_of_one_machine(model, chunks):
    fitted, queries = clone(model).fit(X), da.from_array(X[::-1], chunks=chunks)
    with dask.config.set(scheduler=refuse):
        lazy = {name: getattr(fitted, name)(queries) for name in METHODS[type(model)]}
    for name, answer in lazy.items():
        expected = getattr(fitted, name)(X[::-1])
        assert (answer.shape, answer.dtype) == (expected.shape, expected.dtype)
        assert_allclose(answer.compute(), expected, rtol=1e-12)
    assert fitted.score(queries) == pytest.approx(fitted.score(X), rel=1e-12)
    assert isinstance(fitted.score(queries), float)
    if isinstance(model, ILASDPClustering):
        for name in ("bic", "icl", "aic"):
            assert getattr(fitted, name)(queries) == pytest.approx(getattr(fitted, name)(X))


def test_fit_predict_stays_lazy():
    array = da.from_array(X, chunks=(100, 3))
    labels = clone(OURS[-1]).fit_predict(array)
    assert isinstance(labels, da.Array)
    assert_array_equal(labels.compute(), clone(OURS[-1]).fit_predict(X))
    # Queries of an estimator that was fitted so.
    fitted = clone(OURS[0]).fit(array)
    assert_array_equal(fitted.predict(X), fitted.labels_.compute())
    lazy = fitted.labels_
    fitted.fit(array[:, ::-1])
    assert_array_equal(lazy.compute(), clone(OURS[0]).fit(X).labels_)


@pytest.mark.parametrize("model", [OURS[0], OURS[-1]], ids=ids)
def test_few_rows_are_all_clustered(model):
    few = clone(model).set_params(n_subsample="auto")
    found = clone(few).fit(da.from_array(X[:200], chunks=(70, 2)))
    expected = few.fit(X[:200])
    assert found.sketch_indices_ is None
    assert found.labels_.chunks == ((70, 70, 60),)
    assert found.memberships_.chunks == ((70, 70, 60), (3,))
    assert_array_equal(found.labels_.compute(), expected.labels_)
    assert_array_equal(found.memberships_.compute(), expected.memberships_)
    assert_array_equal(found.factor_[0], expected.factor_[0])


def test_number_of_groups_certificate_and_callbacks_of_the_sample():
    options = {"n_init": 1, "n_subsample": 150, "certify": True, "random_state": 0}
    model = ILASDPClustering("auto", max_clusters=4, **options)
    found = clone(model).fit(da.from_array(X, chunks=(200, 3)))
    expected = model.fit(X)
    assert found.n_clusters_ == expected.n_clusters_ == 3
    assert_allclose(found.criterion_path_, expected.criterion_path_, rtol=1e-3)
    assert found.certificate_["n_used"] == 150
    same(found, expected)


def test_data_frames():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    found = clone(OURS[0]).fit(dd.from_pandas(frame, npartitions=4))
    expected = clone(OURS[0]).fit(frame)
    same(found, expected)
    assert_array_equal(found.feature_names_in_, ["a", "b", "c"])
    with pytest.raises(ValueError, match="feature names should match"):
        found.predict(dd.from_pandas(frame.rename(columns={"a": "d"}), npartitions=2))
    assert_array_equal(found.predict(dd.from_pandas(frame, npartitions=3)), expected.predict(frame))


@pytest.mark.parametrize("model", [OURS[0], OURS[-1]], ids=ids)
def test_bad_input_is_named_and_changes_nothing(model):
    array = da.from_array(X, chunks=(200, 3))
    fitted = clone(model).fit(X)
    before = dict(vars(fitted))
    fitted.set_params(n_subsample=None)
    with pytest.raises(ValueError, match=r"dask array of 600 rows.*: set n_subsample"):
        fitted.fit(array)
    fitted.set_params(n_subsample=2)
    with pytest.raises(ValueError, match="n_subsample=2 should be >= n_clusters=3"):
        fitted.fit(array)
    fitted.set_params(n_subsample=150)
    holes = np.where(np.arange(600)[:, None] == fitted.sketch_indices_[-1] - 1, np.nan, X)
    with pytest.raises(ValueError, match="contains NaN"):
        fitted.fit(da.from_array(holes, chunks=(200, 3)))
    assert vars(fitted) == before
    with pytest.raises(ValueError, match=r"2 features, but .* expecting 3 features"):
        fitted.predict(array[:, :2])
    with pytest.raises(NotFittedError):
        clone(model).predict(array)
    with pytest.raises(NotFittedError):
        clone(model).score(array)
    with pytest.raises(TypeError, match="X must be a dask array or data frame"):
        fitted.fit(dask.delayed(X))


def test_labels_to_start_from_are_refused():
    with pytest.raises(ValueError, match="init as labels does not go with a dask array"):
        ILASDPClustering(3, init=np.arange(600) % 3, n_subsample=150).fit(
            da.from_array(X, chunks=(200, 3))
        )


def test_on_worker_processes(dask_cluster):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(dask_cluster):
        for model in (OURS[0], OURS[-1]):
            same(clone(model).fit(da.from_array(X, chunks=(150, 3))), clone(model).fit(X))


def test_passes_end_where_a_mean_is_nearly_zero(monkeypatch):
    rng = np.random.default_rng(0)
    sides = np.repeat([-1.0, 1.0], 200)[:, None]
    X = np.hstack([4 * sides, np.zeros((400, 1))]) + rng.standard_normal((400, 2))
    X -= X.mean(axis=0)
    passes = []
    reduce = _sdp_clustering.map_reduce
    monkeypatch.setattr(
        _sdp_clustering, "map_reduce", lambda *parts: passes.append(1) or reduce(*parts)
    )
    SDPKMeans(2, n_subsample=100, random_state=0).fit(da.from_array(X, chunks=(100, 2)))
    assert len(passes) < 20


@pytest.mark.parametrize("level", [0.0, 1e9, 1e12])
def test_passes_go_on_beside_a_feature_of_a_high_level(level):
    rng = np.random.default_rng(0)
    places = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])[np.arange(1200) % 3]
    points = places + 1.5 * rng.standard_normal((1200, 2))
    X = np.column_stack([points, np.full(1200, level)])
    model = SDPKMeans(3, n_subsample=60, random_state=0).fit(da.from_array(X, chunks=(300, 3)))
    labels = model.labels_.compute()
    means = [points[labels == k].mean(axis=0) for k in range(3)]
    assert_allclose(model.cluster_centers_[:, :2], means, atol=1e-10)
