"""What SketchedRegression is given: bad values, forms of data, sizes of the sketch."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.linear_model import SketchedRegression
from tests.linear_model.reference import EXACT, fitted, solve

SOLVERS = ("direct", "iterative", "sketch", "lapack")
LARGEST = 20_000


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 4)) + 1
    return X, X @ [1, 2, 3, 4] + rng.standard_normal(3000)


def regression(solver, **parameters):
    size = 100 if solver == "sketch" else "auto"
    return SketchedRegression(
        solver=solver, **{"sketch_size": size, "random_state": 0, **parameters}
    )


def assert_refused(model, message, X, y, sample_weight=None, error=ValueError):
    """The fit fails with the message, and leaves the estimator as it was before it."""
    before = dict(vars(model))
    with pytest.raises(error, match=message):
        model.fit(X, y, sample_weight)
    assert vars(model).keys() == before.keys()
    for name, value in vars(model).items():
        assert value is before[name], name


def with_entry(a, value):
    changed = a.copy()
    changed[1500] = value
    return changed


def bad_data(X, y):
    """Name -> X, y, weight and the message."""
    ones = np.ones(3000)
    wide = sp.random_array(
        (3000, 600), density=0.01, format="csr", random_state=np.random.default_rng(0)
    )
    return {
        "nan": (with_entry(X, np.nan), y, None, "Input X contains NaN"),
        "inf": (with_entry(X, np.inf), y, None, "Input X contains infinity"),
        "nan in y": (X, with_entry(y, np.nan), None, "Input y contains NaN"),
        "inf in y": (X, with_entry(y, np.inf), None, "Input y contains infinity"),
        "sparse nan": (sp.csr_array(with_entry(X, np.nan)), y, None, "Input X contains NaN"),
        "no rows": (X[:0], y[:0], None, r"Found array with 0 sample\(s\)"),
        "no columns": (X[:, :0], y, None, r"Found array with 0 feature\(s\)"),
        "one dimension": (X[:, 0], y, None, "Expected 2D array, got 1D array instead"),
        "lengths": (X, y[:-1], None, "inconsistent numbers of samples"),
        "no y": (X, None, None, "requires y to be passed"),
        "complex": (X + 1j, y, None, "Complex data not supported"),
        "zero weights": (X, y, 0 * ones, "must contain at least one non-zero number"),
        "negative weight": (X, y, with_entry(ones, -1.0), "Negative values in data passed"),
        "nan weight": (X, y, with_entry(ones, np.nan), "Input sample_weight contains NaN"),
        "weights": (X, y, ones[:-1], r"sample_weight.shape == \(2999,\), expected \(3000,\)"),
        "2d weights": (X, y, ones[:, None], "Sample weights must be 1D"),
        "wide sparse": (wide, y, None, None),
    }


BAD = [name for name in bad_data(np.zeros((3000, 4)), np.zeros(3000)) if name != "wide sparse"]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", BAD)
def test_bad_data_are_refused_and_the_fit_before_is_kept(name, solver, data):
    X, y, weight, message = bad_data(*data)[name]
    assert_refused(regression(solver), message, X, y, weight)
    assert_refused(regression(solver).fit(*data), message, X, y, weight)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": -1.0}, "The 'alpha' parameter of SketchedRegression must be"),
        ({"alpha": np.nan}, "The 'alpha' parameter of SketchedRegression must be"),
        ({"alpha": "large"}, "The 'alpha' parameter of SketchedRegression must be"),
        ({"alpha": None}, "The 'alpha' parameter of SketchedRegression must be"),
        ({"alpha": [-1.0]}, r"alpha must be finite and not negative. Got \[-1.0\]"),
        ({"alpha": [np.inf]}, r"alpha must be finite and not negative. Got \[inf\]"),
        ({"alpha": [1.0, 2.0]}, r"one entry per target. Got shape \(2,\) for n_targets=1"),
        ({"alpha": [[1.0]]}, r"one entry per target. Got shape \(1, 1\) for n_targets=1"),
        ({"solver": "cholesky"}, "The 'solver' parameter of SketchedRegression must be"),
        ({"sketch": "dense"}, "The 'sketch' parameter of SketchedRegression must be"),
        ({"eps": 0}, "The 'eps' parameter of SketchedRegression must be"),
        ({"delta": 1.0}, "The 'delta' parameter of SketchedRegression must be"),
        ({"n_nonzero": 0}, "The 'n_nonzero' parameter of SketchedRegression must be"),
        ({"tol": -1e-3}, "The 'tol' parameter of SketchedRegression must be"),
        ({"max_iter": 0}, "The 'max_iter' parameter of SketchedRegression must be"),
        ({"refine": -1}, "The 'refine' parameter of SketchedRegression must be"),
        ({"rank_tol": 1.0}, "The 'rank_tol' parameter of SketchedRegression must be"),
        ({"backend": "jax"}, "The 'backend' parameter of SketchedRegression must be"),
        ({"sketch_size": 0}, "The 'sketch_size' parameter of SketchedRegression must be"),
        ({"sketch_size": 0.0}, "The 'sketch_size' parameter of SketchedRegression must be"),
        ({"sketch_size": np.inf}, "The 'sketch_size' parameter of SketchedRegression must be"),
        ({"sketch_size": "large"}, "The 'sketch_size' parameter of SketchedRegression must be"),
        ({"sketch_size": ()}, r'must be "auto", a number or \("suboptimality", rho\).*Got \(\)'),
        ({"sketch_size": ("suboptimality", 0)}, r"with rho > 0. Got \('suboptimality', 0\)"),
        ({"sketch_size": ("suboptimality", "x")}, r"with rho > 0. Got \('suboptimality', 'x'\)"),
        ({"sketch_size": ("excess", 0.1)}, r"with rho > 0. Got \('excess', 0.1\)"),
        ({"sketch_size": 5}, r"sketch_size=5 .* 5 rows, but sketch_size must exceed n_features=4"),
        ({"sketch_size": 1.25}, r"sketch_size=1.25 .* exceed n_features=4, and n_features \+ 1"),
        ({"sketch_size": 4, "fit_intercept": False}, "sketch_size must exceed n_features=4"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)  # fmt: skip
@pytest.mark.parametrize("solver", ["direct", "sketch"])
def test_bad_parameters_are_named(solver, parameters, message, data):
    model = regression(solver).fit(*data).set_params(**parameters)
    assert_refused(model, message, *data)


# How long the sketch is


def length(d, **parameters):
    """Rows of the sketch for d features and as many data as that takes."""
    X = np.random.default_rng(0).standard_normal((20_000, d))
    model = SketchedRegression(random_state=0, **{"solver": "sketch", **parameters})
    return model.fit(X, X[:, 0]).sketch_size_


def test_forms_of_the_size():
    assert length(4, sketch_size=77) == 77
    assert length(4, sketch_size=np.int64(6)) == 6
    assert length(4, sketch_size=5, fit_intercept=False) == 5
    assert length(4, sketch_size=10.0) == 40
    assert length(3, sketch_size=2.6) == 8
    # d / (m - d - 1) with the intercept counted.
    assert length(4, sketch_size=("suboptimality", 0.01)) == 5 + 1 + 500
    assert length(4, sketch_size=("suboptimality", 0.3), fit_intercept=False) == 4 + 1 + 14
    for solver, factor in (("direct", 4), ("iterative", 4)):
        assert length(30, solver=solver) == factor * 31
        assert length(4, solver=solver) == 5 + 64


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_automatic_size_follows_the_guarantee(fit_intercept):
    p = 5 + fit_intercept
    for eps, delta in ((0.5, 0.01), (0.25, 0.01), (0.5, 1e-4), (2.0, 0.5)):
        found = length(5, eps=eps, delta=delta, fit_intercept=fit_intercept)
        assert found == p + 1 + int(np.ceil(10 * np.log(10 / delta) / eps**2))
    sizes = [length(5, eps=eps) for eps in (0.2, 0.3, 0.5, 1.0)]
    assert sizes == sorted(sizes, reverse=True)
    sizes = [length(5, delta=delta) for delta in (1e-6, 1e-3, 0.1, 0.5)]
    assert sizes == sorted(sizes, reverse=True)
    # They are of no matter to the others.
    assert length(5, solver="direct", eps=0.01) == length(5, solver="direct")


def test_sketch_that_would_save_nothing_is_an_exact_answer_and_says_so(data):
    X, y = data
    message = r"A sketch of 3000 rows is not shorter than the 3000 rows of X: an exact solver"
    with pytest.warns(UserWarning, match=message):
        model = SketchedRegression(solver="sketch", sketch_size=3000).fit(X, y)
    assert model.solver_ == "lapack"
    assert_allclose(model.coef_, solve(X, y)[0], rtol=1e-11)
    assert model.coef_sketch_std_ is None
    model = SketchedRegression(solver="sketch", sketch_size=2999).fit(X, y)
    assert model.solver_ == "sketch"
    # With more rows the exact solver is one that sketches.
    X, y = np.tile(X, (3, 1)), np.tile(y, 3)
    with pytest.warns(UserWarning, match="an exact solver takes the place"):
        model = SketchedRegression(solver="sketch", sketch_size=("suboptimality", 5e-4)).fit(X, y)
    assert model.solver_ == "lapack"
    with pytest.warns(UserWarning, match="an exact solver takes the place"):
        assert SketchedRegression(solver="sketch", eps=0.01).fit(X, y).solver_ == "direct"


# Features that are too many


def test_hadamard_transform_of_many_sparse_columns_is_refused():
    rng = np.random.default_rng(0)
    S = sp.random_array((3000, 513), density=0.01, format="csr", random_state=rng)
    y = rng.standard_normal(3000)
    message = r'sketch="srht" makes rows dense, and X is sparse with 513 features, more than 512'
    model = SketchedRegression(solver="sketch", sketch="srht", sketch_size=600)
    assert_refused(model, message, S, y)
    assert model.fit(S[:, :512], y).sketch_ == "srht"
    assert model.fit(S.toarray(), y).sketch_ == "srht"
    assert model.set_params(sketch="auto").fit(S, y).sketch_ == "sparse_sign"


@pytest.mark.parametrize("solver", ["auto", "direct", "iterative", "sketch"])
def test_more_features_than_a_triangle_can_have_are_refused(solver):
    d = LARGEST + 1
    S = sp.csr_array((400_000, d))
    y = np.zeros(400_000)
    message = (
        rf"X has {d} features: .* takes {LARGEST} at most. Use sklearn.linear_model.Ridge"
        r'\(solver="lsqr"\)'
    )
    assert_refused(SketchedRegression(solver=solver, sketch_size=30_000), message, S, y)
    with pytest.raises(ValueError, match=message):
        SketchedRegression(solver=solver).partial_fit(S[:10], y[:10])


def test_sparse_rows_too_few_for_a_sketch_and_too_many_to_be_dense_are_refused():
    S = sp.csr_array((10_000, 15_000))
    message = (
        r"X is sparse with shape \(10000, 15000\): too few rows for a sketch of 120008, too many"
        r" to be made dense. Lower sketch_size"
    )
    assert_refused(SketchedRegression(), message, S, np.zeros(10_000))
    assert_refused(SketchedRegression(solver="lapack"), message, S, np.zeros(10_000))


def test_few_sparse_rows_may_have_any_number_of_features():
    rng = np.random.default_rng(0)
    S = sp.random_array((5, LARGEST + 1), density=1e-3, format="csr", random_state=rng)
    y = rng.standard_normal(5)
    model = SketchedRegression().fit(S, y)
    assert model.rank_ == 4
    assert_allclose(model.predict(S), y, rtol=1e-10)


# Forms of data


@pytest.mark.parametrize("way", [*EXACT, "sketch"])
def test_forms_of_an_array_are_all_the_same(way, data):
    X, y = data
    X = np.round(X * 8)
    size = {"sketch_size": 100} if way == "sketch" else {}

    def coef(X, y=y):
        return fitted(way, X, y, **size).coef_

    def padded(a):
        return np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3]

    expected = coef(X)
    assert not padded(X).flags.forc
    for form in (np.asfortranarray, padded, lambda a: a[::-1][::-1], lambda a: a.astype(np.int16)):
        assert_array_equal(coef(form(X)), expected)
    if way != "stream":
        assert_array_equal(coef(X.tolist(), y.tolist()), expected)
    assert_array_equal(coef(X, padded(y[:, None])), expected[None, :])
    assert coef(X > 8).dtype == np.float64


@pytest.mark.parametrize("way", [*EXACT, "sketch"])
@pytest.mark.parametrize("form", [np.array, np.asfortranarray, sp.csr_array])
def test_data_are_read_and_never_written_to(way, form, data):
    X, Y = form(data[0]), np.column_stack([data[1], 2 * data[1]])
    weight = np.full(3000, 2.0)
    kept = X.copy(), Y.copy(), weight.copy()
    arrays = (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,)
    for a in (*arrays, Y, weight):
        a.flags.writeable = False
    model = fitted(way, X, Y, weight, sketch_size=100, certify=True)
    model.predict(X), model.score(X, Y, weight), model.leverage_scores(X)
    if way not in ("stream",):
        model.certificate()
    for a, b in zip((X, Y, weight), kept, strict=True):
        assert (a != b).nnz == 0 if sp.issparse(a) else np.array_equal(a, b)


@pytest.mark.parametrize("way", ["direct", "iterative", "sketch", "lapack"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_only_memory_map_is_the_array(way, dtype, data, tmp_path):
    X, y = (a.astype(dtype) for a in data)
    np.save(tmp_path / "X.npy", X)
    lazy = np.load(tmp_path / "X.npy", mmap_mode="r")
    size = {"sketch_size": 100}
    model = fitted(way, lazy, y, **size)
    assert_array_equal(model.coef_, fitted(way, X, y, **size).coef_)
    assert_array_equal(model.predict(lazy), model.predict(X))


def test_target_of_one_column_keeps_its_dimension(data):
    X, y = data
    for way in EXACT:
        model = fitted(way, X, y[:, None])
        assert model.coef_.shape == (1, 4)
        assert model.intercept_.shape == model.residual_norm_.shape == (1,)
        assert model.predict(X).shape == (3000, 1)
        single = fitted(way, X, y)
        assert_array_equal(single.coef_, model.coef_[0])
        assert isinstance(single.intercept_, float)
        assert isinstance(single.residual_norm_, float)


def test_scalar_weight_and_weights_of_one(data):
    X, y = data
    plain = fitted("direct", X, y)
    for weight in (np.ones(3000), np.ones(3000, dtype=int), [1.0] * 3000, 1.0):
        assert_array_equal(fitted("direct", X, y, weight).coef_, plain.coef_)


def test_without_an_intercept_it_is_zero(data):
    X, y = data
    for way in EXACT:
        assert fitted(way, X, y, fit_intercept=False).intercept_ == 0
        Y = np.column_stack([y, y])
        assert_array_equal(fitted(way, X, Y, fit_intercept=False).intercept_, [0, 0])
