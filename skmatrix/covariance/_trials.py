"""Trials of a multichannel recording: what X may be, and what an embedding asks of it."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import validate_data

from .._backend import to_numpy


def read_trials(estimator, be, X, *, reset, y=None):
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
    reset : bool
        Whether this is a fit.
    y : array-like, default=None
        Labels of a fit.

    Returns
    -------
    X : array of shape (n_trials, n_channels, n_times)
        Trials, at the home of X.
    y : array of shape (n_trials,)
        Labels; only if they are given.
    """
    options = {"reset": reset, "dtype": be.float_dtypes, "allow_nd": True}
    if y is None:
        X = validate_data(estimator, X, **options)
    else:
        X, y = validate_data(estimator, X, y, **options)
    name = type(estimator).__name__
    if X.ndim > 3:
        raise ValueError(
            f"X must have the shape (n_trials, n_channels, n_times). {name} got {tuple(X.shape)}."
        )
    given = estimator.n_channels
    if X.ndim == 2:
        X = be.home.reshape(X, (X.shape[0], *_cut(name, X.shape[1], given or 1)))
    elif given is not None and X.shape[1] != given:
        raise ValueError(f"n_channels={given}, but X has {X.shape[1]} channels.")
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
    return X if y is None else (X, y)


def _cut(name, width, n_channels):
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
    for name, value in (("order", order), ("lag", lag)):
        if isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} must be a whole number, not a bool. Got {value!r}.")
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
    return lag if isinstance(lag, tuple) else tuple(range(0, order * lag, lag))


def check_length(delays, n_times, order, lag):
    """Refuse delays that leave fewer than two samples of a trial."""
    if n_times - delays[-1] < 2:
        given = f"lag={list(lag[1:])}" if isinstance(lag, tuple) else f"order={order}, lag={lag}"
        raise ValueError(
            f"{given} need at least {delays[-1] + 2} samples per trial, X has {n_times}; lower"
            " order or lag."
        )


def flat_channels(X):
    """For each trial, how many of its channels do not vary."""
    data = to_numpy(X)
    return np.sum(data.max(axis=2) == data.min(axis=2), axis=1)
