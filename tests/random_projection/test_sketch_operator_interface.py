"""SketchOperator and sparse_sign_matrix: seeds, pickles, memory, and messages."""

import copy
import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skmatrix._backend import get_backend
from skmatrix.random_projection import SketchOperator, sparse_sign_matrix
from skmatrix.random_projection._sketch import KINDS, Sketch

N, M = 2500, 37
X = np.random.default_rng(0).standard_normal((N, 4))
every_kind = pytest.mark.parametrize("kind", KINDS)

# The whole matrix, as an operator and as the columns that are stored, in one number.
DIGEST = """
import hashlib
from skmatrix.random_projection import SketchOperator, sparse_sign_matrix
from skmatrix.random_projection._sketch import KINDS
for kind in KINDS:
    S = SketchOperator(kind, 37, 2500, random_state=1).toarray()
    print(hashlib.sha256(S.tobytes()).hexdigest())
S = sparse_sign_matrix(37, 2500, random_state=1)
print(hashlib.sha256(S.indices.tobytes() + S.data.tobytes()).hexdigest())
"""


def test_another_process_draws_the_same_matrices(capsys):
    run = subprocess.run([sys.executable, "-c", DIGEST], check=True, capture_output=True, text=True)
    exec(DIGEST, {})
    here = capsys.readouterr().out.split()
    assert run.stdout.split() == here
    # "sparse_sign" is the same in both forms, but not in its bytes.
    assert len(set(here)) == len(KINDS) + 1


@every_kind
def test_seeds(kind):
    first, again, other = (
        SketchOperator(kind, M, N, random_state=seed).toarray() for seed in (0, 0, 1)
    )
    assert_array_equal(first, again)
    differing = (first != other).any(axis=0)
    assert differing.mean() > (0.02 if kind == "uniform" else 0.9)
    generator = np.random.RandomState(0)
    drawn = [SketchOperator(kind, M, N, random_state=generator).toarray() for _ in range(2)]
    assert_array_equal(drawn[0], first)
    assert (drawn[1] != first).any()
    fresh = [SketchOperator(kind, M, N).toarray() for _ in range(2)]
    assert (fresh[0] != fresh[1]).any()


@every_kind
def test_an_operator_is_the_same_at_every_use(kind):
    S = SketchOperator(kind, M, N)
    assert_array_equal(S.toarray(), S.toarray())
    assert_array_equal(S @ X, S @ X)


@every_kind
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda S: pickle.loads(pickle.dumps(S))]
)
def test_copies_and_pickles(kind, copied):
    S = SketchOperator(kind, M, N)
    other = copied(S)
    assert other.shape == S.shape
    assert other.kind == kind
    assert_array_equal(other.toarray(), S.toarray())
    assert_array_equal(other @ X, S @ X)
    assert len(pickle.dumps(S)) < 1000


def test_repr():
    assert repr(SketchOperator("srht", 37, 2500)) == ("<37x2500 SketchOperator with dtype=float64>")


def test_data_frames_and_series():
    pandas = pytest.importorskip("pandas")
    S = SketchOperator("srht", M, N, random_state=0)
    frame = pandas.DataFrame(X)
    assert_array_equal(S @ frame, S @ X)
    assert_array_equal(S @ frame[0], S @ X[:, 0])
    assert_array_equal(S.apply_chunk(frame[:1024]), S.apply_chunk(X[:1024]))


def peak(function):
    """Bytes that a call takes beyond what there was, at most."""
    function()
    tracemalloc.start()
    function()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


class TestMemory:
    """Neither S nor a dense copy of sparse X is ever whole."""

    @every_kind
    def test_product(self, kind):
        # All of S would be 240 megabytes or more, and 150 if only its entries other than zero.
        n, m = 100_000 if kind == "gaussian" else 400_000, 300
        sketch = Sketch(kind, m, 0, n_samples=n)
        x = np.ones((n, 2))
        be = get_backend("numpy", x)
        assert peak(lambda: sketch.apply(be, x, 0)) < 100e6

    @pytest.mark.parametrize("kind", ["srht", "sparse_sign", "uniform"])
    def test_sparse(self, kind):
        A = sp.random_array((40_000, 300), density=0.01, format="csr", random_state=0)
        S = SketchOperator(kind, 50, 40_000, random_state=0)
        # Dense, it would be 96 megabytes.
        assert peak(lambda: S @ A) < 20e6

    def test_transpose(self):
        S = SketchOperator("sparse_sign", 300, 200_000, random_state=0)
        z = np.ones(300)
        assert peak(lambda: S.T @ z) < 150e6


class TestMessages:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("kind", "hadamard"),
            ("n_components", 0),
            ("n_components", 2.5),
            ("n_samples", 0),
            ("n_nonzero", 0),
            ("random_state", "seed"),
        ],
    )
    def test_parameters(self, name, value):
        arguments = {"kind": "srht", "n_components": 5, "n_samples": 100, name: value}
        with pytest.raises(ValueError, match=f"The '{name}' parameter of SketchOperator"):
            SketchOperator(**arguments)

    @pytest.mark.parametrize(("n_rows", "offset"), [(101, 0), (50, 51), (1, 100), (5, -1)])
    @pytest.mark.parametrize("container", [np.ones, sp.csr_array])
    def test_chunk_beyond_the_samples(self, n_rows, offset, container):
        S = SketchOperator("gaussian", 5, 100)
        chunk = container((n_rows, 2))
        message = rf"X with {n_rows} rows at row_offset={offset} must lie within the n_samples=100"
        with pytest.raises(ValueError, match=message):
            S.apply_chunk(chunk, offset)

    @pytest.mark.parametrize("offset", [1, 64, 1000])
    def test_chunk_inside_of_a_block(self, offset):
        S = SketchOperator("srht", 5, 5000)
        with pytest.raises(
            ValueError, match=rf"row_offset={offset} must be a multiple of block=1024"
        ):
            S.apply_chunk(X[:10], offset)
        SketchOperator("sparse_sign", 5, 5000).apply_chunk(X[:10], offset)

    def test_offset_that_is_no_integer(self):
        with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
            SketchOperator("srht", 5, 5000).apply_chunk(X[:10], 1024.0)

    @every_kind
    @pytest.mark.parametrize("shape", [(N - 1,), (N + 1,), (N - 1, 2), (N + 1, 2), (N, 2, 2), ()])
    def test_shapes_that_do_not_fit(self, kind, shape):
        S = SketchOperator(kind, M, N)
        message = rf"S has shape \({M}, {N}\) and cannot be multiplied with an array of shape"
        with pytest.raises(ValueError, match=message):
            S @ np.ones(shape)

    def test_sparse_shape_that_does_not_fit(self):
        with pytest.raises(
            ValueError, match=r"cannot be multiplied with an array of shape \(3, 2\)"
        ):
            SketchOperator("srht", M, N) @ sp.csr_array((3, 2))

    @pytest.mark.parametrize("chunk", [np.ones(5), [1.0, 2.0], np.ones((2, 2, 2)), 3.0])
    def test_chunk_that_is_no_table(self, chunk):
        message = r"X must have two dimensions. Got shape \("
        with pytest.raises(ValueError, match=message):
            SketchOperator("srht", M, N).apply_chunk(chunk)

    @pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
    def test_complex(self, container):
        with pytest.raises(
            ValueError, match=r"X must be real\. Got dtype complex128: pass X\.real"
        ):
            SketchOperator("srht", M, N) @ container(X + 1j)

    def test_dask(self):
        dask_array = pytest.importorskip("dask.array")
        S = SketchOperator("srht", M, N)
        with pytest.raises(TypeError, match=r"X is a dask collection .* Pass X.compute\(\)"):
            S.apply_chunk(dask_array.ones((N, 2)))

    def test_sparse_sign_matrix(self):
        with pytest.raises(ValueError, match="n_nonzero=9 must be at most n_components=8"):
            sparse_sign_matrix(8, 10, n_nonzero=9)
        for name in ("n_components", "n_samples", "n_nonzero"):
            arguments = {"n_components": 8, "n_samples": 10, name: -1}
            with pytest.raises(ValueError, match=f"The '{name}' parameter of sparse_sign_matrix"):
                sparse_sign_matrix(**arguments)
