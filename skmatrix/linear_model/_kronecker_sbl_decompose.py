"""Coefficients that are a Kronecker product of vectors: a regression for each, equation (14)."""

import math

import numpy as np

from .._backend import to_numpy
from .._iterate import warn_caller
from ._kronecker_sbl_kernels import absolute_squares, mode_products, outer, rank_one
from ._kronecker_sbl_outcome import Outcome
from ._kronecker_sbl_posterior import ProductPosterior, product_variance
from ._kronecker_sbl_state import Problem

# Multiple of the expected largest singular value of noise beyond which what a product leaves of
# the data is more than noise, and share of the data below which it does not matter.
_NOISE_MARGIN, _NEGLIGIBLE = 1.3, 1e-3


def split(problem, noise):
    """The problem of each factor, and its noise variance.

    Parameters
    ----------
    problem : Problem
        A problem with one snapshot, without an intercept.
    noise : float or None
        Known noise variance, None if it is to be estimated.

    Returns
    -------
    parts : list of Problem
        Regressions of the vectors of the best rank-one approximation, which have equal norms.
    noises : list of float or None
        Their noise variances.

    Warns
    -----
    UserWarning
        If the data are not a product and noise.
    """
    be, xp, K = problem.be, problem.be.xp, len(problem.factors)
    vectors = rank_one(be, problem.data[0, ...])
    _check_remainder(xp, problem.data[0, ...], vectors)
    norm = math.sqrt(float(xp.sum(absolute_squares(xp, vectors[-1]))))
    share = norm ** (1 / K)
    parts = []
    for mode, (factor, vector) in enumerate(zip(problem.factors, vectors, strict=True)):
        vector = vector * (share / norm if mode == K - 1 else share)
        norms = xp.sum(absolute_squares(xp, vector))[None]
        parts.append(Problem.of(be, [factor], vector[None, :], norms, vector.shape[0], 1))
    # The vectors of the other modes have unit norm where the noise is projected on them.
    return parts, [None if noise is None else noise * (share / norm) ** 2] * K


def _check_remainder(xp, data, vectors):
    """Warn if what the product leaves has a larger singular value than noise would have."""
    remainder = data - outer(xp, *vectors)
    total = float(xp.sum(absolute_squares(xp, remainder)))
    if total <= _NEGLIGIBLE * float(xp.sum(absolute_squares(xp, data))):
        return
    size = math.prod(data.shape)
    for mode, n in enumerate(data.shape):
        unfolded = to_numpy(xp.reshape(xp.moveaxis(remainder, mode, 0), (n, -1)))
        largest = float(np.linalg.norm(unfolded, 2))
        expected = math.sqrt(total / size) * (math.sqrt(n) + math.sqrt(size / n))
        if largest > _NOISE_MARGIN * expected:
            warn_caller(
                "The data do not look like a Kronecker product of vectors and noise: the best one"
                f" leaves {100 * total / (total + _power(xp, vectors)):.0f} % of them, with"
                " structure. Use another solver than 'decompose'.",
                UserWarning,
            )
            return


def _power(xp, vectors):
    """Squared norm of an outer product."""
    return math.prod(float(xp.sum(absolute_squares(xp, vector))) for vector in vectors)


def combine(problem, outcomes, noise):
    """Outcome for the product from those for its vectors.

    Parameters
    ----------
    problem : Problem
        The whole problem.
    outcomes : list of Outcome
        What was found for each vector.
    noise : float or None
        Known noise variance, None if it is to be estimated.

    Returns
    -------
    outcome : Outcome
        Means and variances of products of independent vectors. There is no evidence.
    """
    be = problem.be
    means = [outcome.mean[0] for outcome in outcomes]
    variances = [outcome.variance for outcome in outcomes]
    mean = outer(np, *means)
    if noise is None:
        fitted = mode_products(be, be.load(mean[None]), *problem.factors)
        missed = float(be.xp.sum(absolute_squares(be.xp, problem.data - fitted)))
        unseen = problem.norms - be.xp.sum(absolute_squares(be.xp, problem.data))
        noise = (missed + max(float(unseen[0]), 0.0)) / problem.n_rows
    gammas = [outcome.gammas[0] for outcome in outcomes]
    scales = [float(np.linalg.norm(gamma)) for gamma in gammas]
    gammas = [gamma / scale for gamma, scale in zip(gammas, scales, strict=True)]
    gammas[-1] = gammas[-1] * math.prod(scales)
    return Outcome(
        mean[None],
        product_variance(np, means, variances),
        gammas,
        math.nan,
        np.zeros(1),
        ProductPosterior(means, [outcome.posterior for outcome in outcomes], noise),
    )
