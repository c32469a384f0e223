"""AugmentedCovarianceClassifier: why it exists, its shared grid, and what it refuses."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skmatrix.covariance import (
    AugmentedCovariance,
    AugmentedCovarianceClassifier,
    _embedding,
    augmented_covariance,
)
from skmatrix.covariance._augmented_covariance_candidates import Candidate
from skmatrix.covariance._augmented_covariance_grid import Search

pytest.importorskip("pyriemann")
from pyriemann.classification import MDM
from pyriemann.geometry.mean import mean_riemann
from pyriemann.tangentspace import TangentSpace

EVERY = ["logistic", "svc", "mdm", "fgmdm"]


def autoregressive(n, n_times, A, seed=0):
    """Trials of x(t) = A x(t - 1) + e(t), with a covariance that does not hang on the sign of A."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, A.shape[0]))
    signal = []
    for _ in range(n_times + 50):
        x = x @ A.T + rng.standard_normal(x.shape)
        signal.append(x)
    return np.stack(signal[50:], axis=2)


def opposite_dynamics(n=60, n_times=300, seed=0):
    A = np.array([[0.5, 0.2, 0.0], [-0.2, 0.4, 0.1], [0.0, 0.1, -0.5]])
    X = [autoregressive(n, n_times, sign * A, seed + i) for i, sign in enumerate((1, -1))]
    return np.concatenate(X), np.repeat(["ahead", "behind"], n)


@pytest.fixture(scope="module")
def data():
    X, y = opposite_dynamics(20, 120)
    # Noise that keeps the classes from being told apart without fail.
    return X + 3 * np.random.default_rng(9).standard_normal(X.shape), y


def fixed(order=2, lag=1, **parameters):
    return AugmentedCovarianceClassifier(order, lag, **{"random_state": 0, **parameters})


# Why it exists


@pytest.mark.parametrize("classifier", EVERY)
def test_dynamics_tell_classes_of_equal_covariance_apart(classifier):
    X, y = opposite_dynamics()
    test, expected = opposite_dynamics(seed=10)
    scores = {
        order: fixed(order, classifier=classifier).fit(X, y).score(test, expected)
        for order in (1, 2)
    }
    assert scores[1] < 0.7
    assert scores[2] > 0.95


# The filter of "fgmdm" scales features one by one, and does hang on the mixing.
@pytest.mark.parametrize("classifier", ["logistic", "svc", "mdm"])
def test_mixed_channels_and_time_that_runs_backwards_change_no_decision(data, classifier):
    X, y = data
    W = np.random.default_rng(1).standard_normal((3, 3))
    model = fixed(3, 2, classifier=classifier, reg=0, mean_tol=1e-9)
    expected = model.fit(X[::2], y[::2]).predict(X[1::2])
    for changed in (W @ X, X[..., ::-1], 1e-13 * X):
        ours = clone(model).fit(changed[::2], y[::2]).predict(changed[1::2])
        assert_array_equal(ours, expected)


def test_shuffled_labels_are_left_to_chance(data):
    X, y = data
    scores = []
    for seed in range(5):
        shuffled = np.random.default_rng(seed).permutation(y)
        model = fixed("grid", "grid", orders=[1, 2, 3], lags=[1, 2], random_state=seed)
        scores.append(cross_val_score(model, X, shuffled, cv=4).mean())
    assert abs(np.mean(scores) - 0.5) < 0.15


# Against pyRiemann and scikit-learn


def test_models_are_those_of_pyriemann(data):
    X, y = data
    matrices = AugmentedCovariance(2, 1).fit_transform(X)
    tangent = TangentSpace().fit(matrices[::2])
    ours = fixed(mean_tol=1e-8).fit(X[::2], y[::2])
    assert_allclose(ours.reference_, tangent.reference_, rtol=1e-7, atol=1e-9)
    assert_allclose(ours.transform(X), tangent.transform(matrices), atol=1e-6)
    linear = LogisticRegression(max_iter=1000).fit(tangent.transform(matrices[::2]), y[::2])
    expected = linear.predict_proba(tangent.transform(matrices))
    assert_allclose(ours.predict_proba(X), expected, atol=1e-5)
    mdm = MDM().fit(matrices[::2], y[::2])
    ours = fixed(classifier="mdm", mean_tol=1e-8).fit(X[::2], y[::2])
    assert_allclose(ours.predict_proba(X), mdm.predict_proba(matrices), atol=1e-6)
    assert_allclose(ours.transform(X), mdm.transform(matrices), atol=1e-6)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_shared_grid_equals_grid_search(data, n_jobs):
    X, y = data
    pipeline = make_pipeline(AugmentedCovariance(1, 1), TangentSpace(), SVC())
    grid = {
        "augmentedcovariance__order": [1, 2, 3],
        "augmentedcovariance__lag": [1, 3],
        "svc__C": [0.5, 1.0, 1.5],
        "svc__kernel": ["rbf", "linear"],
    }
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, grid, cv=folds).fit(X, y)
    theirs = {
        tuple(params.values()): [search.cv_results_[f"split{k}_test_score"][i] for k in range(3)]
        for i, params in enumerate(search.cv_results_["params"])
    }
    model = fixed(
        "grid",
        "grid",
        orders=[1, 2, 3],
        lags=[1, 3],
        classifier="svc",
        cv=folds,
        n_jobs=n_jobs,
        mean_tol=1e-8,
    ).fit(X, y)
    results = model.cv_results_
    assert len(results["params"]) == 30  # order 1 once
    for i, params in enumerate(results["params"]):
        key = (params["lag"], params["order"], params["C"], params["kernel"])
        ours = [results[f"split{k}_test_score"][i] for k in range(3)]
        assert_allclose(ours, theirs[key], rtol=1e-12)
        assert results["mean_test_score"][i] == pytest.approx(np.mean(ours), rel=1e-12)
        assert results["param_C"][i] == params["C"]
    assert model.best_score_ == pytest.approx(search.best_score_, rel=1e-12)
    assert results["rank_test_score"].min() == 1
    assert np.all(results["mean_fit_time"] > 0)
    best = [c for c, r in zip(results["params"], results["rank_test_score"], strict=True) if r == 1]
    smallest = min((p["order"], p["lag"]) for p in best)
    assert (model.order_, model.lag_) == smallest


def test_scoring_and_folds_are_those_asked_for(data):
    X, y = data
    y = (y == "ahead").astype(int)
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    pipeline = make_pipeline(AugmentedCovariance(2, 1), TangentSpace(), LogisticRegression())
    expected = cross_val_score(pipeline, X, y, cv=folds, scoring="roc_auc")
    model = fixed("grid", 1, orders=[2, 3], scoring="roc_auc", cv=folds, mean_tol=1e-8).fit(X, y)
    ours = [model.cv_results_[f"split{k}_test_score"][0] for k in range(4)]
    assert_allclose(ours, expected, rtol=1e-12)


@pytest.mark.parametrize("metric", ["logeuclid", {"mean": "logeuclid"}, {"mean": mean_riemann}])
def test_metrics(data, metric):
    X, y = data
    model = fixed(metric=metric).fit(X[::2], y[::2])
    mean = metric if isinstance(metric, str) else metric["mean"]
    matrices = AugmentedCovariance(2, 1).fit_transform(X[::2])
    from pyriemann.geometry.mean import gmean

    assert_allclose(model.reference_, gmean(matrices, metric=mean), rtol=1e-10)
    assert model.score(X[1::2], y[1::2]) > 0.6


# Candidates


def test_auto_judges_the_candidates_of_the_rules(data):
    X, y = data
    model = fixed("auto", "auto").fit(X, y)
    rules = [candidate.rule for candidate in model.candidates_]
    assert rules[0] == "no delay"
    assert 2 <= len(rules) <= 5  # too short for MDOP
    pairs = [candidate[:2] for candidate in model.candidates_]
    assert len(set(pairs)) == len(pairs)
    assert all(order * 3 <= 120 - (order - 1) * lag for order, lag in pairs)
    assert model.best_score_ == model.cv_results_["mean_test_score"].max()
    assert (model.order_, model.lag_) in pairs


def test_mdop_is_judged_for_long_trials():
    X, y = opposite_dynamics(6, 300)
    model = fixed("auto", "auto", n_selection_trials=2).fit(X, y)
    orders = {candidate.rule for candidate in model.candidates_}
    assert "mdop" in orders or len(model.candidates_) < 6  # unless it agrees with another


@pytest.mark.parametrize(
    ("order", "lag", "expected"),
    [
        ("grid", 2, {(1, 1), (2, 2), (3, 2)}),
        (2, "grid", {(2, 1), (2, 4)}),
        (1, "grid", {(1, 1)}),
        ("grid", "grid", {(1, 1), (2, 1), (2, 4), (3, 1), (3, 4)}),
        (7, 3, {(7, 3)}),
    ],
)
def test_grids(data, order, lag, expected):
    model = fixed(order, lag, orders=[1, 2, 3], lags=[1, 4]).fit(*data)
    assert {candidate[:2] for candidate in model.candidates_} == expected
    assert (model.cv_results_ is None) == (len(expected) == 1)
    assert (model.best_score_ is None) == (len(expected) == 1)


def test_matrices_larger_than_the_samples_are_not_judged():
    X, y = opposite_dynamics(10, 30)
    model = fixed("grid", "grid").fit(X, y)
    assert all(3 * o <= 30 - (o - 1) * lag for o, lag, _ in model.candidates_)
    assert len(model.candidates_) < 60
    with pytest.raises(ValueError, match="No pair of order='grid' and lag='grid' leaves"):
        fixed("grid", "grid", orders=[9], lags=[5]).fit(X, y)


def test_given_delays(data):
    model = fixed("auto", [1, 4]).fit(*data)
    assert (model.order_, model.lag_, model.delays_.tolist()) == (3, None, [0, 1, 4])
    assert model.score(*data) > 0.6


def test_same_choice_from_the_same_seed(data):
    first, second = (fixed("auto", "auto", random_state=4).fit(*data) for _ in range(2))
    assert first.candidates_ == second.candidates_
    assert_array_equal(first.cv_results_["mean_test_score"], second.cv_results_["mean_test_score"])
    assert_array_equal(first.reference_, second.reference_)


def test_rules_beside_numbers_in_short_trials(data):
    X, y = data[0][..., :15], data[1]
    with pytest.warns(UserWarning, match="'mi' cannot choose"):
        model = fixed(3, "mi").fit(X, y)
    assert model.candidates_ == [(3, 1, "3 at mi")]
    with pytest.warns(UserWarning, match="'mi' cannot choose"):
        model = fixed("grid", "mi", orders=[1, 2]).fit(X, y)
    assert [candidate[:2] for candidate in model.candidates_] == [(1, 1), (2, 1)]


def test_a_given_order_may_make_more_rows_than_samples(data):
    X, y = np.repeat(data[0][..., :30], 3, axis=1), data[1]
    with pytest.warns(UserWarning, match="has 45 rows and only 2"):
        assert fixed(5, "mi").fit(X, y).order_ == 5


def test_mdop_is_found_once_and_judged(monkeypatch):
    X, y = opposite_dynamics(6, 300)
    calls = []
    real = _embedding.mdop_by_trial

    def counted(*args, **kwargs):
        calls.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(_embedding, "mdop_by_trial", counted)
    for order, lag in (("mdop", "grid"), ("grid", "mdop"), ("auto", "mdop")):
        calls.clear()
        model = fixed(order, lag, orders=[1, 2, 3], lags=[1, 2, 3]).fit(X, y)
        assert len(calls) == 1
        rules = [candidate.rule for candidate in model.candidates_]
        assert all("mdop" in rule for rule in rules[order == "auto" :])


@pytest.mark.parametrize("values", [[0], [-1], [2.7], [True], ["a"], [[1, 2]], []])
@pytest.mark.parametrize("name", ["orders", "lags"])
def test_grids_are_whole_numbers(data, name, values):
    with pytest.raises(ValueError, match=f"{name} must be whole numbers of at least 1. Got"):
        fixed("grid", "grid", **{name: values}).fit(*data)


def test_scores_that_are_nan_are_last(data):
    X, y = data

    def score(model, inputs, labels):
        return np.nan if inputs.shape[1] == 6 else 0.5

    model = fixed("grid", 1, orders=[1, 2, 3], scoring=score).fit(X, y)
    assert model.order_ == 2
    assert model.cv_results_["rank_test_score"].tolist() == [3, 1, 1]
    with pytest.raises(ValueError, match="All scores are NaN: scoring must give a number"):
        fixed("grid", 1, orders=[1, 2], scoring=lambda *_: np.nan).fit(X, y)


def test_scores_that_differ_by_rounding_are_equal():
    search = Search(SimpleNamespace(settings=[{}]), None, range(3), None, None)
    search.candidates = [Candidate(2, 1, ""), Candidate(9, 1, "")]
    right = np.array([[10, 11, 12], [10, 12, 11]]) / 20
    search._runs = [np.stack([row, row, row], axis=-1)[None] for row in right]
    assert search.best(3) == (0, 0)
    assert search.results()["rank_test_score"].tolist() == [1, 1]


# As an estimator


@pytest.mark.parametrize("classifier", [*EVERY, LinearDiscriminantAnalysis()], ids=str)
def test_methods_are_those_of_the_model(data, classifier):
    X, y = data
    model = fixed(classifier=classifier)
    for method in ("predict_proba", "decision_function"):
        inner = {"logistic": LogisticRegression(), "svc": SVC()}.get(str(classifier), classifier)
        there = hasattr(inner, method) if not isinstance(inner, str) else method == "predict_proba"
        assert hasattr(model, method) == there
    model.fit(X, y)
    if hasattr(model, "predict_proba"):
        proba = model.predict_proba(X)
        assert_allclose(proba.sum(axis=1), 1)
        assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
    n_out = 2 if str(classifier) in ("mdm", "fgmdm") else 6 * 7 // 2
    assert model.transform(X).shape == (40, n_out)
    assert len(model.get_feature_names_out()) == n_out


def test_three_classes_and_two_dimensions(data):
    X, _ = data
    y = np.arange(40) % 3
    model = fixed(n_channels=3).fit(X.reshape(40, -1), y)
    assert_array_equal(model.predict(X.reshape(40, -1)), fixed().fit(X, y).predict(X))
    assert model.predict_proba(X.reshape(40, -1)).shape == (40, 3)


def test_pickle_and_single_precision(data):
    X, y = data
    model = fixed("auto", "auto").fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    single = fixed().fit(X.astype(np.float32), y)
    assert single.transform(X.astype(np.float32)).dtype == np.float32
    assert np.mean(single.predict(X.astype(np.float32)) == fixed().fit(X, y).predict(X)) > 0.95


def test_lines_for_candidates_and_a_progress_bar(data, capsys):
    pytest.importorskip("rich")
    model = fixed("grid", 1, orders=[1, 2], verbose=1).set_callbacks(ProgressBar())
    model.fit(*data)
    printed = capsys.readouterr().out
    assert "Candidate(order=1, lag=1, rule='1 at 1'): score=0." in printed
    assert "Candidate(order=2, lag=1, rule='2 at 1'): score=" in printed


def test_threads_have_the_configuration_of_scikit_learn(data):
    seen = []

    class Asking(LogisticRegression):
        def fit(self, X, y):
            seen.append(get_config()["assume_finite"])
            return super().fit(X, y)

    model = fixed("grid", 1, orders=[1, 2], classifier=Asking(), n_jobs=2)
    with config_context(assume_finite=True):
        model.fit(*data)
    assert len(seen) > 2
    assert all(seen)


def test_trials_of_another_length_and_other_channels(data):
    X, y = data
    model = fixed().fit(X, y)
    assert model.predict(X[..., :60]).shape == (40,)
    with pytest.raises(ValueError, match="X has 2 features"):
        model.predict(X[:, :2])


# What is refused


def test_dependent_channels_need_the_ridge(data):
    X, y = data
    referenced = X - X.mean(axis=1, keepdims=True)
    assert fixed().fit(referenced, y).score(referenced, y) > 0.6
    for classifier in EVERY:
        with pytest.raises(ValueError, match="not positive definite with reg=0"):
            fixed(reg=0, classifier=classifier).fit(referenced, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"order": "many"}, "'order' parameter of AugmentedCovarianceClassifier"),
        ({"classifier": "forest"}, "'classifier' parameter"),
        ({"mean_tol": 0}, "'mean_tol' parameter"),
        ({"metric": {"means": "riemann"}}, r"may have the keys .* Got \['means'\]"),
        ({"metric": {"map": "logdet"}}, r"metric\['map'\] must be one of .* Got 'logdet'"),
        ({"toeplitz": True, "estimator": "oas"}, "toeplitz=True needs estimator='cov'"),
        ({"metric": "foo"}, "metric of the mean must be one of .* Got 'foo'"),
        ({"metric": {"distance": "foo"}}, "metric of the distance must be one of .* Got 'foo'"),
    ],
)
def test_parameters(data, parameters, message):
    model = fixed(**{"order": 2, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(*data)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_labels(data):
    X, y = data
    with pytest.raises(ValueError, match=r"at least 2 classes. Got 1 class: \['ahead'\]"):
        fixed().fit(X[:20], y[:20])
    with pytest.raises(ValueError, match="Unknown label type"):
        fixed().fit(X, np.linspace(0, 1, 40))
    few = np.r_[0:20, 20:22]
    with pytest.warns(UserWarning, match="cv=3, but a class has only 2 trials: 2 folds are used"):
        fixed("grid", 1, orders=[1, 2]).fit(X[few], y[few])
    with pytest.raises(ValueError, match="at least 2 trials of each class"):
        fixed("grid", 1, orders=[1, 2]).fit(X[:21], y[:21])
    # A single pair is not judged.
    fixed().fit(X[:21], y[:21])


def test_a_failed_fit_leaves_the_last_one(data):
    X, y = data
    model = fixed().fit(X, y)
    expected = model.predict_proba(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="not positive definite"):
        model.set_params(reg=0).fit(X - X.mean(axis=1, keepdims=True), y)
    assert_array_equal(model.set_params(reg=1e-6).predict_proba(X), expected)


@pytest.mark.parametrize("classifier", ["logistic", "mdm"])
def test_a_mean_that_does_not_converge_is_told(data, monkeypatch, classifier):
    X, y = data
    monkeypatch.setattr("pyriemann.geometry.mean.gmean", lambda X, **_: X.mean(axis=0))
    with pytest.warns(ConvergenceWarning, match=r"would still move by 0\..*, above mean_tol=1e-06"):
        fixed(classifier=classifier).fit(X, y)


def test_nothing_is_said_of_a_mean_that_converges(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for tol in (1e-4, 1e-6, 1e-9):
            fixed(3, mean_tol=tol).fit(*data)
            fixed(3, mean_tol=tol, classifier="mdm").fit(*data)


def test_flat_trials_are_named(data):
    X, y = data
    X = X.copy()
    X[4] = 0
    with pytest.raises(ValueError, match="Trial 4 of X is flat"):
        fixed("auto", "auto").fit(X, y)
    X[4, 0, ::2] = 1
    with pytest.warns(UserWarning, match="1 of 40 trials have channels that do not vary") as told:
        fixed("grid", 1, orders=[1, 2]).fit(X, y)
    assert len(told) == 1


def test_short_trials_have_one_candidate(data):
    X, y = data
    with pytest.warns(UserWarning, match="20"):
        model = fixed("auto", "auto").fit(X[..., :15], y)
    assert [candidate[:2] for candidate in model.candidates_] == [(1, 1)]
    assert_allclose(
        model.covariance_.transform(X[..., :15]),
        AugmentedCovariance(1, 1).fit_transform(X[..., :15]),
    )
    assert augmented_covariance(X[..., :15], 1).shape == (40, 3, 3)
