"""Trials of a multichannel recording: what X may be, and what an embedding asks of it."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import validate_data

from .._backend import to_numpy
from .._iterate import warn_caller
from .._range import refuse_range


def read_trials(estimator, be, X, y="no_validation", *, reset):
    """Validated trials of shape (n_trials, n_channels, n_times), and y if it is given.

    Two dimensions are one channel, or `n_channels` channels one after the other in each row.

    Parameters
    ----------
    estimator : AugmentedCovariance or AugmentedCovarianceClassifier
        The estimator; it gets `n_channels_in_` and `n_times_in_` with `reset`.
    be : Backend
        Back end of X.
    X : array-like
        Data as passed by the user.
    y : array-like, default="no_validation"
        Labels of a fit, which must not be None.
    reset : bool
        Whether this is a fit.

    Returns
    -------
    X : array of shape (n_trials, n_channels, n_times)
        Trials, at the home of X.
    y : array of shape (n_trials,)
        Labels; only if they are given.
    is_table : bool
        Whether X had two dimensions.
    """
    options = {"reset": reset, "dtype": be.float_dtypes, "allow_nd": True}
    options["ensure_all_finite"] = False
    labelled = not isinstance(y, str)
    read = validate_data(estimator, X, y, **options)
    X, *labels = read if labelled else (read,)
    check_finite(to_numpy(X))
    name = type(estimator).__name__
    if X.ndim > 3:
        raise ValueError(
            f"X must have the shape (n_trials, n_channels, n_times). {name} got {tuple(X.shape)}."
        )
    given, is_table = estimator.n_channels, X.ndim == 2
    if is_table:
        X = be.home.reshape(X, (X.shape[0], *_cut(X.shape[1], given or 1)))
    elif given is not None and X.shape[1] != given:
        raise ValueError(f"n_channels={given}, but X has {X.shape[1]} channels.")
    if not X.shape[1]:
        raise ValueError(f"X has no channels. Got the shape {tuple(X.shape)}.")
    if X.shape[2] < 2:
        raise ValueError(
            f"{name} needs at least 2 times per trial. Got {X.shape[2]} feature(s) per channel"
            " while a minimum of 2 is required."
        )
    if reset:
        estimator.n_channels_in_, estimator.n_times_in_ = map(int, X.shape[1:])
    elif X.shape[1] != estimator.n_channels_in_:
        raise ValueError(
            f"X has {X.shape[1]} channels, but {name} was fitted on {estimator.n_channels_in_}."
        )
    return X, *labels, is_table


def check_finite(data):
    """Refuse trials with NaN or infinity, and name the first of them."""
    finite = np.isfinite(data).all(axis=tuple(range(1, data.ndim)))
    if not finite.all():
        first = int(np.argmin(finite))
        what = "NaN" if np.isnan(data[first]).any() else "infinity"
        raise ValueError(f"Input X contains {what}, in trial {first}; impute or drop the trial.")


def check_grid(name, values):
    """The numbers that "grid" stands for."""
    grid = np.asarray(values)
    if grid.ndim != 1 or not grid.size or grid.dtype.kind not in "iu" or np.any(grid < 1):
        raise ValueError(f"{name} must be whole numbers of at least 1. Got {values!r}.")
    return grid.tolist()


def _cut(width, n_channels):
    """Shape of a row of 2-D data as a trial."""
    if width % n_channels:
        raise ValueError(
            f"n_channels={n_channels} must divide the number of columns of X, which is {width}."
        )
    return n_channels, width // n_channels


def check_order_and_lag(order, lag):
    """Refuse orders and lags that are neither whole numbers, rules, nor ascending delays.

    Returns
    -------
    order : int or str
        The order; that of the delays, if these are given.
    lag : int, str or tuple of int
        The lag; the delays with the leading 0, if these are given.
    """
    if isinstance(lag, (str, Integral)):
        return (order if isinstance(order, str) else int(order)), (
            lag if isinstance(lag, str) else int(lag)
        )
    steps = np.asarray(lag)
    if steps.ndim != 1 or not steps.size or steps.dtype.kind not in "iu":
        raise ValueError(f"lag must be a whole number, a rule or delays in samples. Got {lag!r}.")
    delays = (0, *steps.tolist())
    if np.any(np.diff(delays) <= 0):
        raise ValueError(f"Delays passed as lag must ascend from 1 or more. Got {lag!r}.")
    if order not in ("auto", len(delays)):
        raise ValueError(
            f"order={order!r} does not go with the {steps.size} delays of lag={lag!r}: it must be"
            f" {len(delays)} or 'auto'."
        )
    return len(delays), delays


def delays_of(order, lag):
    """Delays of an order and a lag, or of delays passed as the lag."""
    return lag if isinstance(lag, tuple) else range(0, order * lag, lag)


def check_length(delays, n_times, order, lag):
    """Refuse delays that leave fewer than two samples of a trial."""
    if n_times - delays[-1] < 2:
        given = f"order={order}, lag={lag} need"
        if isinstance(lag, tuple):
            given = f"lag={list(lag[1:])} needs"
        raise ValueError(
            f"{given} at least {delays[-1] + 2} samples per trial, X has {n_times}; lower"
            " order or lag."
        )


def check_flat(X, level, *, warn=True, name="X"):
    """Tell of trials with channels that do not vary, and refuse those where none does.

    Parameters
    ----------
    X : array of shape (n_trials, n_channels, n_times)
        Trials.
    level : float or None
        Variance that stands in for that of a flat trial, None if there must be none.
    warn : bool, default=True
        Whether to tell of flat channels.
    name : str, default="X"
        What the trials are counted in.

    Returns
    -------
    floor : ndarray of shape (n_trials,)
        The level for flat trials, 0 for others.
    """
    data = to_numpy(X)
    n_flat = np.sum(data.max(axis=2) == data.min(axis=2), axis=1)
    flat = n_flat == X.shape[1]
    if flat.any() and level is None:
        raise ValueError(
            f"Trial {int(np.argmax(flat))} of {name} is flat: no channel varies. Leave it out."
        )
    if warn and n_flat.any():
        warn_caller(
            f"{int(np.sum(n_flat > 0))} of {flat.size} trials have channels that do not vary: reg"
            " fills their rows. Leave such channels or trials out.",
            UserWarning,
        )
    return np.where(flat, level, 0.0) if flat.any() else np.zeros(flat.size)


def check_range(variances, dtype):
    """Refuse trials whose largest variance is too large or too small for a dtype.

    Parameters
    ----------
    variances : ndarray of shape (n_trials, D)
        Diagonals of the covariances, in double precision.
    dtype : dtype
        Type of the result, of any array library.
    """
    for trial, largest in enumerate(variances.max(axis=1).tolist()):
        refuse_range(largest, f"The variance of trial {trial} of X", dtype)


def check_spread(X):
    """Refuse trials whose variances, up to the number of times, leave the range of their dtype."""
    data = to_numpy(X)
    spread = data.max(axis=2).astype(np.float64) - data.min(axis=2)
    with np.errstate(over="ignore"):
        check_range((spread / 2.0) ** 2, X.dtype)


def mean_level(X):
    """Mean variance of a sample of the trials that vary.

    Raises
    ------
    ValueError
        If none does.
    """
    variance = to_numpy(X).astype(np.float64).var(axis=2).mean(axis=1)
    if not np.any(variance > 0):
        raise ValueError("All trials of X are flat: no channel varies.")
    return float(variance[variance > 0].mean())
