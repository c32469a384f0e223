"""SketchOperator as a linear map: what it multiplies, in what pieces, and what it refuses."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import hadamard
from scipy.sparse.linalg import LinearOperator, aslinearoperator, lsqr

from skmatrix import _backend
from skmatrix._backend import get_backend, to_numpy
from skmatrix.random_projection import SketchOperator, sparse_sign_matrix
from skmatrix.random_projection._hashing import srht_places
from skmatrix.random_projection._sketch import KINDS, Sketch

# Three blocks of "srht", the last of them not full, and of no size that divides anything.
N, M = 2500, 37
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 4))
every_kind = pytest.mark.parametrize("kind", KINDS)


def operator(kind, n_components=M, n_samples=N, **options):
    return SketchOperator(kind, n_components, n_samples, random_state=1, **options)


def close(actual, expected, rtol=1e-12):
    assert_allclose(actual, expected, rtol=0, atol=rtol * max(1.0, np.abs(expected).max(initial=0)))


class TestMatrix:
    """What the entries are."""

    @every_kind
    def test_shape_and_kind(self, kind):
        S = operator(kind)
        assert S.shape == S.toarray().shape == (M, N)
        assert S.dtype == S.toarray().dtype == np.float64
        assert S.kind == kind
        assert isinstance(S, LinearOperator)

    @pytest.mark.parametrize(("kind", "nnz"), [("sparse_sign", 8), ("countsketch", 1)])
    @pytest.mark.parametrize("m", [8, 37, 400])
    def test_sparse_columns(self, kind, nnz, m):
        S = operator(kind, m, 10_000).toarray()
        assert_array_equal(np.sum(S != 0, axis=0), nnz)
        assert_allclose(np.abs(S[S != 0]), 1 / np.sqrt(nnz), rtol=1e-15)
        assert_allclose(np.linalg.norm(S, axis=0), 1, rtol=1e-15)
        # One entry in each of the segments of the rows.
        bounds = np.arange(nnz + 1) * m // nnz
        for low, high in pairwise(bounds):
            assert_array_equal(np.sum(S[low:high] != 0, axis=0), 1)
        assert (S != 0).any(axis=1).all()

    def test_more_nonzeros_than_rows_are_cut(self):
        S = operator("sparse_sign", 5, 100).toarray()
        assert_allclose(np.abs(S), 1 / np.sqrt(5), rtol=1e-15)

    @pytest.mark.parametrize("n_nonzero", [1, 3, 8])
    def test_sparse_sign_matrix_is_the_same_stored(self, n_nonzero):
        stored = sparse_sign_matrix(M, N, n_nonzero=n_nonzero, random_state=1)
        assert stored.format == "csc"
        assert stored.has_canonical_format
        assert_array_equal(stored.toarray(), operator("sparse_sign", n_nonzero=n_nonzero).toarray())
        if n_nonzero == 1:
            assert_array_equal(stored.toarray(), operator("countsketch").toarray())
        assert sparse_sign_matrix(M, 0, n_nonzero=n_nonzero).shape == (M, 0)

    def test_srht_rows_are_signed_rows_of_hadamard_matrices(self):
        seed = operator("srht")._sketch.seed
        S = np.rint(operator("srht").toarray() * np.sqrt(M))
        close(S, operator("srht").toarray() * np.sqrt(M), 1e-14)
        assert_array_equal(np.abs(S), 1)
        H, block = hadamard(1024), 1024
        for begin in (0, 1024):
            part = np.empty((M, block))
            part[:, srht_places(seed, begin // block, block)] = S[:, begin : begin + block]
            # Products of rows of H are rows of H, and free of the signs of the columns.
            products = np.abs((part * part[0]) @ H) / block
            assert_array_equal(np.sort(products, axis=1)[:, -2:], np.tile([0, 1], (M, 1)))

    def test_gaussian_entries(self):
        S = operator("gaussian", 50, 4000).toarray() * np.sqrt(50)
        assert abs(S.mean()) < 5 / np.sqrt(S.size)
        assert abs(S.var() - 1) < 5 * np.sqrt(2 / S.size)
        assert abs(np.mean(S**4) - 3) < 5 * np.sqrt(96 / S.size)
        neighbours = np.mean(S[:, 1:] * S[:, :-1]), np.mean(S[1:] * S[:-1])
        assert np.abs(neighbours).max() < 5 / np.sqrt(S.size)
        assert len(np.unique(S)) == S.size

    def test_uniform_rows_are_scaled_unit_vectors(self):
        S = operator("uniform").toarray()
        assert_array_equal(np.sum(S != 0, axis=1), 1)
        assert_allclose(S[S != 0], np.sqrt(N / M))

    @pytest.mark.parametrize(
        ("m", "n_samples", "block"),
        [
            (1, 1, 1),
            (5, 2, 2),
            (5, 1000, 1024),
            (5, 10**6, 1024),
            (1025, 10**6, 2048),
            (4096, 10**6, 4096),
            (2000, 30, 32),
            (70_000, 10**6, 65536),
            (10**6, 10**12, 65536),
        ],
    )
    def test_block(self, m, n_samples, block):
        assert SketchOperator("srht", m, n_samples).block == block

    @pytest.mark.slow
    def test_sketch_longer_than_the_largest_block(self):
        S = SketchOperator("srht", 70_000, 140_000, random_state=0)
        x = RNG.standard_normal(140_000)
        columns = [0, 65535, 65536, 131_072, 139_999]
        entries = np.hstack([S._sketch.columns(c, c + 1) for c in columns])
        assert_allclose(np.abs(entries), 1 / np.sqrt(70_000))
        assert abs(np.linalg.norm(S @ x) / np.linalg.norm(x) - 1) < 5 / np.sqrt(2 * 70_000)
        unit = np.zeros((140_000, 5))
        unit[columns, range(5)] = 1
        close(S @ unit, entries)


@every_kind
class TestProducts:
    """Every way to multiply gives the product with ``toarray()``."""

    def test_dense(self, kind):
        S = operator(kind)
        sketch, expected = S @ X, S.toarray() @ X
        assert sketch.dtype == np.float64
        close(sketch, expected)
        close(S.dot(X), expected)
        close(S.matmat(X), expected)
        close(S @ X[:, 0], expected[:, 0])
        close(S.matvec(X[:, 0]), expected[:, 0])
        close(S @ X[:, 0].tolist(), expected[:, 0])
        close(S @ X.tolist(), expected)
        assert (S @ X[:, 0]).shape == (M,)
        assert (S @ X[:, :0]).shape == (M, 0)

    @pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, bool, np.float16, ">f8"])
    def test_other_dtypes_are_summed_in_double(self, kind, dtype):
        S = operator(kind)
        other = (3 * np.abs(X)).astype(dtype)
        sketch = S @ other
        assert sketch.dtype == np.float64
        close(sketch, S.toarray() @ other.astype(float))

    def test_memory_layouts(self, kind):
        S = operator(kind)
        read_only = X.copy()
        read_only.setflags(write=False)
        wide = RNG.standard_normal((N, 8))
        for other in (np.asfortranarray(X), wide[:, ::2], X[::-1], read_only):
            kept = other.copy()
            close(S @ other, S.toarray() @ kept)
            assert_array_equal(other, kept)

    @pytest.mark.parametrize("container", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
    def test_sparse(self, kind, container, dtype):
        S = operator(kind)
        dense = (10 * X * (RNG.uniform(size=X.shape) < 0.1)).astype(dtype)
        dense[100:1200] = 0
        other = container(dense)
        sketch = S @ other
        assert type(sketch) is np.ndarray
        assert sketch.dtype == np.float64
        close(sketch, S.toarray() @ dense.astype(float))
        close(S.dot(other), sketch)
        assert_array_equal(other.toarray(), dense)
        close(S @ container((N, 3)), np.zeros((M, 3)))

    def test_adjoint(self, kind):
        S = operator(kind)
        x, y = RNG.standard_normal(N), RNG.standard_normal(M)
        assert_allclose((S @ x) @ y, x @ (S.T @ y), rtol=1e-10)
        Y = RNG.standard_normal((M, 3))
        for product in (S.T @ Y, S.H @ Y, S.rmatmat(Y), (Y.T @ S).T):
            close(product, S.toarray().T @ Y)
        close(S.rmatvec(y), S.toarray().T @ y)
        close(X.T @ S.T, (S @ X).T)

    def test_compositions(self, kind):
        S = operator(kind)
        close((2 * S) @ X, 2 * (S @ X))
        A = aslinearoperator(X)
        close((S @ A) @ np.eye(4), S @ X)

    def test_lsqr_takes_it(self, kind):
        # A short problem, that many times longer sketch: S has full column rank, or nearly so.
        S = SketchOperator(kind, 200, 20, random_state=0)
        b = RNG.standard_normal(200)
        found = lsqr(S, b, atol=1e-14, btol=1e-14, conlim=0)[0]
        assert_allclose(found, np.linalg.lstsq(S.toarray(), b)[0], rtol=0, atol=1e-9)

    def test_every_engine_gives_the_same(self, kind, engine):
        sketch = Sketch(kind, M, 5, n_samples=N)
        be = get_backend(engine, X)
        applied = to_numpy(sketch.apply(be, be.load(X), 0))
        close(applied, sketch.columns(0, N) @ X, 1e-10)
        sparse = sp.csr_array(X * (X > 1))
        arrays = be.load(sparse.data, sparse.indices, sparse.indptr)
        weight = RNG.uniform(size=N)
        applied = sketch.apply_csr(be, arrays, be.load(weight), 4, 0)
        close(to_numpy(applied), sketch.columns(0, N) @ (weight[:, None] * sparse.toarray()), 1e-10)

    def test_libraries_and_devices(self, kind, xp_device, monkeypatch):
        xp, device = xp_device
        monkeypatch.setattr(_backend, "get_config", lambda: {"array_api_dispatch": True})
        S = operator(kind)
        for dtype in (xp.float64, xp.float32):
            moved = xp.asarray(X, dtype=dtype, device=device)
            sketch = S @ moved
            assert type(sketch) is type(moved)
            assert sketch.dtype == xp.float64
            close(to_numpy(sketch), S.toarray() @ to_numpy(moved).astype(float))


@every_kind
class TestChunks:
    """The sketch is a sum over chunks, however they are cut."""

    def aligned(self, S, cuts):
        step = S.block if S.kind == "srht" else 1
        return sorted({0, N, *(min(N, c // step * step) for c in cuts)})

    @settings(max_examples=15, deadline=None)
    @given(cuts=st.lists(st.integers(0, N), max_size=6))
    def test_any_cut(self, kind, cuts):
        S = operator(kind)
        bounds = self.aligned(S, cuts)
        chunks = list(pairwise(bounds))
        close(sum(S.apply_chunk(X[a:b], a) for a, b in chunks), S @ X)
        sparse = sp.csr_array(X * (X > 0.5))
        close(sum(S.apply_chunk(sparse[a:b], a) for a, b in chunks), S @ sparse)

    def test_each_chunk_is_its_columns(self, kind):
        S = operator(kind)
        whole = S.toarray()
        for a, b in [(0, 1024), (1024, 1500), (2048, N), (1024, 1024), (0, 1)]:
            close(S.apply_chunk(X[a:b], a), whole[:, a:b] @ X[a:b])
            close(S.apply_chunk(X[a:b], np.int32(a)), whole[:, a:b] @ X[a:b])
        for a, b in [(0, N), (3, 4), (255, 257), (1000, 2300), (7, 7)]:
            assert_array_equal(S._sketch.columns(a, b), whole[:, a:b])
        pieces = list(S._sketch.pieces(3, N))
        assert [3, *(last for _, last in pieces)] == [first for first, _ in pieces] + [N]

    def test_far_out(self, kind):
        start = 2**33
        S = SketchOperator(kind, M, 2**34, random_state=0)
        part = S.apply_chunk(X[:50], start)
        close(part, S._sketch.columns(start, start + 50) @ X[:50])
        # Not the columns that a 32-bit index would wrap around to.
        if kind != "uniform":
            assert np.abs(part - S.apply_chunk(X[:50], 0)).max() > 0.1
        offset = np.int32(2**31 - 1024)
        close(S.apply_chunk(X[:2000], offset), S.apply_chunk(X[:2000], int(offset)))

    def test_nan_stays_in_its_chunk(self, kind):
        S = operator(kind)
        bad = X.copy()
        bad[1024] = np.nan
        assert np.isfinite(S.apply_chunk(bad[:1024], 0)).all()
        assert np.isnan(S.apply_chunk(bad[1024:2048], 1024)).any() == (kind != "uniform")


def test_uniform_reads_the_rows_that_it_draws_and_no_others():
    S = operator("uniform")
    drawn = np.flatnonzero(S.toarray().any(axis=0))
    bad = np.full_like(X, np.nan)
    bad[drawn] = X[drawn]
    for a in range(0, N, 100):
        assert np.isfinite(S.apply_chunk(bad[a : a + 100], a)).all()
