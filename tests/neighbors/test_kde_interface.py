"""KDE with scikit-learn's tools, and the containers that it takes."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix.neighbors import KDE


def points(n=120, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


X, QUERIES = points(), points(20, seed=1)


def test_score_is_the_sum():
    kde = KDE(0.5).fit(X)
    values = kde.score_samples(QUERIES)
    assert type(kde.score(QUERIES)) is float
    assert kde.score(QUERIES) == pytest.approx(values.sum(), rel=1e-14)
    assert kde.score(QUERIES, y=np.zeros(20)) == kde.score(QUERIES)
    assert kde.mean_log_likelihood(QUERIES) == pytest.approx(values.mean(), rel=1e-14)
    assert_array_equal(kde.predict(QUERIES), np.exp(values))


def test_densities_that_overflow():
    kde = KDE(1e-4).fit(np.zeros((1, 100)))
    assert kde.score_samples(np.zeros((1, 100)))[0] > 800
    with pytest.warns(RuntimeWarning, match="Densities overflow: use score_samples"):
        assert_array_equal(kde.predict([[0.0] * 100, [1.0] * 100]), [np.inf, 0])
    # In single precision sooner.
    single = KDE(0.02).fit(np.zeros((1, 30), dtype=np.float32))
    with pytest.warns(RuntimeWarning, match="Densities overflow"):
        assert single.predict(np.zeros((1, 30), dtype=np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    "container", [np.ndarray.tolist, np.asfortranarray, lambda a: a[::-1][::-1], np.matrix.tolist]
)
def test_containers(container):
    kde = KDE().fit(container(X))
    expected = KDE().fit(X)
    assert kde.bandwidth_ == expected.bandwidth_
    assert_array_equal(kde.score_samples(container(QUERIES)), expected.score_samples(QUERIES))


def test_integers_are_numbers():
    data = np.random.default_rng(0).integers(-9, 9, (60, 2))
    kde = KDE().fit(data)
    assert kde.X_fit_.dtype == np.float64
    assert kde.n_distinct_ < 60
    assert_array_equal(kde.score_samples(data), KDE().fit(data * 1.0).score_samples(data * 1.0))


def test_nothing_is_written_to(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    weight = np.ones(120)
    weight.setflags(write=False)
    kde = KDE(whiten=0.5).fit(mapped, sample_weight=weight)
    assert_array_equal(kde.score_samples(mapped), KDE(whiten=0.5).fit(X).score_samples(X))
    queries, before = QUERIES.copy(), QUERIES.copy()
    kde.transform(queries)
    kde.query_diagnostics(queries)
    assert_array_equal(queries, before)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame(dict(zip("abc", X.T, strict=True)))
    kde = KDE(0.5).set_output(transform=library).fit(frame)
    assert_array_equal(kde.feature_names_in_, ["a", "b", "c"])
    result = kde.transform(frame)
    assert isinstance(result, frames.DataFrame)
    assert list(result.columns) == list(kde.get_feature_names_out())
    assert_array_equal(result.to_numpy(), KDE(0.5).fit(X).transform(X))
    assert_array_equal(kde.score_samples(frame), KDE(0.5).fit(X).score_samples(X))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        kde.score_samples(X)
    with pytest.raises(ValueError, match="feature names should match"):
        kde.score_samples(frame[["b", "a", "c"]])


def test_names_of_features_are_checked():
    kde = KDE(0.5).fit(X)
    assert not hasattr(kde, "feature_names_in_")
    assert_array_equal(kde.get_feature_names_out(["a", "b", "c"]), kde.get_feature_names_out())
    with pytest.raises(ValueError, match="input_features should have length equal"):
        kde.get_feature_names_out(["a", "b"])


@pytest.mark.parametrize("whiten", [0.0, 0.5])
def test_pickle_and_clone(whiten):
    kde = KDE("nn", whiten=whiten, random_state=0).fit(X)
    copied = pickle.loads(pickle.dumps(kde))
    assert_array_equal(copied.transform(QUERIES), kde.transform(QUERIES))
    assert_array_equal(copied.sample(3), kde.sample(3))
    assert_array_equal(copied.bandwidth_path(), kde.bandwidth_path())
    fresh = clone(kde)
    assert not hasattr(fresh, "bandwidth_")
    assert_array_equal(fresh.fit(X).transform(QUERIES), kde.transform(QUERIES))
    # The points, their weights and places, and little else.
    assert len(pickle.dumps(KDE(1.0).fit(points(5000)))) < 5000 * (3 + 1 + 1) * 8 + 3000


def test_pickle_in_a_fresh_process(tmp_path):
    kde = KDE().fit(X)
    (tmp_path / "kde").write_bytes(pickle.dumps((kde, QUERIES)))
    code = (
        "import pickle, sys, numpy; kde, Q = pickle.load(open(sys.argv[1], 'rb'));"
        "numpy.save(sys.argv[2], kde.transform(Q))"
    )
    result = tmp_path / "result.npy"
    subprocess.run([sys.executable, "-c", code, tmp_path / "kde", result], check=True)
    assert_array_equal(np.load(result), kde.transform(QUERIES))


def test_skops_stores_and_loads():
    io = pytest.importorskip("skops.io")
    kde = KDE(whiten=0.5).fit(X)
    stored = io.dumps(kde)
    unknown = io.get_untrusted_types(data=stored)
    assert all(name.startswith("skmatrix.") for name in unknown)
    loaded = io.loads(stored, trusted=unknown)
    assert_array_equal(loaded.transform(QUERIES), kde.transform(QUERIES))


def test_grid_search_in_a_pipeline():
    digits = load_digits().data[:300]
    model = make_pipeline(PCA(6, svd_solver="full"), KDE())
    grid = {
        "kde__bandwidth": ["loo", 0.1, 50.0],
        "kde__whiten": [0.0, 0.5],
        "kde__kernel": ["gaussian", "student"],
    }
    search = GridSearchCV(model, grid, cv=3).fit(digits)
    assert search.best_params_["kde__bandwidth"] == "loo"
    best = search.cv_results_["mean_test_score"].max()
    assert search.best_score_ == best
    # The score is the total over a fold.
    scores = cross_val_score(clone(model), digits, cv=3)
    fitted = model.fit(digits[100:])
    assert scores[0] == pytest.approx(fitted.score(digits[:100]), rel=1e-9)


def test_grid_search_finds_nearly_the_bandwidth_of_left_out_points():
    kde = KDE().fit(X)
    grid = {"bandwidth": kde.bandwidth_ * np.geomspace(0.4, 2.5, 15)}
    search = GridSearchCV(KDE(), grid, cv=10).fit(X)
    assert search.best_params_["bandwidth"] == pytest.approx(kde.bandwidth_, rel=0.25)


def test_features_in_a_pipeline():
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.standard_normal((200, 3)), 4 * rng.standard_normal((200, 3))])
    y = np.repeat([0, 1], 200)
    model = make_pipeline(KDE(0.5), StandardScaler(), LogisticRegression())
    assert cross_val_score(model, data, y, cv=3).mean() > 0.8
    assert list(model.fit(data, y)[:-1].get_feature_names_out()) == list(
        model[0].get_feature_names_out()
    )


def test_weights_are_routed():
    weight = np.random.default_rng(0).uniform(0.1, 3, 120)
    expected = KDE("scott").fit(X, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        kde = KDE("scott").set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler(with_std=False), kde)
        pipeline[0].set_fit_request(sample_weight=True)
        pipeline.fit(X, sample_weight=weight)
        search = GridSearchCV(kde, {"whiten": [0.0]}, cv=3).fit(X, sample_weight=weight)
    assert pipeline[1].bandwidth_ == pytest.approx(expected.bandwidth_, rel=1e-12)
    assert search.best_estimator_.bandwidth_ == expected.bandwidth_
    assert expected.bandwidth_ != KDE("scott").fit(X).bandwidth_


@pytest.mark.parametrize("weight", [2, 2.0, [2] * 120, (2.0,) * 120])
def test_forms_of_weights(weight):
    kde = KDE("scott").fit(X, sample_weight=weight)
    assert kde.n_samples_fit_ == 240


def test_fits_again_give_the_same_bits_and_forget():
    kde = KDE(whiten="loo", random_state=0)
    first = kde.fit(X).transform(QUERIES)
    kde.set_params(kernel="tophat", bandwidth=9.0, whiten=0.0).fit(points(50, 2))
    assert kde.loo_log_likelihood_ is kde.h_g_ is None
    assert kde.n_features_in_ == 2
    kde.set_params(kernel="gaussian", bandwidth="loo", whiten="loo").fit(X)
    assert_array_equal(kde.transform(QUERIES), first)


def test_parameters_are_untouched():
    h = np.ones(3)
    kde = KDE(h)
    before = {name: id(value) for name, value in kde.get_params().items()}
    kde.fit(X)
    assert {name: id(value) for name, value in kde.get_params().items()} == before
    kde.bandwidth_path([1.0])
    assert kde.bandwidth is h
    assert_allclose(h, 1)


def test_warning_names_the_line_of_the_caller():
    with pytest.warns(UserWarning, match="20 of 20 queries") as caught:
        KDE(1.0, kernel="tophat").fit(X).score_samples(QUERIES + 50)
    assert caught[0].filename == __file__
