"""MatrixCompletion and what it is given: containers, odd data, bad input, and its score."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from skmatrix._backend import get_backend
from skmatrix.impute import MatrixCompletion
from skmatrix.impute._matrix_completion_entries import read_entries
from skmatrix.impute._matrix_completion_queries import choose_hidden
from tests.impute.test_matrix_completion import ratings


def stored(X, form=sp.csr_array):
    seen = ~np.isnan(X)
    return form(sp.coo_array((X[seen], np.nonzero(seen)), shape=X.shape))


def completion(n_components=2, **parameters):
    return MatrixCompletion(n_components, **{"random_state": 0, **parameters})


# Containers


@pytest.fixture(scope="module")
def whole_numbers():
    """Ratings that every container and dtype can hold."""
    return np.round(ratings())


def _read_only_map(X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def _frame(X, _):
    return pytest.importorskip("pandas").DataFrame(X)


def _nullable_frame(X, _):
    return pytest.importorskip("pandas").DataFrame(X).astype("Int64")


def _polars_frame(X, _):
    pl = pytest.importorskip("polars")
    return pl.DataFrame(X).fill_nan(None)


def _read_only_sparse(X, _):
    X = stored(X)
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    return X


def _long_indices(X, _):
    X = stored(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def _unsorted(X, _):
    X = stored(X)
    for i in range(X.shape[0]):
        row = slice(X.indptr[i], X.indptr[i + 1])
        X.indices[row], X.data[row] = X.indices[row][::-1], X.data[row][::-1]
    X.has_sorted_indices = X.has_canonical_format = False
    return X


CONTAINERS = {
    "list": lambda X, _: X.tolist(),
    "fortran": lambda X, _: np.asfortranarray(X),
    "strided": lambda X, _: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X, _: X[::-1, ::-1].copy()[::-1, ::-1],
    "float16": lambda X, _: X.astype(np.float16),
    "longdouble": lambda X, _: X.astype(np.longdouble),
    "object": lambda X, _: X.astype(object),
    "big-endian": lambda X, _: X.astype(">f8"),
    "memmap": _read_only_map,
    "pandas": _frame,
    "pandas-nullable": _nullable_frame,
    "polars": _polars_frame,
    "csr_array": lambda X, _: stored(X),
    "csr_matrix": lambda X, _: stored(X, sp.csr_matrix),
    "csc_array": lambda X, _: stored(X, sp.csc_array),
    "csc_matrix": lambda X, _: stored(X, sp.csc_matrix),
    "coo_array": lambda X, _: stored(X, sp.coo_array),
    "coo_matrix": lambda X, _: stored(X, sp.coo_matrix),
    "lil_array": lambda X, _: stored(X, sp.lil_array),
    "dok_array": lambda X, _: stored(X, sp.dok_array),
    "sparse-int": lambda X, _: stored(X).astype(np.int32),
    "sparse-read-only": _read_only_sparse,
    "sparse-int64-indices": _long_indices,
    "sparse-unsorted": _unsorted,
}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("container", CONTAINERS)
def test_container_does_not_change_the_result(container, backend, whole_numbers, tmp_path):
    X = whole_numbers
    expected = completion(backend=backend).fit_transform(X)
    held = CONTAINERS[container](X, tmp_path)
    model = completion(backend=backend).fit(held)
    assert_array_equal(model.transform(held), expected)
    assert model.components_.dtype == np.float64
    assert_allclose(model.predict_entries([3, 4], [5, 6]), model.reconstruct()[[3, 4], [5, 6]])


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool])
def test_whole_matrix_of_integers_becomes_float64(dtype):
    X = np.random.default_rng(0).integers(0, 2, (12, 9)).astype(dtype)
    filled = completion().fit_transform(X)
    assert filled.dtype == np.float64
    assert_array_equal(filled, X)


@pytest.mark.parametrize("form", [np.asarray, stored])
def test_float32_stays_and_dtype_overrides_it(form):
    X = ratings()
    single = completion().fit(form(X.astype(np.float32)))
    for name in ("components_", "embedding_", "row_bias_", "column_bias_", "singular_values_"):
        assert getattr(single, name).dtype == np.float32
    assert single.transform(form(X.astype(np.float32))).dtype == np.float32
    assert single.predict_entries([0], [0]).dtype == np.float32
    assert single.top_k(k=2)[1].dtype == np.float32
    double = completion(dtype="float64").fit(form(X.astype(np.float32)))
    assert double.components_.dtype == np.float64
    halved = completion(dtype="float32").fit(form(X))
    assert halved.components_.dtype == np.float32
    assert halved.transform(form(X)).dtype == np.float32
    assert_allclose(single.reconstruct(), double.reconstruct(), rtol=1e-2)


def test_input_is_left_alone():
    X, weight = ratings(), np.random.default_rng(0).uniform(0.5, 2, (40, 30))
    for data, weights in ((X, weight), (stored(X), stored(np.where(np.isnan(X), np.nan, weight)))):
        copies = data.copy(), weights.copy()
        completion().fit(data, entry_weight=weights).transform(data)
        for now, before in zip((data, weights), copies, strict=True):
            if sp.issparse(now):
                now, before = now.data, before.data
            assert_array_equal(now, before)


@pytest.mark.parametrize("form", ["list", "pandas", "polars", "int", "float32"])
def test_weights_come_in_any_container(form):
    X = ratings()
    weight = np.random.default_rng(0).integers(1, 4, X.shape).astype(float)
    expected = completion().fit(X, entry_weight=weight).reconstruct()
    given = {
        "list": lambda: weight.tolist(),
        "pandas": lambda: pytest.importorskip("pandas").DataFrame(weight),
        "polars": lambda: pytest.importorskip("polars").DataFrame(weight),
        "int": lambda: weight.astype(int),
        "float32": lambda: weight.astype(np.float32),
    }[form]()
    assert_array_equal(completion().fit(X, entry_weight=given).reconstruct(), expected)


def test_stored_nan_is_a_hole_with_and_without_weights():
    X = stored(ratings())
    weight = X.copy()
    weight.data = np.random.default_rng(0).uniform(0.5, 2, X.nnz)
    holed = X.copy()
    holed.data[::7] = np.nan
    dense = ratings()
    dense[np.nonzero(~np.isnan(dense))[0][::7], np.nonzero(~np.isnan(dense))[1][::7]] = np.nan
    assert_array_equal(completion().fit_transform(holed), completion().fit_transform(dense))
    weights = weight.toarray()
    weight.data[7] = np.nan  # at a hole
    model = completion().fit(holed, entry_weight=weight)
    expected = completion().fit(dense, entry_weight=weights)
    assert_array_equal(model.reconstruct(), expected.reconstruct())


# Odd data


@pytest.mark.parametrize("solver", ["pcg", "cholesky", "sketch"])
@pytest.mark.parametrize("penalty", ["count", "constant"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 3)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_tiny_matrices_are_completed(shape, penalty, solver):
    X = np.random.default_rng(0).standard_normal(shape)
    for init in ("random", "svd"):
        model = completion(10, penalty=penalty, solver=solver, init=init).fit(X)
        assert model.n_components_ == min(shape)
        assert_array_equal(model.transform(X), X)
        assert np.isfinite(model.reconstruct()).all()
    if X.size > 1:
        X[0, 0] = np.nan
        assert np.isfinite(completion(penalty=penalty, solver=solver).fit_transform(X)).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e200, 1e-200])
@pytest.mark.parametrize("alpha", [0, 0.1])
def test_constant_matrix_is_met_exactly_without_factors(alpha, value):
    X = np.where(np.isnan(ratings()), np.nan, value)
    for data in (X, stored(X)):
        model = completion(alpha=alpha)
        assert_array_equal(model.fit_transform(data), np.full(X.shape, value))
        assert not model.embedding_.any()
        assert model.converged_
    # The weighted mean of equal values is theirs up to rounding error, which is no signal.
    weight = np.random.default_rng(0).uniform(0.1, 2, X.shape)
    fit = completion(alpha=alpha).fit(X, entry_weight=weight).reconstruct()
    assert_allclose(fit, value, rtol=1e-14)


def test_constant_column_is_continued():
    X = ratings(60, 20, 900)
    X[:, 3] = np.where(np.isnan(X[:, 3]), np.nan, 2.0)
    for scale in (None, "columns"):
        model = completion(scale=scale, alpha=0.02, tol=1e-7, max_iter=500)
        filled = model.fit_transform(X)
        assert np.isfinite(filled).all()
        assert np.abs(filled[:, 3] - 2.0).max() < 1.0
    assert model.scale_[3] == 1.0


@pytest.mark.filterwarnings("ignore:n_components=2 is too small for alpha")
@pytest.mark.parametrize("factor", [1e200, 1e150, 1e-150, 1e-200])
@pytest.mark.parametrize("scale", [None, "columns"])
@pytest.mark.parametrize("penalty", ["count", "constant"])
def test_huge_and_tiny_units_do_not_overflow(penalty, scale, factor):
    X = ratings()
    rule = {"penalty": penalty, "scale": scale, "max_iter": 200}
    expected = completion(**rule).fit_transform(X)
    model = completion(**rule)
    assert_allclose(model.fit_transform(X * factor) / factor, expected, rtol=1e-8)
    std = model.predict_entries([0], [0], return_std=True)[1]
    reference = completion(**rule).fit(X).predict_entries([0], [0], return_std=True)[1]
    assert_allclose(std / factor, reference, rtol=1e-8)
    assert_allclose(model.score(X * factor) / factor, completion(**rule).fit(X).score(X), rtol=1e-7)


@pytest.mark.parametrize("factor", [1e30, 1e-30])
def test_units_at_the_ends_of_float32_do_not_overflow(factor):
    X = ratings().astype(np.float32)
    expected = completion().fit_transform(X)
    filled = completion().fit_transform(X * np.float32(factor))
    assert_allclose(filled / np.float32(factor), expected, rtol=2e-3)


def test_more_components_than_the_matrix_has_are_cut_down():
    model = completion(100).fit(ratings(12, 9, 60))
    assert model.n_components_ == 9
    assert model.components_.shape == (9, 9)


# Bad input: the message, and the estimator as it was


def _bad_sparse(values, rows, columns, form):
    places = np.asarray(rows), np.asarray(columns)
    coo = sp.coo_array((np.asarray(values, dtype=float), places), shape=(3, 4))
    if form == "coo":
        return coo
    order = np.argsort(rows if form == "csr" else columns, kind="stable")
    major, minor = places if form == "csr" else places[::-1]
    counts = np.bincount(major, minlength=3 if form == "csr" else 4)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    cls = {"csr": sp.csr_array, "csc": sp.csc_array}[form]
    return cls((coo.data[order], minor[order], bounds), shape=(3, 4))


INFINITE, NEGATIVE = ratings(), np.ones((40, 30))
INFINITE[np.nonzero(~np.isnan(INFINITE))[0][0], np.nonzero(~np.isnan(INFINITE))[1][0]] = np.inf
NEGATIVE[np.nonzero(~np.isnan(ratings()))[0][0], np.nonzero(~np.isnan(ratings()))[1][0]] = -0.5
BAD_DATA = {
    "inf": (INFINITE, {}, "infinity"),
    "inf-sparse": (stored(INFINITE), {}, "infinity"),
    "nothing": (np.full((40, 30), np.nan), {}, "X has no observed entries"),
    "nothing-sparse": (sp.csr_array((40, 30)), {}, "X has no observed entries"),
    "no-weight": (
        ratings(), {"entry_weight": np.zeros((40, 30))}, "X has no observed entries",
    ),
    "coo-twice": (
        _bad_sparse([1, 2, 3], [0, 0, 1], [2, 2, 1], "coo"), {},
        "X stores 1 entries at places that it stores already",
    ),
    "csr-twice": (_bad_sparse([1, 2, 3], [0, 0, 1], [2, 2, 1], "csr"), {}, "X stores 1 entries"),
    "csc-twice": (_bad_sparse([1, 2, 3], [0, 0, 1], [2, 2, 1], "csc"), {}, "X stores 1 entries"),
    "negative": (
        ratings(), {"entry_weight": NEGATIVE},
        r"entry_weight must be finite and non-negative .* from -0.5 to 1.0",
    ),
    "nan-weight": (
        ratings(), {"entry_weight": NEGATIVE * np.nan}, "entry_weight must be finite",
    ),
    "weight-shape": (
        ratings(), {"entry_weight": np.ones((40, 29))},
        r"entry_weight must be an array of the shape of X, \(40, 30\). Got ndarray of shape",
    ),
    "weight-dense": (
        stored(ratings()), {"entry_weight": np.ones((40, 30))}, "entry_weight must be sparse",
    ),
    "weight-sparse": (
        ratings(), {"entry_weight": stored(ratings())}, "entry_weight must be an array",
    ),
    "weight-pattern": (
        stored(ratings()), {"entry_weight": sp.csr_array(np.ones((40, 30)))},
        "entry_weight must store a value for each entry that X stores",
    ),
    "weight-twice": (
        sp.csr_array(np.eye(3, 4)),
        {"entry_weight": _bad_sparse([1, 2, 3], [0, 0, 1], [2, 2, 1], "coo")},
        "entry_weight stores 1 entries at places",
    ),
    "strings": (np.array([["a", "b"], ["c", "d"]], dtype=object), {}, "could not convert string"),
    "complex": (np.ones((3, 3)) * 1j, {}, "Complex data not supported"),
    "vector": (np.ones(4), {}, "Expected 2D array, got 1D array instead"),
    "cube": (np.ones((2, 2, 2)), {}, "Found array with dim 3"),
    "no-rows": (np.ones((0, 3)), {}, r"Found array with 0 sample\(s\)"),
    "no-columns": (np.ones((3, 0)), {}, r"Found array with 0 feature\(s\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_are_refused_and_change_nothing(case, capsys):
    X, arguments, message = BAD_DATA[case]
    good = ratings()
    model = completion(verbose=1).fit(good)
    before = model.transform(good)
    attributes = set(vars(model))
    capsys.readouterr()
    with pytest.raises(ValueError, match=message):
        model.fit(X, **arguments)
    assert capsys.readouterr().out == ""  # before any work is done
    assert set(vars(model)) == attributes
    if X.shape[1:] == good.shape[1:]:
        assert_array_equal(model.transform(good), before)
        assert_allclose(model.predict_entries([0], [1]), model.reconstruct()[:1, 1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"clip": (4, 1)}, r"clip must be a pair \(low, high\) with low < high. Got \(4, 1\)"),
        ({"clip": (1, 2, 3)}, "clip must be a pair"),
        ({"clip": ("a", "b")}, "clip must be a pair"),
        ({"clip": (np.nan, 1)}, "clip must be a pair"),
        ({"clip": (False, True)}, "clip must be a pair"),
        (
            {"init": (np.ones((3, 2)), np.ones((30, 2)))},
            r"init must hold factors of shapes \(40, 2\) and \(30, 2\). Got \(3, 2\) and \(30, 2\)",
        ),
        ({"init": (np.ones((40, 2)),)}, "init must hold factors of shapes"),
        ({"init": (np.full((40, 2), np.nan), np.ones((30, 2)))}, "init must hold finite factors"),
        ({"n_jobs": 0}, "n_jobs == 0"),
    ],
)
def test_bad_values_of_parameters_are_refused(parameters, message, capsys):
    with pytest.raises(ValueError, match=message):
        completion(verbose=1, **parameters).fit(ratings())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": -0.1},
        {"alpha": np.inf},
        {"alpha": "auto"},
        {"n_components": -1},
        {"n_components": 2.5},
        {"n_components": "best"},
        {"penalty": "l1"},
        {"bias": "user"},
        {"scale": "rows"},
        {"solver": "svd"},
        {"inner_tol": 0},
        {"inner_tol": 1.0},
        {"inner_max_iter": 0},
        {"max_iter": 0},
        {"tol": -1e-3},
        {"continuation": "yes"},
        {"init": "nndsvd"},
        {"warm_start": "yes"},
        {"clip": "seen"},
        {"validation_fraction": 1.0},
        {"n_iter_no_change": 0},
        {"output": "both"},
        {"score_fraction": 1.0},
        {"score_fraction": 0.0},
        {"dtype": "float16"},
        {"backend": "jax"},
    ],
    ids=str,
)
def test_unknown_values_of_parameters_are_refused(parameters):
    ((name, _),) = parameters.items()
    with pytest.raises(ValueError, match=rf"The '{name}' parameter of MatrixCompletion must be"):
        MatrixCompletion(**parameters).fit(ratings())


def test_indicator_of_sparse_data_is_refused(capsys):
    model = completion(add_indicator=True, verbose=1)
    with pytest.raises(ValueError, match="add_indicator=True needs X as a NumPy array"):
        model.fit(stored(ratings()))
    assert capsys.readouterr().out == ""


@pytest.mark.filterwarnings("ignore:overflow encountered", "ignore:invalid value encountered")
@pytest.mark.parametrize("solver", ["pcg", "cholesky"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_overflow_is_an_error_that_changes_nothing(backend, solver):
    X = ratings()
    model = completion(backend=backend, solver=solver).fit(X)
    before = model.reconstruct()
    for dtype, size in (("float32", 1e18), (None, 1e160)):
        model.set_params(dtype=dtype, init=(np.full((40, 2), size), np.full((30, 2), size)))
        with pytest.raises(FloatingPointError, match=r"Pass float64 data, .*a larger alpha"):
            model.fit(X)
        assert_array_equal(model.reconstruct(), before)


def test_unfinished_fit_is_warned_about():
    with pytest.warns(ConvergenceWarning, match="did not converge: after max_iter=2 iterations"):
        model = completion(max_iter=2).fit(ratings())
    assert not model.converged_
    assert model.n_iter_ == 2


METHODS = {
    "transform": lambda model, X: model.transform(X),
    "reconstruct": lambda model, X: model.reconstruct(X),
    "predict_entries": lambda model, X: model.predict_entries([0], [0], X),
    "top_k": lambda model, X: model.top_k(X=X),
    "score": lambda model, X: model.score(X),
    "update_rows": lambda model, X: model.update_rows(X, np.arange(len(X))),
    "partial_fit": lambda model, X: model.partial_fit(X),
}


@pytest.mark.parametrize("method", METHODS)
def test_rows_with_other_columns_are_refused(method):
    model = completion().fit(ratings())
    with pytest.raises(ValueError, match="X has 29 features, but MatrixCompletion is expecting 30"):
        METHODS[method](model, ratings()[:, :29])


@pytest.mark.parametrize("method", [*METHODS, "get_feature_names_out", "inverse_transform"])
def test_methods_ask_for_a_fit_first(method):
    if method == "partial_fit":
        pytest.skip("fits by itself")
    model = completion(output="factors")
    call = METHODS.get(method, lambda model, X: getattr(model, method)(X))
    with pytest.raises(NotFittedError, match="This MatrixCompletion instance is not fitted yet"):
        call(model, ratings())


# Score


@pytest.mark.parametrize("fraction", [0.3, 0.95])
def test_score_is_minus_the_error_on_hidden_entries(fraction):
    X = ratings(60, 30, 900)
    X[0], X[1] = np.nan, np.nan
    X[1, 3] = 4.0  # a single entry is not hidden
    model = completion(score_fraction=fraction).fit(X)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    entries = read_entries(get_backend("numpy", X), X)
    hidden = choose_hidden(entries, fraction, seed)
    mask = np.zeros(X.shape, dtype=bool)
    mask[entries.rows[hidden], entries.indices[hidden]] = True
    counts = np.sum(~np.isnan(X), axis=1)
    # Never all of a row.
    expected_count = np.where(counts > 1, np.minimum(np.ceil(fraction * counts), counts - 1), 0)
    assert_array_equal(mask.sum(axis=1), expected_count)
    fit = model.reconstruct(np.where(mask, np.nan, X))
    assert_allclose(model.score(X), -np.sqrt(np.mean((fit - X)[mask] ** 2)))
    assert model.score(X) == model.score(X)
    assert model.score(stored(X)) == model.score(X)


def test_hidden_entries_depend_on_the_seed_and_on_positions_alone():
    X = ratings()
    model = completion().fit(X)
    assert model.score(X) != model.set_params(random_state=1).score(X)
    errors = [model.set_params(random_state=seed).score(X) for seed in range(20)]
    assert np.std(errors) > 0
    assert len(set(errors)) > 15


def test_score_needs_something_to_hide():
    model = completion().fit(ratings())
    single = np.full((3, 30), np.nan)
    single[:, 0] = 1.0
    with pytest.raises(ValueError, match="score needs a row with at least two observed entries"):
        model.score(single)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_score_of_a_model_of_noise_is_honest():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 20))
    model = completion(15, alpha=0.001, max_iter=100).fit(X)
    seen_error = np.sqrt(np.mean((model.reconstruct() - X) ** 2))
    assert seen_error < 0.6
    # No model predicts noise; the score must not say so, not even of its training rows.
    assert model.score(X) < -0.95
    assert np.mean(cross_val_score(completion(15, alpha=0.001, max_iter=100), X)) < -1.0


def test_grid_search_over_rows_finds_penalty_and_rank():
    X = ratings(120, 40, 2500)
    search = GridSearchCV(
        completion(tol=1e-3, max_iter=200),
        {"alpha": [1e-3, 0.1, 10.0], "n_components": [0, 3]},
        cv=KFold(3, shuffle=True, random_state=0),
    ).fit(X)
    assert search.best_params_["alpha"] == 0.1
    assert np.all(search.cv_results_["mean_test_score"] < -0.7)  # noise has deviation 0.8
    assert search.best_estimator_.transform(X).shape == X.shape


def test_bounds_may_be_on_one_side():
    X = ratings()
    plain = completion().fit(X).transform(X)
    for low, high in ((3.0, np.inf), (-np.inf, 3.0)):
        found = completion(clip=(low, high)).fit(X).transform(X)
        holes = np.isnan(X)
        assert_allclose(found[holes], np.clip(plain[holes], low, high))
