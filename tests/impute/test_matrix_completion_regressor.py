"""MatrixCompletionRegressor: the long format, and the checks that need a table of identifiers."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.utils import get_tags

from skmatrix.datasets import make_ratings
from skmatrix.impute import MatrixCompletion, MatrixCompletionRegressor

N, P = 40, 30


def triplets(n_ratings=500, seed=0):
    """Pairs of positions and their values; every row and column has an entry."""
    rows, columns, values = make_ratings(N, P, n_ratings, rank=3, random_state=seed)
    extra = np.arange(max(N, P))
    fresh = [(i % N, i % P) for i in extra if (i % N, i % P) not in set(zip(rows, columns))]  # noqa: B905
    pairs = np.concatenate([np.column_stack([rows, columns]), np.array(fresh)])
    values = np.concatenate([values, 3.5 + 0.1 * np.arange(len(fresh))])
    order = np.random.default_rng(seed).permutation(len(values))
    return pairs[order], values[order]


def matrix(pairs, values):
    X = np.full((N, P), np.nan)
    X[pairs[:, 0], pairs[:, 1]] = values
    return X


def regressor(n_components=3, **parameters):
    return MatrixCompletionRegressor(n_components, **{"random_state": 0, **parameters})


# The same as the matrix form


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"penalty": "constant", "alpha": 0.4, "n_components": 12},
        {"bias": "none"},
        {"solver": "sketch"},
        {"n_components": "auto"},
        {"n_components": "signflip"},
        {"init": "svd", "clip": (2, 4)},
        {"clip": "observed"},
        {"validation_fraction": 0.1},
        {"dtype": "float32", "n_jobs": 2, "backend": "numba"},
        {"max_iter": 200, "tol": 1e-7, "inner_tol": 0.01, "inner_max_iter": 5, "alpha": 0.2},
        {"alpha": 0, "continuation": False, "tol": 1e-2},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressor_is_the_completion_of_its_matrix(parameters):
    pairs, y = triplets()
    model = regressor(**parameters).fit(pairs, y)
    data = sp.csr_array((y, (pairs[:, 0], pairs[:, 1])), shape=(N, P))
    expected = MatrixCompletion(3, random_state=0).set_params(**parameters).fit(data)
    assert_array_equal(model.completion_.components_, expected.components_)
    assert_array_equal(model.predict(pairs), expected.predict_entries(pairs[:, 0], pairs[:, 1]))
    values, std = model.predict(pairs, return_std=True)
    wanted = expected.predict_entries(pairs[:, 0], pairs[:, 1], return_std=True)
    assert_array_equal(values, wanted[0])
    assert_array_equal(std, wanted[1])
    assert model.n_iter_ == expected.n_iter_
    assert_array_equal(model.row_ids_, np.arange(N))
    assert_array_equal(model.column_ids_, np.arange(P))


def test_parameters_are_those_of_the_completion():
    own = MatrixCompletionRegressor().get_params()
    other = MatrixCompletion().get_params()
    assert own.items() <= other.items()
    of_transformers = {"scale", "warm_start", "output", "add_indicator", "score_fraction"}
    assert other.keys() - own.keys() == of_transformers


# Identifiers


def _named(pairs):
    return [f"user{i:02d}" for i in pairs[:, 0]], [f"film{j:02d}" for j in pairs[:, 1]]


IDENTIFIERS = {
    "int": lambda pairs: pairs,
    "far apart": lambda pairs: pairs.astype(np.int64) * 10**15 - 7,
    "float": lambda pairs: pairs / 4,
    "list": lambda pairs: pairs.tolist(),
    "str": lambda pairs: np.column_stack(_named(pairs)),
    "object": lambda pairs: np.column_stack(_named(pairs)).astype(object),
    "list of str": lambda pairs: np.column_stack(_named(pairs)).tolist(),
    "pandas": lambda pairs: pytest.importorskip("pandas").DataFrame(
        {"user": pairs[:, 0], "film": _named(pairs)[1]}
    ),
    "pandas category": lambda pairs: (
        pytest.importorskip("pandas")
        .DataFrame({"user": _named(pairs)[0], "film": pairs[:, 1]})
        .astype("category")
    ),
    "pandas nullable": lambda pairs: (
        pytest.importorskip("pandas").DataFrame(pairs, columns=["user", "film"]).astype("Int64")
    ),
    "pandas without names": lambda pairs: pytest.importorskip("pandas").DataFrame(pairs),
    "polars": lambda pairs: pytest.importorskip("polars").DataFrame(
        {"user": pairs[:, 0], "film": _named(pairs)[1]}
    ),
}


@pytest.mark.parametrize("kind", IDENTIFIERS)
def test_kind_of_identifiers_does_not_matter(kind):
    pairs, y = triplets()
    expected = regressor().fit(pairs, y).predict(pairs)
    X = IDENTIFIERS[kind](pairs)
    model = regressor().fit(X, y)
    assert_array_equal(model.predict(X), expected)
    assert model.row_ids_.shape == (N,)
    assert model.column_ids_.shape == (P,)
    assert model.n_features_in_ == 2
    named = getattr(X, "columns", None) is not None and isinstance(X.columns[0], str)
    assert hasattr(model, "feature_names_in_") == named


def test_order_and_names_of_identifiers_do_not_matter():
    pairs, y = triplets()
    expected = regressor(tol=1e-10, max_iter=2000, alpha=0.3).fit(pairs, y).predict(pairs)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(y))
    renamed = np.column_stack([rng.permutation(N)[pairs[:, 0]], pairs[:, 1]])
    model = regressor(tol=1e-10, max_iter=2000, alpha=0.3).fit(renamed[order], y[order])
    assert_allclose(model.predict(renamed), expected, rtol=1e-4)


def test_unknown_identifiers_get_what_is_known_of_the_other():
    pairs, y = triplets()
    model = regressor().fit(pairs, y)
    inner = model.completion_
    asked = [[3, 5], [99, 5], [3, 99], [99, 99]]
    expected = [
        inner.reconstruct()[3, 5],
        inner.offset_ + inner.column_bias_[5],
        inner.offset_ + inner.row_bias_[3],
        inner.offset_,
    ]
    assert_allclose(model.predict(asked), expected)
    values, std = model.predict(asked, return_std=True)
    assert_allclose(values, expected)
    assert std[0] == inner.predict_entries([3], [5], return_std=True)[1][0]
    assert_allclose(std[1:], inner.unit_)
    # All of them unknown.
    assert_allclose(model.predict([[99, 99]], return_std=True)[0], inner.offset_)


def test_unknown_identifiers_keep_the_bounds():
    pairs, y = triplets()
    model = regressor(clip=(3.6, 4)).fit(pairs, y)
    assert model.completion_.offset_ < 3.6
    assert_array_equal(model.predict([[99, 99]]), [3.6])


# Weights and duplicates


def test_pairs_that_come_twice_count_as_their_weighted_mean():
    pairs, y = triplets()
    rng = np.random.default_rng(0)
    twice = rng.integers(0, len(y), 200)
    X, values = np.concatenate([pairs, pairs[twice]]), np.concatenate([y, y[twice] + 1])
    weight = rng.uniform(0.5, 2, len(values))
    model = regressor(solver="cholesky").fit(X, values, sample_weight=weight)
    mean, mass = np.full((N, P), np.nan), np.zeros((N, P))
    for (i, j), value, w in zip(X, values, weight, strict=True):
        old = 0.0 if np.isnan(mean[i, j]) else mean[i, j]
        mean[i, j] = (mass[i, j] * old + w * value) / (mass[i, j] + w)
        mass[i, j] += w
    expected = MatrixCompletion(3, solver="cholesky", random_state=0).fit(mean, entry_weight=mass)
    assert_allclose(model.completion_.reconstruct(), expected.reconstruct(), rtol=1e-9)
    assert model.completion_.n_observed_ == len(y)


@pytest.mark.parametrize("solver", ["pcg", "cholesky", "sketch"])
def test_integer_weights_equal_repeats(solver):
    pairs, y = triplets()
    repeats = np.random.default_rng(0).integers(0, 4, len(y))
    for ids in pairs.T:  # no identifier loses all of its values
        repeats[np.unique(ids, return_index=True)[1]] = 1
    weighted = regressor(solver=solver, max_iter=200).fit(pairs, y, sample_weight=repeats)
    repeated = regressor(solver=solver, max_iter=200)
    repeated.fit(np.repeat(pairs, repeats, axis=0), np.repeat(y, repeats))
    assert_allclose(weighted.predict(pairs), repeated.predict(pairs), rtol=1e-7)
    assert weighted.completion_.n_observed_ == repeated.completion_.n_observed_


def test_weights_of_one_change_nothing():
    pairs, y = triplets()
    expected = regressor().fit(pairs, y).predict(pairs)
    for weight in (np.ones(len(y)), np.ones(len(y), dtype=int), [1.0] * len(y), 2.5):
        model = regressor().fit(pairs, y, sample_weight=weight)
        assert_allclose(model.predict(pairs), expected, rtol=1e-10)


def test_values_that_cancel_stay_observed():
    X = np.array([[0, 0], [0, 0], [0, 1], [1, 0], [1, 1]])
    model = regressor(0).fit(X, [1.0, -1.0, 3.0, 2.0, 0.0])
    assert model.completion_.n_observed_ == 4


# scikit-learn


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_grid_search_over_entries_finds_an_inner_penalty():
    rows, columns, y = make_ratings(120, 80, 4000, rank=3, random_state=0)
    pairs = np.column_stack([rows, columns])
    grid = {"alpha": [1e-3, 0.03, 0.1, 0.3, 10.0]}
    search = GridSearchCV(
        regressor(5, clip="observed"), grid, cv=KFold(3, shuffle=True, random_state=0)
    ).fit(pairs, y)
    assert search.best_params_["alpha"] in (0.03, 0.1, 0.3)
    # Noise has deviation 0.8 beside a signal of about the same size.
    assert 0.2 < search.best_score_ < 0.6


def test_cross_validation_predicts_entries_it_has_not_seen():
    rows, columns, y = make_ratings(120, 80, 4000, rank=3, random_state=0)
    pairs = np.column_stack([rows, columns])
    folds = KFold(5, shuffle=True, random_state=0)
    model = regressor(max_iter=200)
    predicted = cross_val_predict(model, pairs, y, cv=folds)
    assert predicted.shape == y.shape
    assert r2_score(y, predicted) > 0.25
    scores = cross_val_score(model, pairs, y, cv=folds, scoring="neg_root_mean_squared_error")
    assert np.all(scores < -0.75)  # the noise has deviation 0.8


def test_score_is_the_share_of_variance_explained():
    pairs, y = triplets()
    model = regressor().fit(pairs, y)
    assert_allclose(model.score(pairs, y), r2_score(y, model.predict(pairs)))
    weight = np.random.default_rng(0).uniform(size=len(y))
    assert model.score(pairs, y, weight) != model.score(pairs, y)


def test_weights_are_routed_through_a_search():
    pairs, y = triplets()
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = regressor(max_iter=200).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"alpha": [0.1]}, cv=3).fit(pairs, y, sample_weight=weight)
    expected = regressor(max_iter=200).fit(pairs, y, sample_weight=weight)
    assert_array_equal(search.predict(pairs), expected.predict(pairs))


def test_scores_are_monitored_while_the_fit_runs():
    pairs, y = triplets()
    monitor = ScoringMonitor(scoring="r2")
    model = regressor(clip="observed").set_callbacks(monitor).fit(pairs, y)
    scores = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(scores) == model.n_iter_
    assert scores[-1] > scores[0]
    assert_allclose(scores[-1], model.score(pairs, y), rtol=0.02)


def test_verbose_names_the_regressor(capsys):
    model = regressor(verbose=1).fit(*triplets())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    assert all(line.startswith("[MatrixCompletionRegressor] iteration") for line in lines)


def test_tags_tell_of_identifiers():
    tags = get_tags(MatrixCompletionRegressor())
    assert is_regressor(MatrixCompletionRegressor())
    assert tags.input_tags.categorical
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.required


# Checks of `check_estimator` that need data, on identifiers


def test_clone_has_parameters_and_no_fit():
    model = regressor(2, alpha=0.3).fit(*triplets())
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert not hasattr(copied, "completion_")


def test_fit_sets_only_attributes_that_end_in_an_underscore():
    model = regressor(2)
    before = set(vars(model))
    model.fit(*triplets())
    assert all(name.endswith("_") or name.startswith("_") for name in set(vars(model)) - before)


def test_fit_changes_no_parameter_and_returns_itself():
    pairs, y = triplets()
    model = regressor(2, init="svd", clip=(1, 5))
    before = dict(model.get_params())
    copies = pairs.copy(), y.copy()
    assert model.fit(pairs, y) is model
    assert model.get_params() == before
    assert_array_equal(pairs, copies[0])
    assert_array_equal(y, copies[1])


def test_fit_again_gives_the_same_bits():
    pairs, y = triplets()
    model = regressor(2).fit(pairs, y)
    first = model.predict(pairs)
    model.fit(*triplets(seed=1))
    assert_array_equal(model.fit(pairs, y).predict(pairs), first)


def test_predict_changes_nothing_of_the_estimator():
    pairs, y = triplets()
    model = regressor(2).fit(pairs, y)
    before = pickle.dumps(vars(model))
    model.predict(pairs)
    model.predict([[99, 99]], return_std=True)
    model.score(pairs, y)
    assert pickle.dumps(vars(model)) == before


def test_predictions_do_not_depend_on_their_company():
    pairs, y = triplets()
    model = regressor(2).fit(pairs, y)
    whole = model.predict(pairs)
    order = np.random.default_rng(0).permutation(len(y))
    assert_allclose(model.predict(pairs[order]), whole[order], rtol=1e-14)
    single = np.concatenate([model.predict(pair[None]) for pair in pairs[:10]])
    assert_allclose(single, whole[:10], rtol=1e-14)


def test_pickle_predicts_the_same():
    pairs, y = triplets()
    for X in (pairs, np.column_stack(_named(pairs)).astype(object)):
        model = regressor(2, clip="observed").fit(X, y)
        loaded = pickle.loads(pickle.dumps(model))
        assert_array_equal(loaded.predict(X), model.predict(X))


def test_skops_stores_and_loads():
    io = pytest.importorskip("skops.io")
    pairs, y = triplets()
    model = regressor(2).fit(pairs, y)
    stored = io.dumps(model)
    loaded = io.loads(stored, trusted=io.get_untrusted_types(data=stored))
    assert_array_equal(loaded.predict(pairs), model.predict(pairs))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_dtype_of_the_values_is_kept(dtype):
    pairs, y = triplets()
    model = regressor(2).fit(pairs, np.round(y).astype(dtype))
    expected = np.float32 if dtype == np.float32 else np.float64
    assert model.predict(pairs).dtype == expected
    assert model.completion_.components_.dtype == expected


def test_names_of_columns_are_kept_and_compared():
    pd = pytest.importorskip("pandas")
    pairs, y = triplets()
    frame = pd.DataFrame(pairs, columns=["user", "film"])
    model = regressor(2).fit(frame, pd.Series(y, index=np.arange(len(y)) + 3))
    assert_array_equal(model.feature_names_in_, ["user", "film"])
    assert_array_equal(model.predict(frame), regressor(2).fit(pairs, y).predict(pairs))
    with pytest.raises(ValueError, match="The feature names should match"):
        model.predict(frame[["film", "user"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(pairs)


def test_predict_asks_for_a_fit_first():
    with pytest.raises(NotFittedError, match="This MatrixCompletionRegressor instance is not"):
        regressor().predict([[0, 0]])


def test_unfinished_fit_is_warned_about():
    with pytest.warns(ConvergenceWarning, match="MatrixCompletionRegressor did not converge"):
        regressor(max_iter=1).fit(*triplets())


PAIRS, Y = triplets()
NAMES = np.column_stack(_named(PAIRS)).astype(object)


def _without(first):
    X = NAMES.copy()
    X[0, 0] = first
    return X


def _frame_without():
    return pytest.importorskip("pandas").DataFrame(_without(None))


BAD = {
    "three columns": (np.ones((9, 3)), np.ones(9), {}, r"X must have two columns.*\(9, 3\)"),
    "one column": (np.ones((9, 1)), np.ones(9), {}, r"X must have two columns.*\(9, 1\)"),
    "vector": (np.ones(9), np.ones(9), {}, "Expected 2D array, got 1D array instead"),
    "nothing": (np.ones((0, 2)), np.ones(0), {}, r"Found array with 0 sample\(s\)"),
    "NaN": (np.where(np.eye(9, 2) > 0, np.nan, 1.0), np.ones(9), {}, "contains NaN"),
    "NaN among names": (_without(np.nan), Y, {}, "contains NaN"),
    "None among names": (_without(None), Y, {}, "X has missing identifiers"),
    "hole in a frame": (_frame_without, Y, {}, "X has missing identifiers"),
    "no y": (PAIRS, None, {}, "requires y to be passed, but the target y is None"),
    "y short": (PAIRS, Y[:-1], {}, "inconsistent numbers of samples"),
    "y twice": (PAIRS, np.column_stack([Y, Y]), {}, "y must be one-dimensional"),
    "y NaN": (PAIRS, np.where(Y[3] == Y, np.nan, Y), {}, "Input y contains NaN"),
    "y infinite": (PAIRS, np.where(Y[3] == Y, np.inf, Y), {}, "Input y contains infinity"),
    "y complex": (PAIRS, Y + 1j, {}, "Complex data not supported"),
    "weights short": (PAIRS, Y, {"sample_weight": Y[:-1]}, "sample_weight.shape =="),
    "weights negative": (PAIRS, Y, {"sample_weight": -np.ones_like(Y)}, "Negative values"),
    "weights NaN": (PAIRS, Y, {"sample_weight": Y * np.nan}, "sample_weight contains NaN"),
    "weights zero": (PAIRS, Y, {"sample_weight": 0 * Y}, "at least one non-zero"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_are_refused_and_change_nothing(case):
    X, y, arguments, message = BAD[case]
    X = X() if callable(X) else X
    model = regressor(2).fit(PAIRS, Y)
    before = model.predict(PAIRS)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **arguments)
    assert_array_equal(model.predict(PAIRS), before)


def test_sparse_identifiers_are_refused():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        regressor().fit(sp.csr_array(PAIRS), Y)


def test_bad_parameters_are_refused_by_name():
    for parameters in ({"alpha": -1}, {"solver": "svd"}, {"clip": "seen"}, {"n_components": -1}):
        ((name, _),) = parameters.items()
        message = rf"The '{name}' parameter of MatrixCompletionRegressor must be"
        with pytest.raises(ValueError, match=message):
            regressor(**parameters).fit(PAIRS, Y)
    with pytest.raises(ValueError, match=r"clip must be a pair \(low, high\)"):
        regressor(clip=(4, 1)).fit(PAIRS, Y)
