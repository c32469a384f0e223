"""Energy of a functional tensor, and its shares."""

import numpy as np

from .._backend import to_numpy


def components(estimator):
    """Strengths of components, and shares of the energy that vary along each mode.

    Means are over the grid of all distinct training coordinates, without the intercept.

    Parameters
    ----------
    estimator : FunBaT
        The fitted estimator.

    Returns
    -------
    found : dict
        ``decomposition``; ``total``, the root mean square of the tensor, in units of y;
        ``varying``, for each mode the share of its square that is about the mean over that mode;
        for "cp" ``strengths``, the root mean squares of the components, largest first, and
        ``components``, their positions; for "tucker" ``core``, the magnitudes of the orthogonalised
        core.
    """
    factors = [to_numpy(mean).astype(np.float64) for mean in estimator.factor_mean_]
    scale, kind = float(estimator.y_scale_), estimator.decomposition_
    grams = [mean.T @ mean / len(mean) for mean in factors]
    centred = [mean - mean.mean(axis=0) for mean in factors]
    centred = [mean.T @ mean / len(mean) for mean in centred]
    core = None if kind == "cp" else to_numpy(estimator.core_).astype(np.float64)
    energy = _energy(core, grams)
    varying = [_energy(core, [*grams[:k], own, *grams[k + 1 :]]) for k, own in enumerate(centred)]
    found = {
        "decomposition": kind,
        "total": scale * np.sqrt(max(energy, 0.0)),
        "varying": np.maximum(varying, 0.0) / (energy if energy > 0 else 1.0),
    }
    if core is None:
        strengths = scale * np.prod([np.sqrt(np.diag(gram)) for gram in grams], axis=0)
        order = np.argsort(-strengths, kind="stable")
        return found | {"strengths": strengths[order], "components": order}
    return found | {"core": scale * np.abs(_orthogonalised(core, factors))}


def _energy(core, grams):
    """Mean square of a tensor whose functions have these mean products; CP has no core."""
    if core is None:
        return float(np.sum(np.prod(grams, axis=0)))
    return float(np.sum(core * _multiplied(core, grams)))


def _multiplied(core, matrices):
    """Each mode of a tensor multiplied by a matrix from the left."""
    for mode, matrix in enumerate(matrices):
        core = np.moveaxis(np.tensordot(matrix, core, axes=(1, mode)), 0, mode)
    return core


def _orthogonalised(core, factors):
    """The core once functions are orthonormal in the mean and its slices orthogonal."""
    roots = [np.linalg.qr(mean / np.sqrt(len(mean)), mode="r") for mean in factors]
    core = _multiplied(core, roots)
    turns = []
    for mode, size in enumerate(core.shape):
        unfolded = np.moveaxis(core, mode, 0).reshape(size, -1)
        turns.append(np.linalg.svd(unfolded, full_matrices=False)[0].T)
    return _multiplied(core, turns)
