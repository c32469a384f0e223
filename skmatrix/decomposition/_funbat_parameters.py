"""Parameters of functional tensor regression, checked against the number of modes."""

from numbers import Integral, Real

import numpy as np

from .._sklearn import Interval
from ._funbat_prior import N_BLOCKS, Prior
from ._funbat_state import Layout

_RANK = Interval(Integral, 1, None, closed="left")
_POSITIVE = Interval(Real, 0, np.inf, closed="neither")
_SHARE = Interval(Real, 0, 1, closed="left")
# Lengths whose fourth powers, of which covariances of derivatives are made, are numbers.
_SHORTEST, _LONGEST = 1e-60, 1e60


def chosen_layout(estimator, n_modes):
    """Ranks and kind of decomposition.

    Raises
    ------
    ValueError
        If ranks do not fit the modes, or the core would be too large.
    """
    ranks = _one_per_mode(estimator.rank, n_modes, "rank", _is_rank, "integers of at least 1")
    ranks = tuple(int(rank) for rank in ranks)
    size = float(np.prod([float(rank) for rank in ranks]))
    kind, limit = estimator.decomposition, estimator.max_core_size
    if kind == "auto":
        kind = "tucker" if size <= limit else "cp"
    if kind == "tucker" and size > limit:
        raise ValueError(
            f"rank={estimator.rank!r} on {n_modes} modes needs a core of {size:.0f} >"
            f" max_core_size={limit}; use decomposition='cp' or lower rank."
        )
    if kind == "cp" and len(set(ranks)) > 1:
        why = (
            ""
            if estimator.decomposition == "cp"
            else (f", and a core of {size:.0f} > max_core_size={limit} leaves no other")
        )
        raise ValueError(
            f"decomposition='cp' has one rank for all modes{why}. Got rank={estimator.rank!r}."
        )
    return Layout(ranks, kind == "cp")


def chosen_priors(estimator, n_modes):
    """Priors of the modes, bounds of the search or None, and the prior of the noise."""
    kernels = _one_per_mode(
        estimator.kernel, n_modes, "kernel", _is_kernel, f"among {sorted(N_BLOCKS)}"
    )
    lengths, variances = (
        _one_per_mode(getattr(estimator, name), n_modes, name, _is_positive, "positive numbers")
        for name in ("length_scale", "variance")
    )
    bounds = _pair(estimator.length_scale_bounds, "length_scale_bounds")
    if bounds[0] > bounds[1]:
        raise ValueError(
            "length_scale_bounds must be a lower and an upper bound. Got"
            f" {estimator.length_scale_bounds!r}."
        )
    used = {
        "length_scale": [x for x, kernel in zip(lengths, kernels, strict=True) if kernel != "iid"],
        "length_scale_bounds": bounds if estimator.optimize_length_scale else (),
    }
    for name, values in used.items():
        if not all(_SHORTEST <= value <= _LONGEST for value in values):
            raise ValueError(
                f"{name} must be between {_SHORTEST:g} and {_LONGEST:g}. Got"
                f" {getattr(estimator, name)!r}. Change the units of the coordinates."
            )
    if estimator.optimize_length_scale:
        # Without order there is no length to search for.
        lengths = [
            length if kernel == "iid" else float(np.clip(length, *bounds))
            for kernel, length in zip(kernels, lengths, strict=True)
        ]
    priors = [
        Prior(kernel, float(length), float(variance))
        for kernel, length, variance in zip(kernels, lengths, variances, strict=True)
    ]
    noise_prior = _pair(estimator.noise_prior, "noise_prior")
    return priors, bounds if estimator.optimize_length_scale else None, noise_prior


def scaled_modes(estimator, priors):
    """Whether the axis of each mode is scaled; labels need not be, and might become the same."""
    return [bool(estimator.normalize_index) and prior.kernel != "iid" for prior in priors]


def chosen_damping(estimator):
    """Shares of old messages to functions, core and noise."""
    value = estimator.damping
    shares = [value] * 3 if np.ndim(value) == 0 else list(value)
    if len(shares) != 3 or not all(map(_SHARE.is_satisfied_by, shares)):
        raise ValueError(
            "damping must be one number of at least 0 and less than 1, or three, for functions,"
            f" core and noise. Got {value!r}."
        )
    return tuple(float(share) for share in shares)


def _is_rank(value):
    """Whether a value is a number of functions."""
    return _RANK.is_satisfied_by(value)


def _is_kernel(value):
    """Whether a value names a prior."""
    return isinstance(value, str) and value in N_BLOCKS


def _is_positive(value):
    """Whether a value is a positive finite number."""
    return _POSITIVE.is_satisfied_by(value)


def _one_per_mode(value, n_modes, name, valid, what):
    """A parameter of each mode."""
    is_one = isinstance(value, str) or np.ndim(value) == 0
    values = [value] * n_modes if is_one else list(value)
    if len(values) != n_modes:
        raise ValueError(
            f"{name} must be one value, or one for each of the {n_modes} columns of X. Got"
            f" {value!r}."
        )
    if not all(valid(v) for v in values):
        raise ValueError(f"{name} must be {what}. Got {value!r}.")
    return values


def _pair(value, name):
    """Two positive numbers."""
    pair = tuple(value)
    valid = len(pair) == 2 and all(map(_is_positive, pair))
    if not valid:
        raise ValueError(f"{name} must be two positive numbers. Got {value!r}.")
    return float(pair[0]), float(pair[1])
