"""Kernel densities of dask arrays: the local answer, whatever the chunks and the scheduler."""

import numpy as np
import pytest
from scipy.special import logsumexp

from skmatrix.neighbors import KDE, KDEClassifier, KDEOutlierDetector

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

pytestmark = [pytest.mark.dask, pytest.mark.xdist_group("dask")]

LOCAL = {"scheduler": "synchronous"}


def points(n=600, d=3, seed=0):
    """Points of unlike spread, with copies that lie in different blocks and one that is its own
    but for the sign of a zero.
    """
    X = np.random.default_rng(seed).standard_normal((n, d)) * np.linspace(0.5, 2, d)
    X[1, 0] = 0.0
    X[n // 2], X[n - 3], X[n - 1] = X[5], X[5], X[1]
    X[n - 1, 0] = -0.0
    return X


def assert_same(ours, local, X, atol=1e-10):
    """The same density, by NumPy and by dask queries."""
    Q = np.concatenate([X[:10] * 1.1, X[:3], X[:1] + 50])
    lazy = da.from_array(Q, chunks=(5, 2))
    np.testing.assert_allclose(ours.bandwidth_, local.bandwidth_, rtol=atol)
    assert ours.n_distinct_ == local.n_distinct_
    assert ours.n_samples_fit_ == pytest.approx(local.n_samples_fit_, rel=1e-12)
    assert ours.regime_ == local.regime_
    if local.h_g_ is not None:
        assert ours.h_g_ == pytest.approx(local.h_g_, rel=atol)
    for method in ("score_samples", "transform", "score_samples_se", "predict"):
        expected = getattr(local, method)(Q)
        eager, result = getattr(ours, method)(Q), getattr(ours, method)(lazy)
        assert isinstance(eager, np.ndarray)
        assert isinstance(result, da.Array)
        assert result.shape == expected.shape
        assert result.dtype == eager.dtype == expected.dtype
        for found in (eager, result.compute(), getattr(local, method)(lazy).compute()):
            np.testing.assert_allclose(found, expected, rtol=atol, atol=atol, err_msg=method)
    near = lazy[:13]
    assert ours.score(near) == pytest.approx(local.score(Q[:13]), rel=atol)
    assert local.mean_log_likelihood(near) == pytest.approx(ours.mean_log_likelihood(Q[:13]))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"bandwidth": 0.7},
        {"bandwidth": [0.3, 0.5, 0.7]},
        {"bandwidth": "loo_per_feature"},
        {"bandwidth": "nn", "whiten": 0.5},
        {"bandwidth": "silverman"},
        {"bandwidth": "kl_gaussian", "whiten": 1.0, "shrinkage": 0.1},
        {"kernel": "student", "df": 2.0},
        {"kernel": "exponential", "bandwidth": "nn"},
        {"loo_max_queries": 100},
    ],
    ids=str,
)
@pytest.mark.parametrize("chunks", [(600, 3), (70, 2)])
def test_fit_equals_local_fit(parameters, chunks):
    X = points()
    local = KDE(random_state=0, **parameters).fit(X)
    with dask.config.set(**LOCAL):
        ours = KDE(random_state=0, **parameters).fit(da.from_array(X, chunks=chunks))
        assert_same(ours, local, X)
        if not np.ndim(local.bandwidth_):
            for found, expected in zip(ours.bandwidth_path(), local.bandwidth_path(), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-9)
        np.testing.assert_allclose(
            ours.sample(4, random_state=1), local.sample(4, random_state=1), rtol=1e-8
        )
        assert isinstance(ours.X_fit_, da.Array)
        rows = np.sort(ours.X_fit_.compute(), axis=0)
        np.testing.assert_allclose(rows, np.sort(local.X_fit_, axis=0), atol=1e-8)


@pytest.mark.filterwarnings("ignore:.* queries are further than one bandwidth")
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("kernel", ["tophat", "epanechnikov"])
def test_compact_kernels_equal_local_fit(kernel):
    X = points()
    local = KDE(1.0, kernel=kernel).fit(X)
    with dask.config.set(**LOCAL):
        assert_same(KDE(1.0, kernel=kernel).fit(da.from_array(X, chunks=(70, 3))), local, X)


def test_likeliest_whitening_equals_that_of_the_local_fit():
    X = points(200)
    local = KDE(whiten="loo", random_state=0).fit(X)
    with dask.config.set(**LOCAL):
        ours = KDE(whiten="loo", random_state=0).fit(da.from_array(X, chunks=(70, 3)))
        # The search compares likelihoods that differ by little more than rounding.
        assert ours.whiten_ == pytest.approx(local.whiten_, abs=1e-6)
        np.testing.assert_allclose(ours.score_samples(X), local.score_samples(X), atol=1e-6)


@pytest.mark.parametrize("lazy_weight", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_weights_equal_local_fit(lazy_weight, whole):
    X, rng = points(), np.random.default_rng(1)
    weight = rng.integers(0, 3, X.shape[0]) * 1.0
    weight[70:140] = 0  # a block of which nothing is left
    if not whole:
        weight *= rng.uniform(size=weight.size)
    local = KDE("silverman", whiten=0.5).fit(X, sample_weight=weight)
    with dask.config.set(**LOCAL):
        given = da.from_array(weight, chunks=111) if lazy_weight else weight
        ours = KDE("silverman", whiten=0.5).fit(da.from_array(X, chunks=(70, 3)), None, given)
        assert_same(ours, local, X)


def test_points_that_are_left_out_do_not_hang_on_the_chunks():
    X = points(3000)  # more than the spacings are sampled at
    with dask.config.set(**LOCAL):
        fits = [
            KDE(loo_max_queries=300, random_state=0).fit(da.from_array(X, chunks=(size, 3)))
            for size in (3000, 800, 170)
        ]
    local = KDE(loo_max_queries=300, random_state=0).fit(X)
    for name in ("bandwidth_", "h_g_", "loo_log_likelihood_"):
        for ours in fits:
            assert getattr(ours, name) == pytest.approx(getattr(local, name), rel=1e-12)


def test_density_against_all_pairs():
    X = points(150)
    with dask.config.set(**LOCAL):
        ours = KDE(0.5).fit(da.from_array(X, chunks=(40, 3)))
        found = ours.score_samples(da.from_array(X[:20], chunks=(7, 3))).compute()
    squares = ((X[:20, None] - X[None]) ** 2).sum(axis=2)
    expected = logsumexp(-squares / 0.5, axis=1) - np.log(150) - 1.5 * np.log(2 * np.pi * 0.25)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_float32_is_kept():
    X = points().astype(np.float32)
    local = KDE().fit(X)
    with dask.config.set(**LOCAL):
        ours = KDE().fit(da.from_array(X, chunks=(200, 3)))
        assert ours.X_fit_.dtype == ours.X_fit_.compute().dtype == np.float32
        assert_same(ours, local, X, atol=3e-4)


def test_integers_are_numbers():
    X = np.random.default_rng(0).integers(0, 9, (80, 2))
    with dask.config.set(**LOCAL):
        ours = KDE(1.0).fit(da.from_array(X, chunks=(30, 2)))
        np.testing.assert_allclose(ours.score_samples(X), KDE(1.0).fit(X).score_samples(X))
        assert ours.score_samples(da.from_array(X, chunks=(30, 2))).dtype == np.float64


def test_unknown_and_empty_chunks_change_nothing():
    X = points()
    lazy = da.from_array(X, chunks=(150, 3))
    kept = np.repeat([True, False, True, True], 150)
    lost = lazy[da.from_array(kept, chunks=150)]
    assert np.isnan(lost.chunks[0]).all()
    with dask.config.set(**LOCAL):
        ours, local = KDE().fit(lost), KDE().fit(X[kept])
        assert ours.bandwidth_ == pytest.approx(local.bandwidth_, rel=1e-12)
        found = ours.score_samples(lost)
        np.testing.assert_allclose(found.compute(), local.score_samples(X[kept]), atol=1e-10)
        assert local.score(lost) == pytest.approx(local.score(X[kept]))


def test_data_frames_are_taken():
    pytest.importorskip("pyarrow")  # dask needs it for data frames
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    X = points()
    with dask.config.set(**LOCAL):
        frame = frames.from_pandas(pandas.DataFrame(X), npartitions=3)
        ours = KDE().fit(frame)
        np.testing.assert_allclose(
            ours.score_samples(frame).compute(), KDE().fit(X).score_samples(X), atol=1e-10
        )


def test_fit_reads_each_block_once():
    reads = []

    def read(block, block_info=None):
        reads.append(block_info[0]["chunk-location"])
        return block

    X = points()
    lazy = da.from_array(X, chunks=(200, 3)).map_blocks(read, meta=np.empty((0, 0)))
    with dask.config.set(**LOCAL):
        ours = KDE().fit(lazy)
        ours.score_samples(X)
        ours.bandwidth_path()
    assert sorted(reads) == [(0, 0), (1, 0), (2, 0)]


@pytest.fixture(scope="module")
def four_workers():
    """Client of four processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=4, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"kernel": "student", "whiten": 0.5}], ids=str)
def test_cluster_equals_local_fit(four_workers, parameters):
    X = points(1500, 4)
    weight = np.random.default_rng(2).integers(0, 4, X.shape[0]) * 1.0
    local = KDE(random_state=0, **parameters).fit(X, sample_weight=weight)
    lazy, lazy_weight = da.from_array(X, chunks=(400, 4)), da.from_array(weight, chunks=300)
    ours = KDE(random_state=0, **parameters).fit(lazy, sample_weight=lazy_weight)
    held = sum(1 for keys in four_workers.has_what().values() for _ in keys)
    assert held >= 4  # the blocks of points
    assert_same(ours, local, X)
    np.testing.assert_allclose(ours.bandwidth_path()[1], local.bandwidth_path()[1], rtol=1e-10)


@pytest.mark.slow
def test_fit_in_memory_scores_on_the_cluster(four_workers):
    X = points(1500, 4)
    local = KDE().fit(X)
    lazy = local.score_samples(da.from_array(X, chunks=(400, 4)))
    np.testing.assert_array_equal(lazy.compute(), local.score_samples(X))


def test_bad_values_are_an_error():
    X = points(100)
    bad = X.copy()
    bad[70, 1] = np.nan
    lazy, bad = da.from_array(X, chunks=(30, 3)), da.from_array(bad, chunks=(30, 3))
    with dask.config.set(**LOCAL):
        with pytest.raises(ValueError, match="contains NaN"):
            KDE().fit(bad)
        for fitted in (KDE().fit(X), KDE().fit(lazy)):
            queries = fitted.score_samples(bad)
            with pytest.raises(ValueError, match="contains NaN"):
                queries.compute()
        with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
            KDE().fit(lazy, sample_weight=np.full(100, -1.0))
        with pytest.raises(ValueError, match=r"0 sample.* of positive weight"):
            KDE().fit(lazy, sample_weight=np.zeros(100))
        with pytest.raises(ValueError, match="100 rows but a column passed with it has 99"):
            KDE().fit(lazy, sample_weight=np.ones(99))
        with pytest.raises(ValueError, match="bandwidth='loo' needs at least 2 distinct samples"):
            KDE().fit(da.ones((20, 2), chunks=(5, 2)))


def test_what_is_wrong_before_any_block_is_read():
    def read(block):
        raise AssertionError

    X = points(100)
    lazy = da.from_array(X, chunks=(30, 3)).map_blocks(read, meta=np.empty((0, 0)))
    fitted = KDE().fit(X)
    with dask.config.set(**LOCAL):
        with pytest.raises(ValueError, match="bandwidth must be positive"):
            KDE([1.0, -1.0, 1.0]).fit(lazy)
        with pytest.raises(ValueError, match="backend='torch' has no dask path"):
            KDE(backend="torch").fit(lazy)
        with pytest.raises(ValueError, match="X has 2 features, but KDE is expecting 3"):
            fitted.score_samples(lazy[:, :2])
        with pytest.raises(ValueError, match="X must have two dimensions"):
            KDE().fit(lazy[:, 0])
        for other in (dask.delayed(X), pytest.importorskip("dask.bag").from_sequence([1])):
            for method in (KDE().fit, fitted.score_samples):
                with pytest.raises(TypeError, match="X must be a dask array or data frame"):
                    method(other)
        for method in (
            fitted.query_diagnostics,
            fitted.thresholds,
            KDEOutlierDetector().fit,
            lambda X: KDEClassifier().fit(X, np.ones(100)),
        ):
            with pytest.raises(TypeError, match="no dask path"):
                method(lazy)


def test_failed_fit_leaves_the_estimator_as_it_was():
    X = points(100)
    fitted = KDE().fit(X)
    before = fitted.score_samples(X)
    with dask.config.set(**LOCAL), pytest.raises(ValueError, match="contains NaN"):
        fitted.fit(da.full((20, 3), np.nan, chunks=(5, 3)))
    np.testing.assert_array_equal(fitted.score_samples(X), before)


def test_fit_in_memory_after_a_dask_fit():
    X = points(100)
    with dask.config.set(**LOCAL):
        fitted = KDE().fit(da.from_array(X, chunks=(30, 3)))
    again = fitted.fit(X)
    assert isinstance(again.X_fit_, np.ndarray)
    np.testing.assert_array_equal(again.score_samples(X), KDE().fit(X).score_samples(X))
