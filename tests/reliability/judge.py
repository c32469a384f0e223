"""What an estimator may answer to an input: the right thing, or a clear error."""

import linecache
import re
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import sklearn

import skmatrix

_OURS = tuple(str(Path(package.__file__).parent) for package in (skmatrix, sklearn))
# What scikit-learn says of input that it cannot read.
_VALIDATION = str(Path(sklearn.__file__).parent / "utils")

# Words of the libraries below, which say nothing about the input.
_INTERNAL = re.compile(
    "broadcast|singular|out of bounds|out of range|cannot reshape|not aligned|core dimension"
    "|zero-size"
    "|did not converge|leading minor|NoneType|has no attribute|unsupported operand|subscriptable"
    "|division by zero|cannot convert|infs or NaNs|truth value|numba|tensor|at least one array"
    "|math domain|high <= 0|low >= high",
    re.IGNORECASE,
)

OUTPUTS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "score_samples",
)
# Logarithms of what may be zero.
_LOGARITHMS = ("predict_log_proba", "decision_function", "score_samples")


def outputs(estimator, X):
    """What each method returns for X, as arrays by name."""
    found = {}
    for name in OUTPUTS:
        if hasattr(estimator, name):
            found[name] = np.asarray(getattr(estimator, name)(X))
    return found


def same(one, other):
    """Whether two arrays have the same elements, NaN being equal to itself."""
    return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind in "fc")


def close(actual, expected, rtol=1e-9):
    """Whether two arrays agree up to rounding, at the scale of the largest element."""
    if expected.dtype.kind not in "fc":
        return same(actual, expected)
    rtol = max(rtol, 1e-4) if expected.dtype == np.float32 else rtol
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=0.0)
    return np.allclose(actual, expected, rtol=rtol, atol=rtol * scale, equal_nan=True)


def differences(actual, expected, agree=same):
    """Names of the methods whose outputs do not agree."""
    names = actual.keys() | expected.keys()
    shared = actual.keys() & expected.keys()
    return sorted(n for n in names if n not in shared or not agree(actual[n], expected[n]))


def complaint(error):
    """What is wrong with an error as an answer to the user, or None."""
    kind = type(error).__name__
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{kind} at {Path(frame.filename).name}:{frame.lineno}: {str(error)[:160]}"
    if not isinstance(error, (ValueError, TypeError)) or isinstance(error, np.linalg.LinAlgError):
        return f"not a ValueError or TypeError: {where}"
    if frame.filename.startswith(_VALIDATION):
        return None
    if not frame.filename.startswith(_OURS):
        return f"raised by another library: {where}"
    line = linecache.getline(frame.filename, frame.lineno).strip()
    if frame.filename.endswith(".py") and not line.startswith("raise"):
        return f"not raised on purpose: {where}"
    if _INTERNAL.search(str(error)):
        return f"words from inside: {where}"
    return None


def flaws_of(answers, n_rows, *, trained):
    """What is wrong with the outputs for some rows.

    Parameters
    ----------
    answers : dict
        Outputs by the name of the method.
    n_rows : int
        Number of rows they are for.
    trained : bool
        Whether these are the rows of the fit, of which no logarithm is infinite.
    """
    for name, answer in answers.items():
        if len(answer) != n_rows:
            yield f"{name} has {len(answer)} rows for {n_rows}"
        if answer.dtype.kind not in "fc":
            continue
        if np.isnan(answer).any():
            yield f"{name} is NaN"
        infinite = np.isinf(answer)
        if name in _LOGARITHMS and (not trained or name == "predict_log_proba"):
            infinite &= answer > 0
        if infinite.any():
            yield f"{name} is infinite"
        if name == "predict_proba" and not np.allclose(answer.sum(axis=1), 1.0, atol=1e-5):
            yield "predict_proba does not sum to one"


def attributes_not_finite(estimator):
    """Names of the fitted arrays that hold NaN or infinity."""
    for name, value in vars(estimator).items():
        number = isinstance(value, np.ndarray) and value.dtype.kind in "fc"
        if name.endswith("_") and number and not np.isfinite(value).all():
            yield f"{name} is not finite"


def state(estimator):
    """Attributes by name, each with what tells whether it was replaced or written to."""
    return {
        name: (id(value), joblib.hash(value) if isinstance(value, np.ndarray) else None)
        for name, value in vars(estimator).items()
        # What callbacks hang on an estimator belongs to them.
        if not name.startswith("_sk") and "callback" not in name
    }


def changes(before, estimator):
    """Names of the attributes that are not as before."""
    after = state(estimator)
    return sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))


@contextmanager
def listening(findings):
    """Note the warnings of numpy and of the interpreter: they speak of the code, not the data."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if issubclass(warning.category, (RuntimeWarning, DeprecationWarning)):
            place = f"{Path(warning.filename).name}:{warning.lineno}"
            findings.append(f"{warning.category.__name__} at {place}: {warning.message}")
