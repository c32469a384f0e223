"""AugmentedCovariance: what it takes, what it refuses, and that pyRiemann agrees."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmatrix.covariance import AugmentedCovariance, augmented_covariance, select_embedding


def trials(n=8, n_channels=3, n_times=120, seed=0):
    return np.random.default_rng(seed).standard_normal((n, n_channels, n_times))


@pytest.fixture
def X():
    return trials()


def fixed(order=3, lag=2, **parameters):
    return AugmentedCovariance(order, lag, **parameters)


# What comes out


def test_adds_the_ridge_to_the_bare_matrices(X):
    G = augmented_covariance(X, 3, 2)
    mean = np.trace(G, axis1=1, axis2=2) / 9
    expected = G + 1e-3 * mean[:, None, None] * np.eye(9)
    assert_allclose(fixed(reg=1e-3).fit_transform(X), expected, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("scale", [1e-13, 1e-6, 1e9])
@pytest.mark.parametrize("toeplitz", [False, True])
def test_units_do_not_matter(X, scale, toeplitz):
    model = fixed(toeplitz=toeplitz)
    expected = model.fit_transform(X)
    assert_allclose(model.fit_transform(X * scale) / scale**2, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_engines_agree(X, backend):
    if backend == "torch":
        pytest.importorskip("torch")
    for settings in ({}, {"toeplitz": True}, {"center": False}):
        expected = fixed(**settings).fit_transform(X)
        ours = fixed(backend=backend, **settings).fit_transform(X)
        assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)


def test_threads_and_blocks_change_nothing(X, monkeypatch):
    expected = fixed().fit_transform(X)
    monkeypatch.setattr("skmatrix.covariance._augmented_covariance._BLOCK", 1)
    for n_jobs in (1, 3):
        assert_array_equal(fixed(n_jobs=n_jobs).fit_transform(X), expected)


def test_single_precision_stays_and_is_as_good_as_it_can_be(X):
    single = fixed().fit_transform(X.astype(np.float32))
    assert single.dtype == np.float32
    assert_allclose(single, fixed(reg=1e-5).fit_transform(X), rtol=1e-4, atol=1e-5)
    # The ridge is large enough for the precision.
    flat = np.repeat(X[:, :1], 3, axis=1).astype(np.float32)
    assert np.linalg.eigvalsh(fixed().fit_transform(flat)).min() > 0


def test_integers_lists_and_read_only_memory(X):
    data = (10 * X).astype(int)
    expected = fixed().fit_transform(data.astype(float))
    assert_array_equal(fixed().fit_transform(data), expected)
    assert_array_equal(fixed().fit_transform(data.tolist()), expected)
    frozen = np.asfortranarray(10 * X)
    frozen.flags.writeable = False
    assert_allclose(fixed().fit_transform(frozen), fixed().fit_transform(10 * X), rtol=1e-12)


def test_two_dimensions_are_channels_one_after_the_other(X):
    table = X.reshape(8, -1)
    assert_array_equal(fixed(n_channels=3).fit_transform(table), fixed().fit_transform(X))
    one = fixed().fit(X[:, 0])
    assert (one.n_channels_in_, one.n_times_in_, one.n_features_in_) == (1, 120, 120)
    assert_array_equal(one.transform(X[:, 0]), fixed().fit_transform(X[:, :1]))
    model = fixed().fit(X)
    assert (model.n_channels_in_, model.n_times_in_, model.n_features_in_) == (3, 120, 3)


def test_given_delays(X):
    model = fixed("auto", [2, 5]).fit(X)
    assert (model.order_, model.lag_, model.delays_.tolist()) == (3, None, [0, 2, 5])
    assert_allclose(model.transform(X), fixed(3, [2, 5]).fit_transform(X))
    assert_allclose(fixed(3, [2, 4]).fit_transform(X), fixed(3, 2).fit_transform(X), atol=1e-13)


def test_trials_of_another_length(X):
    model = fixed().fit(X)
    assert_array_equal(model.transform(X[..., :50]), fixed().fit_transform(X[..., :50]))
    with pytest.raises(ValueError, match=r"order=3, lag=2 need at least 6 samples .* X has 5"):
        model.transform(X[..., :5])


@pytest.mark.parametrize("estimator", ["oas", "scm", lambda Z: Z @ Z.T])
def test_estimators_of_pyriemann(X, estimator):
    covariance = pytest.importorskip("pyriemann.geometry.covariance")
    Z = np.concatenate([X[..., :-4], X[..., 2:-2], X[..., 4:]], axis=1)
    expected = covariance.covariances(Z, estimator=estimator)
    assert_allclose(fixed(estimator=estimator, reg=0).fit_transform(X), expected, rtol=1e-10)


def test_order_1_is_the_covariance_of_pyriemann(X):
    estimation = pytest.importorskip("pyriemann.estimation")
    expected = estimation.Covariances("cov").fit_transform(X)
    assert_allclose(fixed(1, reg=0).fit_transform(X), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("order", "lag"), [("auto", "auto"), ("bic", 1), (2, "acf"), ("cao", 3)])
def test_rules_are_those_of_select_embedding(X, order, lag):
    smooth = np.cumsum(X, axis=2)
    model = fixed(order, lag, random_state=0, n_selection_trials=4).fit(smooth)
    found = select_embedding(smooth, order=order, lag=lag, random_state=0, n_selection_trials=4)
    assert (model.order_, model.lag_) == (found.order, found.lag)
    assert model.embedding_.curves.keys() == found.curves.keys()
    again = clone(model).fit(smooth)
    assert (again.order_, again.lag_) == (model.order_, model.lag_)


def test_in_a_pipeline_with_pyriemann_and_a_grid_search():
    tangentspace = pytest.importorskip("pyriemann.tangentspace")
    noise, y = trials(40, 2, 121), np.repeat([0, 1], 20)
    X = noise[..., 1:] + np.where(y, 1, -1)[:, None, None] * noise[..., :-1]
    steps = AugmentedCovariance(1, 1), tangentspace.TangentSpace(), LogisticRegression()
    search = GridSearchCV(make_pipeline(*steps), {"augmentedcovariance__order": [1, 2]}, cv=3)
    search.fit(X, y)
    assert search.best_params_ == {"augmentedcovariance__order": 2}
    assert search.best_score_ == 1.0


def test_pickle(X):
    model = fixed().fit(X)
    assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))


def test_there_is_no_set_output():
    assert not hasattr(fixed(), "set_output")


# What is refused


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"order": True}, TypeError, "'order' parameter .* Got True"),
        ({"lag": True}, TypeError, "'lag' parameter .* Got True"),
        ({"order": 0}, ValueError, "'order' parameter of AugmentedCovariance"),
        ({"order": 2**62}, ValueError, "need at least .* samples per trial"),
        ({"order": 2.0}, ValueError, "'order' parameter of AugmentedCovariance"),
        ({"order": "grid"}, ValueError, "'order' parameter of AugmentedCovariance"),
        ({"lag": "grid"}, ValueError, "'lag' parameter of AugmentedCovariance"),
        ({"lag": 1.5}, ValueError, "'lag' parameter of AugmentedCovariance"),
        ({"lag": [2, 2]}, ValueError, r"must ascend from 1 or more. Got \[2, 2\]"),
        ({"lag": [0, 2]}, ValueError, r"must ascend from 1 or more. Got \[0, 2\]"),
        ({"lag": [1.0, 2.0]}, ValueError, r"a rule or delays in samples. Got \[1.0, 2.0\]"),
        ({"lag": []}, ValueError, r"a rule or delays in samples. Got \[\]"),
        ({"order": 5, "lag": [1, 2]}, ValueError, "order=5 does not go with the 2 delays"),
        ({"order": "bic", "lag": [1, 2]}, ValueError, "order='bic' does not go with"),
        ({"toeplitz": True, "estimator": "oas"}, ValueError, "toeplitz=True needs estimator='cov'"),
        ({"toeplitz": True, "order": 3, "lag": [1, 2]}, ValueError, r"lag=\[1, 2\]"),
        ({"center": False, "estimator": "oas"}, ValueError, "center=False needs estimator='cov'"),
        ({"reg": -1}, ValueError, "'reg' parameter"),
        ({"n_channels": 2}, ValueError, "n_channels=2, but X has 3 channels"),
        (
            {"order": 8, "lag": 20},
            ValueError,
            "order=8, lag=20 need at least 142 samples per trial, X has 120; lower order or lag",
        ),
        ({"order": 2, "lag": [150]}, ValueError, r"lag=\[150\] needs at least 152 samples"),
        ({"order": 121, "lag": "mi"}, ValueError, "need at least"),
    ],
)
def test_parameters_that_do_not_go_together(X, parameters, error, message):
    model = fixed(**{"order": 2, "lag": 1, **parameters})
    with pytest.raises(error, match=message):
        model.fit(X)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ones(5), "Expected 2D array"),
        (np.ones((2, 2, 2, 20)), r"must have the shape \(n_trials, n_channels, n_times\)"),
        (np.full((3, 2, 30), np.nan), "Input X contains NaN, in trial 0; impute or drop the trial"),
        (np.full((3, 2, 30), np.inf), "Input X contains infinity, in trial 0"),
        (np.ones((3, 0, 30)), r"X has no channels. Got the shape \(3, 0, 30\)|0 feature"),
        (np.ones((3, 2, 30), dtype=complex), "Complex data not supported"),
        (np.full((3, 2, 30), "a"), "could not convert"),
        (np.ones((0, 2, 30)), "0 sample"),
        (trials(3, 2, 1), "at least 2 times per trial"),
    ],
)
def test_bad_data(bad, message):
    with pytest.raises(ValueError, match=message):
        fixed(1, 1).fit(bad)


def test_rows_that_cannot_be_cut(X):
    with pytest.raises(ValueError, match="n_channels=7 must divide the number of columns"):
        fixed(n_channels=7).fit(X.reshape(8, -1)[:, :100])


def test_other_channels_than_in_the_fit(X):
    with pytest.raises(ValueError, match="X has 2 features"):
        fixed().fit(X).transform(X[:, :2])
    with pytest.raises(ValueError, match="X has 120 features"):
        fixed().fit(X).transform(X[:, 0])


def test_a_failed_fit_leaves_the_last_one(X):
    model = fixed().fit(X)
    expected = model.transform(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan))
    assert_array_equal(model.transform(X), expected)


def test_more_rows_than_samples_are_warned_about(X):
    with pytest.warns(UserWarning, match="has 30 rows and only 21 samples: .* reg=1e-06"):
        G = fixed(10, 1).fit(X[..., :30]).transform(X[..., :30])
    assert np.linalg.eigvalsh(G).min() > 0


class TestFlat:
    def test_channel_is_filled_by_the_ridge(self, X):
        X[2, 1], X[5, 0] = 7.0, 0.0
        with pytest.warns(UserWarning, match="2 of 8 trials have channels that do not vary"):
            G = fixed().fit_transform(X)
        assert np.linalg.eigvalsh(G).min() > 0

    def test_trial_is_refused(self, X):
        model = fixed().fit(X)
        X[3] = 1.0
        for refused in (model.transform, model.fit):
            with pytest.raises(ValueError, match="Trial 3 of X is flat"):
                refused(X)

    def test_row_of_a_table_has_the_ridge_alone(self, X):
        table = X[:, 0]
        table[3] = 1.0
        model = fixed()
        with pytest.warns(UserWarning, match="1 of 8 trials have channels that do not vary"):
            G = model.fit_transform(table)
        level = np.delete(table, 3, axis=0).var(axis=1).mean()
        assert_allclose(G[3], 1e-6 * level * np.eye(3), rtol=1e-12)
        with pytest.raises(ValueError, match="All trials of X are flat"):
            model.fit(np.ones((4, 30)))

    def test_duplicated_and_referenced_channels_are_made_definite(self, X):
        for dependent in (np.repeat(X[:, :1], 3, axis=1), X - X.mean(axis=1, keepdims=True)):
            G = fixed().fit_transform(dependent)
            smallest = np.linalg.eigvalsh(G).min(axis=1) / np.trace(G, axis1=1, axis2=2)
            assert_allclose(smallest, 1e-6 / 9, rtol=1e-3)


def test_short_trials_fall_back_to_order_1():
    X = trials(5, 2, 15)
    model = AugmentedCovariance()
    with pytest.warns(UserWarning, match="20"):
        model.fit(X)
    assert (model.order_, model.lag_) == (1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert AugmentedCovariance().fit(X[:, 0]).order_ == 1


def test_a_missing_pyriemann_says_how_to_install_it(X, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyriemann.geometry.covariance", None)
    with pytest.raises(ImportError, match="`pip install pyriemann`"):
        fixed(estimator="oas").fit_transform(X)


@pytest.mark.parametrize(("order", "lag"), [("auto", 1), (2, "mi"), (True, 1), (2, [3, 1])])
def test_the_function_takes_numbers(X, order, lag):
    message = r"must be numbers|Got True|does not go|ascend"
    with pytest.raises((ValueError, TypeError), match=message):
        augmented_covariance(X, order, lag)
