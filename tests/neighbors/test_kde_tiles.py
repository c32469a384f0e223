"""How queries meet the data: in tiles, some of which are skipped, and by any engine."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix._backend import get_backend
from skmatrix.neighbors import KDE, _kde_kernels
from skmatrix.neighbors import _kde_numba as tiles
from skmatrix.neighbors._kde_kernels import coordinate_moments, density_sums
from skmatrix.neighbors._kde_points import Points
from tests.neighbors import reference
from tests.neighbors.reference import COMPACT, KERNELS

every_kernel = pytest.mark.parametrize("kernel", KERNELS)
engines = pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])


def clusters(n=3000, d=2, seed=0):
    """Points in clusters that are far from each other, and queries in and between them."""
    rng = np.random.default_rng(seed)
    centers = 100 * rng.standard_normal((6, d))
    X = centers[np.arange(n) % 6] + rng.standard_normal((n, d))
    between = np.linspace(centers[0], centers[1], 9)
    queries = np.concatenate([X[:12] + 0.1, between, rng.uniform(-1e3, 1e3, (5, d))])
    return X, queries


def finite(values):
    return np.where(np.isneginf(values), -1e300, values)


@every_kernel
@pytest.mark.parametrize("d", [1, 2, 3, 16, 17])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
def test_what_is_skipped_adds_nothing(kernel, d, weighted):
    X, queries = clusters(1200, d)
    # Weights of any size decide what is negligible, and they do it for all points of a tile.
    weight = np.exp(np.random.default_rng(1).uniform(-60, 60, 1200)) if weighted else None
    kde = KDE(2.0, kernel=kernel).fit(X, sample_weight=weight)
    expected = reference.log_density(queries, X, 2.0, kernel, weight)
    assert np.isneginf(expected).any() == (kernel in COMPACT)
    assert_allclose(finite(kde.score_samples(queries)), finite(expected), rtol=1e-11, atol=1e-9)
    # So do all other sums.
    plain = KDE(2.0, kernel=kernel, backend="numpy").fit(X, sample_weight=weight)
    ours, theirs = kde.transform(queries), plain.transform(queries)
    assert_allclose(finite(ours), finite(theirs), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 16])
def test_sums_of_left_out_points_with_skips(d):
    X, _ = clusters(1100, d)
    weight = np.random.default_rng(1).uniform(0.1, 5, 1100)
    bandwidths = [0.3, 1.0, 3.0]
    path = {}
    for backend in ("numba", "numpy"):
        settings = {"backend": backend, "loo_max_queries": 100, "random_state": 0}
        kde = KDE(1.0, **settings).fit(X, sample_weight=weight)
        path[backend] = kde.bandwidth_path(bandwidths)[1]
        path[backend + " halved"] = kde.bandwidth_path()[1]
        path[backend + " features"] = (
            KDE("loo_per_feature", **settings).fit(X, sample_weight=weight).bandwidth_
        )
    for name in ("", " halved", " features"):
        assert_allclose(path["numba" + name], path["numpy" + name], rtol=1e-9)


def test_moments_with_skips_and_weights_of_any_size():
    X, queries = clusters()
    log_weight = np.random.default_rng(1).uniform(-60, 60, 3000)
    order = np.argsort(X[:, 0])  # makes tiles of clusters
    arrays = (queries, X[order], log_weight, np.empty(0, dtype=np.int64))
    numba, numpy = (get_backend(name, X) for name in ("numba", "numpy"))
    sums = density_sums(numpy, *arrays, profile="gaussian", df=0.0, moments=False)[0]
    ours, plain = (coordinate_moments(be, *arrays, sums) for be in (numba, numpy))
    assert_allclose(ours, plain, rtol=1e-9)
    assert np.all(plain.max(axis=1) > 1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bound_of_a_tile(dtype):
    """It is below the distances to the points, and not far below that to the box."""
    rng = np.random.default_rng(0)
    data = (5 + rng.uniform(-1, 1, (700, 3))).astype(dtype)
    queries = rng.uniform(-20, 20, (400, 3)).astype(dtype)
    tile, box = np.empty((3, tiles._TILE), dtype=dtype), np.zeros((2, 3), dtype=dtype)
    tiles._load(data, 100, 400, tile, box)
    assert_array_equal(tile[:, :400].T, data[100:500])
    squares = np.empty((1, tiles._TILE), dtype=dtype)
    for i in range(400):
        gap = tiles._gap(queries, i, box)
        tiles._squares(queries, i, 1, tile, 400, squares)
        assert gap <= squares[0, :400].min()
        nearest = np.clip(queries[i], 4, 6).astype(np.float64)
        assert gap >= 0.98 * np.sum((queries[i] - nearest) ** 2) - 1e-3


def test_far_tiles_are_skipped_and_near_ones_are_not():
    data = np.random.default_rng(0).standard_normal((512, 2))
    tile, box = np.empty((2, tiles._TILE)), np.zeros((2, 2))
    tiles._load(data, 0, 512, tile, box)
    queries = np.array([[50.0, 0], [40, 40], [0, 60], [-50, 0], [0, 0]])
    far = np.full(4, tiles._reach(tiles._GAUSSIAN, 0.0))
    assert not tiles._any_within(queries, 0, 4, box, far)
    # One of the four is enough.
    assert tiles._any_within(queries, 1, 4, box, far)
    for code in (tiles._GAUSSIAN, tiles._EXPONENTIAL, tiles._STUDENT):
        assert tiles._any_within(queries, 0, 4, box, np.full(4, tiles._reach(code, np.inf)))


def test_near_points_lie_together():
    """Without it, no tile would be far from anything."""
    X, _ = clusters(6000)
    be = get_backend("auto", X)
    points = Points.arranged(X, np.ones(6000), be=be, profile="gaussian", df=3.0, dtype="float64")
    extents = [np.ptp(points.Z[i : i + 512], axis=0).max() for i in range(0, 5632, 512)]
    assert np.median(extents) < 10
    assert np.ptp(X[:512], axis=0).min() > 100
    # A point is known by its place in the data.
    assert_array_equal(points.take(np.arange(6000))[0], X)
    assert_array_equal(points.find(X[::-1]), np.arange(6000)[::-1])
    assert_array_equal(points.find(X[:2] + 1e-9), [-1, -1])


@pytest.mark.parametrize("whiten", [0.0, 0.5])
@every_kernel
@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
def test_a_query_hangs_on_no_other(kernel, whiten):
    """In no bit, whatever the queries beside it and the blocks that they make."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 6)) * np.arange(1, 7)
    queries = np.concatenate([X[:50], 3 * rng.standard_normal((2050, 6))])
    kde = KDE(2.0, kernel=kernel, whiten=whiten).fit(X)
    together = kde.transform(queries)
    for chosen in (
        slice(0, 1),
        slice(7, 8),
        slice(3, 1500),
        slice(1027, 1040),
        slice(None, None, 7),
    ):
        assert_array_equal(kde.transform(queries[chosen]), together[chosen])


@every_kernel
@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
def test_threads_change_no_bit(kernel):
    rng = np.random.default_rng(0)
    X, queries = rng.standard_normal((1100, 3)), rng.standard_normal((2100, 3))
    alone, shared = (KDE(kernel=kernel, n_jobs=n, random_state=0).fit(X) for n in (1, 2))
    assert alone.bandwidth_ == shared.bandwidth_
    assert alone.loo_log_likelihood_ == shared.loo_log_likelihood_
    assert alone.h_g_ == shared.h_g_
    assert_array_equal(shared.transform(queries), alone.transform(queries))
    for ours, theirs in zip(alone.bandwidth_path(), shared.bandwidth_path(), strict=True):
        assert_array_equal(ours, theirs)


@engines
@every_kernel
@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
def test_engines_agree(kernel, backend):
    if backend == "torch":
        pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X, queries = rng.standard_normal((100, 4)), rng.standard_normal((30, 4))
    weight = rng.uniform(0.1, 3, 100)
    settings = {"kernel": kernel, "whiten": 0.5, "bandwidth": 1.5}
    ours = KDE(backend=backend, **settings).fit(X, sample_weight=weight)
    plain = KDE(**settings).fit(X, sample_weight=weight)
    assert_allclose(
        finite(ours.transform(queries)), finite(plain.transform(queries)), rtol=1e-10, atol=1e-10
    )
    grid = [0.5, 1.0, 3.0]
    assert_allclose(
        finite(ours.bandwidth_path(grid)[1]), finite(plain.bandwidth_path(grid)[1]), rtol=1e-10
    )


@engines
@pytest.mark.parametrize("bandwidth", ["loo", "loo_per_feature", "nn"])
def test_engines_find_the_same_bandwidth(bandwidth, backend):
    if backend == "torch":
        pytest.importorskip("torch")
    X = np.random.default_rng(0).standard_normal((100, 3))
    ours, plain = (KDE(bandwidth, backend=name).fit(X) for name in (backend, "auto"))
    assert_allclose(ours.bandwidth_, plain.bandwidth_, rtol=1e-10)
    assert_allclose(ours.bandwidth_path()[1], plain.bandwidth_path()[1], rtol=1e-10)


@every_kernel
def test_single_precision(kernel):
    rng = np.random.default_rng(0)
    X, queries = rng.standard_normal((3000, 5)), 0.5 * rng.standard_normal((200, 5))
    exact = KDE(2.0, kernel=kernel).fit(X)
    single = KDE(2.0, kernel=kernel).fit(X.astype(np.float32))
    for array in (single.X_fit_, single.weight_fit_, single.predict(queries.astype("f4"))):
        assert array.dtype == np.float32
    for method in ("score_samples", "transform", "score_samples_se"):
        found = getattr(single, method)(queries.astype(np.float32))
        assert found.dtype == np.float32
        assert_allclose(found, getattr(exact, method)(queries), rtol=2e-4, atol=2e-5)
    assert_allclose(
        single.score_samples(queries.astype("f4")), exact.score_samples(queries), atol=2e-5
    )
    # Either may be asked for, whatever the data.
    fast = KDE(2.0, kernel=kernel, precision="float32").fit(X).score_samples(queries)
    assert fast.dtype == np.float64
    error = np.abs(fast - exact.score_samples(queries)).max()
    assert 0 < error < 1e-5 or kernel == "tophat"
    data = X.astype(np.float32)
    wide = KDE(2.0, kernel=kernel, precision="float64").fit(data)
    double = KDE(2.0, kernel=kernel).fit(data.astype(np.float64))
    assert_allclose(wide.score_samples(queries), double.score_samples(queries), atol=1e-6)


@pytest.mark.parametrize("precision", ["auto", "float64"])
@pytest.mark.parametrize("whiten", [0.0, 0.5])
def test_a_point_in_single_precision_is_at_itself(precision, whiten):
    """Queries are rounded as the points of the fit are kept."""
    X = np.random.default_rng(0).standard_normal((500, 2)).astype(np.float32)
    kde = KDE(1e-12, precision=precision, whiten=whiten).fit(X)
    assert np.all(kde.score_samples(X) > 40)
    assert_array_equal(kde.query_diagnostics(X).nearest_distance, 0)


@pytest.mark.parametrize("method", ["transform", "score_samples_se", "score_samples"])
def test_queries_are_diagnosed_some_at_a_time(method):
    """What is kept of all of them is what was asked for."""
    rng = np.random.default_rng(0)
    kde, queries = KDE(0.05).fit(rng.standard_normal((50, 2))), rng.standard_normal((200_000, 2))
    getattr(kde, method)(queries[:100])  # compiles
    tracemalloc.start()
    found = getattr(kde, method)(queries)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < found.nbytes + 6e6
    # The blocks leave no trace.
    at = [0, 2**14 - 1, 2**14, 199_999]
    assert_array_equal(found[at], getattr(kde, method)(queries[at]))


@pytest.mark.parametrize("h", [1.0, 0.1, 0.01])
def test_single_precision_loses_digits_with_the_square_of_the_bandwidth(h):
    X = np.random.default_rng(0).standard_normal((2000, 5))
    queries = X[:200] + h * np.random.default_rng(1).standard_normal((200, 5))
    exact = KDE(h).fit(X).score_samples(queries)
    error = np.abs(KDE(h, precision="float32").fit(X).score_samples(queries) - exact).max()
    bound = np.finfo(np.float32).eps * np.sum(queries**2, axis=1).max() / h**2
    assert bound / 1e4 < error < bound


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_pairs_are_never_together_in_memory(backend, monkeypatch):
    monkeypatch.setattr(_kde_kernels, "_PAIRS", 2**16)
    n = 20_000 if backend == "numba" else 2000
    X = np.random.default_rng(0).standard_normal((n, 2))
    kde = KDE(0.01, backend=backend)
    kde.fit(X[:100]).transform(X[:100])  # compiles
    tracemalloc.start()
    kde.fit(X).transform(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A number for each of them would be 3200 megabytes, and 32.
    assert peak < 16e6


@pytest.mark.parametrize(("dtype", "copies"), [(np.float64, 2.7), (np.float32, 6)])
def test_a_fit_does_not_copy_what_it_keeps_whole(dtype, copies):
    """Rows are chosen from X, and compared with each other, only where it has to be."""
    X = np.random.default_rng(0).standard_normal((20_000, 50)).astype(dtype)
    KDE(0.5).fit(X[:700])  # compiles
    tracemalloc.start()
    KDE(0.5).fit(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < copies * X.nbytes
