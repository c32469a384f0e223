"""What KDE says of bad input, before it does any work."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from skmatrix.neighbors import KDE, KDEClassifier, KDEOutlierDetector

X = np.random.default_rng(0).standard_normal((40, 3))
Y = np.repeat([0, 1], 20)
every_estimator = pytest.mark.parametrize(
    "estimator", [KDE(1.0), KDEClassifier(1.0), KDEOutlierDetector(bandwidth=1.0)], ids=str
)


def with_value(value):
    data = X.copy()
    data[3, 1] = value
    return data


BAD_DATA = [
    (with_value(np.nan), ValueError, "Input X contains NaN"),
    (with_value(np.inf), ValueError, "Input X contains infinity"),
    (sp.csr_array(X), TypeError, "Sparse data was passed"),
    (X + 1j, ValueError, "Complex data not supported"),
    (X[None], ValueError, "Found array with dim 3"),
    (X[0], ValueError, "Expected 2D array, got 1D array"),
    (X[:0], ValueError, r"Found array with 0 sample\(s\)"),
    (X[:, :0], ValueError, r"Found array with 0 feature\(s\)"),
    ([["a", "b"]], ValueError, "could not convert string to float"),
]


@every_estimator
@pytest.mark.parametrize(("data", "kind", "message"), BAD_DATA)
def test_data_that_cannot_be_fitted(estimator, data, kind, message):
    labels = Y[: np.shape(data)[0]] if sp.issparse(data) or np.ndim(data) else Y
    with pytest.raises(kind, match=message):
        estimator.fit(data, labels)


@pytest.mark.parametrize("method", ["score_samples", "score", "predict", "transform",
                                    "query_diagnostics", "score_samples_se", "thresholds",
                                    "mean_log_likelihood"])  # fmt: skip
class TestQueries:
    @pytest.mark.parametrize(("data", "kind", "message"), BAD_DATA[:-1])
    def test_bad_data(self, method, data, kind, message):
        with pytest.raises(kind, match=message):
            getattr(KDE(1.0).fit(X), method)(data)

    def test_other_number_of_features(self, method):
        with pytest.raises(ValueError, match="X has 2 features, but KDE is expecting 3 features"):
            getattr(KDE(1.0).fit(X), method)(X[:, :2])

    def test_not_fitted(self, method):
        with pytest.raises(NotFittedError, match="This KDE instance is not fitted yet"):
            getattr(KDE(1.0), method)(X)


@pytest.mark.parametrize("method", ["sample", "bandwidth_path", "thresholds",
                                    "get_feature_names_out"])  # fmt: skip
def test_methods_without_data_need_a_fit(method):
    with pytest.raises(NotFittedError):
        getattr(KDE(1.0), method)()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"bandwidth": 0}, "The 'bandwidth' parameter of KDE must be"),
        ({"bandwidth": -1.0}, "The 'bandwidth' parameter of KDE must be"),
        ({"bandwidth": np.nan}, "The 'bandwidth' parameter of KDE must be"),
        ({"bandwidth": np.inf}, "The 'bandwidth' parameter of KDE must be"),
        ({"bandwidth": "mean"}, "The 'bandwidth' parameter of KDE must be"),
        ({"bandwidth": None}, "The 'bandwidth' parameter of KDE must be"),
        ({"bandwidth": [1.0, 0.0, 1.0]}, "bandwidth must be positive and finite"),
        ({"bandwidth": [1.0, -1.0, 1.0]}, "bandwidth must be positive and finite"),
        ({"bandwidth": [1.0, np.nan, 1.0]}, "bandwidth must be positive and finite"),
        ({"bandwidth": [1.0, np.inf, 1.0]}, "bandwidth must be positive and finite"),
        ({"bandwidth": ["a", "b", "c"]}, "bandwidth must be numbers"),
        ({"bandwidth": [1.0, 2.0]}, r"bandwidth per feature must have shape \(3,\)"),
        ({"bandwidth": np.eye(3)}, r"bandwidth per feature must have shape \(3,\)"),
        ({"bandwidth": np.ones(3), "whiten": 0.5}, "with whiten=0. Got .* whiten=0.5"),
        ({"bandwidth": np.ones(3), "whiten": "loo"}, "with whiten=0. Got .* whiten='loo'"),
        ({"bandwidth": "loo_per_feature", "whiten": 1}, "'loo_per_feature' needs"),
        ({"kernel": "box"}, "The 'kernel' parameter of KDE must be"),
        ({"df": 0}, "The 'df' parameter of KDE must be"),
        ({"whiten": 1.5}, "The 'whiten' parameter of KDE must be"),
        ({"shrinkage": -0.1}, "The 'shrinkage' parameter of KDE must be"),
        ({"precision": "float16"}, "The 'precision' parameter of KDE must be"),
        ({"loo_max_queries": 0}, "The 'loo_max_queries' parameter of KDE must be"),
        ({"diagnostics_k": 0}, "The 'diagnostics_k' parameter of KDE must be"),
        ({"n_jobs": 1.5}, "The 'n_jobs' parameter of KDE must be"),
        ({"n_jobs": 0}, "The 'n_jobs' parameter of KDE must be"),
        ({"random_state": "seed"}, "The 'random_state' parameter of KDE must be"),
        ({"backend": "jax"}, "The 'backend' parameter of KDE must be"),
    ],
)
def test_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        KDE(**parameters).fit(X)


@every_estimator
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(40), "Negative values in data passed to `sample_weight`"),
        (np.zeros(40), "Sample weights must contain at least one non-zero number"),
        (np.full(40, np.nan), "Input sample_weight contains NaN"),
        (np.ones(39), r"sample_weight.shape == \(39,\)"),
        (np.ones((40, 1)), "Sample weights must be 1D"),
    ],
)
def test_weights(estimator, weight, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, Y, sample_weight=weight)


RULES = ["loo", "loo_per_feature", "nn", "kl_gaussian", "scott", "silverman", "sklearn_scott",
         "sklearn_silverman"]  # fmt: skip


@pytest.mark.parametrize("bandwidth", RULES)
@pytest.mark.parametrize("data", [X[:1], np.repeat(X[:1], 7, axis=0)], ids=["one", "identical"])
def test_one_distinct_point_has_no_bandwidth(bandwidth, data):
    message = (
        f"bandwidth='{bandwidth}' needs at least 2 distinct samples. Got n_samples=1 once"
        " repetitions are counted as one: pass a number for bandwidth."
    )
    with pytest.raises(ValueError, match=message):
        KDE(bandwidth).fit(data)
    with pytest.raises(ValueError, match="whiten='loo' needs at least 2 distinct samples"):
        KDE(1.0, whiten="loo").fit(data)
    with pytest.raises(ValueError, match="bandwidth_path needs at least 2 distinct samples"):
        KDE(1.0).fit(data).bandwidth_path()


def test_weights_may_leave_one_point():
    weight = np.zeros(40)
    weight[3] = 2.0
    with pytest.raises(ValueError, match="needs at least 2 distinct samples"):
        KDE().fit(X, sample_weight=weight)
    assert KDE(1.0).fit(X, sample_weight=weight).n_distinct_ == 1


@pytest.mark.parametrize(
    ("bandwidths", "message"),
    [
        ([1.0, 0.0], r"be positive and finite. Got \[1.0, 0.0\]"),
        ([-1.0], r"be positive and finite. Got \[-1.0\]"),
        ([np.nan], r"be positive and finite. Got \[nan\]"),
        ([np.inf], r"be positive and finite. Got \[inf\]"),
        (["a"], r"be numbers. Got \['a'\]"),
        ([], r"hold at least one number. Got \[\]"),
    ],
)
def test_path_of_bad_bandwidths(bandwidths, message):
    with pytest.raises(ValueError, match="bandwidths must " + message):
        KDE(1.0).fit(X).bandwidth_path(bandwidths)


@pytest.mark.parametrize("far", [1e150, 1e160])
def test_gaussian_kernels_out_of_the_range_of_floating_point(far):
    kde = KDE(1e-10).fit(X)
    message = (
        "1 of 2 queries are so many bandwidths away .* range of float64.* larger bandwidth, and"
    )
    with pytest.warns(UserWarning, match=message):
        found = kde.score_samples([X[0], np.full(3, far)])
    assert_array_equal(np.isneginf(found), [False, True])
    single = KDE(1.0, precision="float32").fit(X)
    with pytest.warns(UserWarning, match="range of float32.* or precision='float64'"):
        assert np.isneginf(single.score_samples(np.full((1, 3), 1e20)))
    assert np.isfinite(single.set_params(precision="float64").fit(X).score_samples([[1e20] * 3]))


@pytest.mark.parametrize("n_samples", [-1, 2.5, "many", None, True])
def test_number_of_samples(n_samples):
    with pytest.raises(ValueError, match="n_samples must be a non-negative integer"):
        KDE(1.0).fit(X).sample(n_samples)


@pytest.mark.parametrize(
    "breaks",
    [
        lambda kde: kde.fit(with_value(np.nan)),
        lambda kde: kde.fit(np.ones((9, 2))),
        lambda kde: kde.set_params(bandwidth=[1.0, 2.0]).fit(X[:, :1]),
        lambda kde: kde.set_params(bandwidth="loo_per_feature").fit(X * [1, 0, 1]),
        lambda kde: kde.fit(X, sample_weight=-np.ones(40)),
    ],
)
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(breaks):
    kde = KDE("loo").fit(X)
    before, values = dict(vars(kde)), kde.transform(X)
    with pytest.raises(ValueError, match=r"."):
        breaks(kde)
    kde.set_params(bandwidth="loo")
    assert vars(kde) == before
    assert_array_equal(kde.transform(X), values)
    fresh = KDE("loo")
    with pytest.raises(ValueError, match=r"."):
        breaks(fresh)
    assert set(vars(fresh)) == set(fresh.get_params())


def test_backend_without_its_library(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(ImportError, match="backend='cupy' needs cupy, which is not installed"):
        KDE(1.0, backend="cupy").fit(X)
