"""What a sketch keeps: the identity in expectation, and the geometry of a subspace."""

import numpy as np
import pytest
from array_api_compat import numpy as host
from numpy.testing import assert_allclose

from skmatrix.random_projection import _kernels as kernels
from skmatrix.random_projection._sketch import KINDS, Sketch

SEEDS = 2000


def gram_statistics(draw):
    """Mean and standard error of ``S^T S`` over the seeds."""
    grams = np.array([S.T @ S for S in map(draw, range(SEEDS))])
    return grams.mean(axis=0), grams.std(axis=0, ddof=1) / np.sqrt(SEEDS)


def assert_identity(mean, error):
    """Each entry within five standard errors, and all together as far as they should be."""
    deviation = np.abs(mean - np.eye(len(mean)))
    assert np.all(deviation <= 5 * error + 1e-12)
    upper = np.triu_indices(len(mean))
    varying = error[upper] > 1e-12
    squares = np.square(deviation[upper][varying] / error[upper][varying])
    n = len(squares)
    assert n >= len(mean)
    assert abs(squares.sum() - n) < 5 * np.sqrt(2 * n)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("m", [3, 8])
def test_expectation_is_the_identity(kind, m):
    draw = lambda seed: Sketch(kind, m, seed, 3, 11).columns(0, 11)  # noqa: E731
    assert_identity(*gram_statistics(draw))


@pytest.mark.parametrize("kind", ["srht", "gaussian", "sparse_sign"])
def test_expectation_is_the_identity_across_blocks(kind):
    draw = lambda seed: Sketch(kind, 4, seed, 2).columns(1019, 1029)  # noqa: E731
    assert_identity(*gram_statistics(draw))


def srht_of_blocks(block):
    """The matrix of the block transform for six rows, from its kernel."""
    options = {"start": 0, "n_components": 12, "block": block}
    return lambda seed: kernels.srht.reference(host, np.eye(6), seed=seed, **options)


# Blocks of two rows are independent only by their signs of the rows of S.
DRAWS = {
    **{f"srht {block}": srht_of_blocks(block) for block in (2, 8)},
    "srht edge": lambda seed: Sketch("srht", 12, seed).columns(1021, 1027),
    "gaussian": lambda seed: Sketch("gaussian", 12, seed).columns(253, 259),
    "sparse_sign": lambda seed: Sketch("sparse_sign", 12, seed, 4).columns(0, 6),
    "countsketch": lambda seed: Sketch("countsketch", 12, seed).columns(0, 6),
}


@pytest.mark.parametrize("name", DRAWS)
def test_variance_of_a_squared_norm(name):
    """It is ``2 / m`` for normal entries, and less by a term of the largest entries else."""
    x = np.array([3.0, -1, 2, 2, -2, 1])
    x /= np.linalg.norm(x)
    norms = [np.sum((DRAWS[name](seed) @ x) ** 2) for seed in range(3000)]
    expected = 2 / 12 * (1 - (np.sum(x**4) if name != "gaussian" else 0))
    assert abs(np.mean(norms) - 1) < 5 * np.sqrt(expected / len(norms))
    assert_allclose(np.var(norms), expected, rtol=0.15)


def subspace(form, n, k, seed):
    """Orthonormal basis of a random subspace."""
    A = np.random.default_rng(seed).standard_normal((n, k))
    if form == "heavy rows":
        A[:k] += 30 * np.sqrt(n) * np.eye(k)
    elif form == "periodic":
        # The same in each block, and constant within each.
        A = np.repeat(np.eye(k), -(-n // k), axis=0)[:n]
    return np.linalg.qr(A)[0]


def extremes(kind, form, *, n, k, m, n_nonzero=8, seeds=8):
    """Mean over the seeds of the least and the largest singular value of a sketched basis."""
    found = []
    for seed in range(seeds):
        Q = subspace(form, n, k, seed)
        values = np.linalg.svd(Sketch(kind, m, seed, n_nonzero, n).columns(0, n) @ Q)[1]
        found.append((values[-1], values[0]))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("form", ["incoherent", "heavy rows", "periodic"])
@pytest.mark.parametrize("kind", ["srht", "gaussian", "sparse_sign"])
@pytest.mark.parametrize(("k", "m"), [(40, 1000), (40, 250)])
def test_distortion_of_a_subspace(kind, form, k, m):
    """Near the edges of Marchenko and Pastur, ``1 +- sqrt(k / m)``."""
    edge = np.sqrt(k / m)
    least, largest = extremes(kind, form, n=2000, k=k, m=m)
    assert 0.75 * edge < 1 - least < 1.1 * edge
    assert 0.75 * edge < largest - 1 < 1.1 * edge


def test_distortion_falls_with_the_root_of_the_length():
    ends = [extremes("srht", "incoherent", n=2000, k=10, m=m)[1] - 1 for m in (64, 1024)]
    assert_allclose(ends[0] / ends[1], 4, rtol=0.2)


def test_countsketch_and_uniform_serve_where_no_row_is_heavy():
    for kind in ("countsketch", "uniform"):
        least, largest = extremes(kind, "incoherent", n=3000, k=10, m=1000)
        assert 0.8 < least < largest < 1.25


def test_countsketch_and_uniform_fail_where_rows_are_heavy():
    """Heavy rows that meet in one row of S, or are not drawn, are lost."""
    for kind in ("countsketch", "uniform"):
        least, _ = extremes(kind, "heavy rows", n=3000, k=60, m=200)
        assert least < 0.1
    assert extremes("sparse_sign", "heavy rows", n=3000, k=60, m=200)[0] > 0.3


@pytest.mark.parametrize("step", [1, 3, 16])
@pytest.mark.parametrize(("k", "m"), [(64, 256), (64, 1000), (33, 140)])
def test_srht_of_heavy_rows_that_are_neighbours_or_evenly_spaced(step, k, m):
    """Their columns of a Hadamard matrix repeat a few rows, of which a sample would miss some."""
    places = step * np.arange(k)
    sketches = [Sketch("srht", m, seed, n_samples=4096).columns(0, 1024) for seed in range(30)]
    least = [np.linalg.svd(S[:, places], compute_uv=False)[-1] for S in sketches]
    assert np.mean(least) > 1 - 1.05 * np.sqrt(k / m)
    assert np.min(least) > 1 - 1.35 * np.sqrt(k / m)
