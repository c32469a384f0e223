"""Tests of the row blocks of dask collections."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.distributed import as_row_blocks, broadcast, is_dask, map_reduce, map_rows

da = pytest.importorskip("dask.array")
import dask  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.standard_normal((23, 4))
Y = RNG.standard_normal(23)
CHUNKS = [(23, 4), (5, 4), (5, 2), ((1, 20, 2), (3, 1))]
ON_CLUSTER = [pytest.mark.dask, pytest.mark.xdist_group("dask")]


@pytest.fixture(
    params=["synchronous", "threads", pytest.param("cluster", marks=ON_CLUSTER)],
)
def scheduler(request):
    """Each of dask's schedulers; on the cluster, its client is the active one."""
    if request.param == "cluster":
        yield request.getfixturevalue("dask_client")
    else:
        with dask.config.set(scheduler=request.param):
            yield None


# The functions live at the top of the module, where worker processes find them.
def normal_equations(X, y, weight, start, state):
    """Gram matrix, right-hand side and rows of a block, with a ridge on its first row."""
    scale = np.ones(X.shape[0]) if weight is None else weight
    X = X.toarray() if sp.issparse(X) else X
    ridge = state * np.eye(X.shape[1]) * (start == 0)
    return X.T @ (scale[:, None] * X) + ridge, X.T @ (scale * y), np.arange(start, start + len(y))


def add(left, right):
    """Sum of the first two parts, concatenation of the third."""
    return left[0] + right[0], left[1] + right[1], np.concatenate([left[2], right[2]])


def first_entry(X, start, state):
    """What identifies a block."""
    return f"{start}"


def nest(left, right):
    """The shape of the tree of merges."""
    return f"({left} {right})"


def shifted_sums(block, state=0.0):
    """Sum of each row."""
    return block.sum(axis=1) + state


def outer_products(block):
    """Outer product of each row with itself."""
    return block[:, :, None] * block[:, None, :]


def worker_of_block(X, start, state):
    """Process that worked on a block."""
    return {os.getpid()}


def test_is_dask_knows_collections():
    assert is_dask(da.ones(3))
    assert is_dask(dask.delayed(1))
    for other in (X, X.tolist(), sp.csr_array(X), None, "text"):
        assert not is_dask(other)


def test_is_dask_does_not_import_dask():
    code = (
        "import sys, numpy; from skmatrix.distributed import is_dask;"
        "assert not is_dask(numpy.ones(2)); assert 'dask' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_map_reduce_equals_one_block(scheduler, chunks):
    blocks, starts = as_row_blocks(da.from_array(X, chunks), Y, None)
    gram, target, rows = map_reduce(blocks, starts, normal_equations, add, state=0.5)
    expected = normal_equations(X, Y, None, 0, 0.5)
    assert_allclose(gram, expected[0], rtol=1e-12)
    assert_allclose(target, expected[1], rtol=1e-12)
    assert_array_equal(rows, np.arange(23))


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("column_chunk", [4, 2])
def test_blocks_may_be_sparse(scheduler, kind, column_chunk):
    dense = da.from_array(X * (X > 0), (5, column_chunk))
    sparse = dense.map_blocks(kind)
    blocks, starts = as_row_blocks(sparse, Y, None)
    assert starts == [0, 5, 10, 15, 20]
    first = blocks[0][0].compute()
    assert sp.issparse(first)
    assert first.format == "csr"
    assert first.shape == (5, 4)
    gram = map_reduce(blocks, starts, normal_equations, add, state=0.0)[0]
    assert_allclose(gram, (X * (X > 0)).T @ (X * (X > 0)), rtol=1e-12)


@pytest.mark.parametrize("scheduler", ["synchronous"], indirect=True)
@pytest.mark.parametrize(
    "y",
    [Y, Y.tolist(), da.from_array(Y, 4), da.from_array(Y, 23)],
    ids=["numpy", "list", "dask", "one block"],
)
def test_columns_are_cut_like_the_rows(scheduler, y):
    targets = da.from_array(np.stack([Y, 2 * Y], axis=1), (7, 1))
    blocks, starts = as_row_blocks(da.from_array(X, (5, 2)), y, None, targets)
    assert starts == [0, 5, 10, 15, 20]
    for block, start in zip(blocks, starts, strict=True):
        x, part, nothing, target = dask.compute(*block)
        rows = slice(start, start + 5)
        assert_array_equal(x, X[rows])
        assert_array_equal(part, Y[rows])
        assert_array_equal(target, np.stack([Y[rows], 2 * Y[rows]], axis=1))
        assert nothing is None


@pytest.mark.parametrize("wrap", [np.asarray, lambda y: da.from_array(y, 5)])
def test_columns_of_another_length_are_refused(wrap):
    with pytest.raises(ValueError, match=r"X has 23 rows but .* has 22"):
        as_row_blocks(da.from_array(X, (5, 4)), wrap(Y[1:]))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_unknown_chunk_sizes_are_counted(scheduler, kind):
    known = da.from_array(X, (5, 4))
    kept = known[known[:, 0] > 0]
    if kind is not np.asarray:
        kept = kept.map_blocks(kind)
    assert np.isnan(kept.shape[0])
    inside = X[:, 0] > 0
    blocks, starts = as_row_blocks(kept, Y[inside], None)
    gram, _, rows = map_reduce(blocks, starts, normal_equations, add, state=0.0)
    assert_allclose(gram, X[inside].T @ X[inside], rtol=1e-12)
    assert_array_equal(rows, np.arange(inside.sum()))
    # The user's own array still does not know them.
    assert np.isnan(kept.shape[0])


def test_data_frames_are_taken_as_arrays():
    class Frame:
        def to_dask_array(self, lengths):
            assert lengths
            return da.from_array(X, (5, 4))

    blocks, starts = as_row_blocks(Frame())
    assert len(blocks) == len(starts) == 5
    assert_allclose(map_rows(Frame(), shifted_sums).compute(), X.sum(axis=1))


@pytest.mark.parametrize(
    ("fanin", "tree"),
    [
        (2, "((((0 1) (2 3)) ((4 5) (6 7))) (8 9))"),
        (4, "(((((0 1) 2) 3) (((4 5) 6) 7)) (8 9))"),
        (100, "(((((((((0 1) 2) 3) 4) 5) 6) 7) 8) 9)"),
    ],
)
def test_merging_follows_a_fixed_tree(scheduler, fanin, tree):
    blocks, starts = as_row_blocks(da.from_array(np.arange(10.0)[:, None], (1, 1)))
    assert map_reduce(blocks, starts, first_entry, nest, fanin=fanin) == tree


def test_a_tree_needs_two_branches():
    with pytest.raises(ValueError, match="fanin=1 must be at least 2"):
        map_reduce([], [], first_entry, nest, fanin=1)


@pytest.mark.dask
@pytest.mark.xdist_group("dask")
def test_blocks_are_spread_and_the_bits_do_not_depend_on_the_scheduler(dask_client):
    big = da.from_array(RNG.standard_normal((4000, 30)), (250, 30))
    y = RNG.standard_normal(4000)
    blocks, starts = as_row_blocks(big, y, None)
    processes = map_reduce(
        *as_row_blocks(big), worker_of_block, lambda left, right: left | right, state=None
    )
    assert os.getpid() not in processes
    runs = [map_reduce(blocks, starts, normal_equations, add, state=0.0) for _ in range(3)]
    for other in runs[1:]:
        assert_array_equal(other[0], runs[0][0])


def test_broadcast_makes_one_node():
    state = np.ones(5)
    node = broadcast(state)
    assert broadcast(node) is node
    assert node.compute() is state
    blocks, starts = as_row_blocks(da.from_array(X, (5, 4)), Y, None)
    whole = map_reduce(blocks, starts, normal_equations, add, state=broadcast(0.5))
    assert_allclose(whole[0], X.T @ X + 0.5 * np.eye(4), rtol=1e-12)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_map_rows_is_lazy_and_equals_the_function(scheduler, chunks):
    lazy = map_rows(da.from_array(X, chunks), shifted_sums)
    assert is_dask(lazy)
    assert lazy.shape == (23,)
    assert_allclose(lazy.compute(), X.sum(axis=1))


def test_map_rows_hands_over_the_state(scheduler):
    lazy = map_rows(da.from_array(X, (5, 2)), shifted_sums, state=3.0)
    assert_allclose(lazy.compute(), X.sum(axis=1) + 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_map_rows_results_have_the_given_shape_and_dtype(scheduler, dtype):
    lazy = map_rows(da.from_array(X.astype(dtype), (5, 2)), outer_products, trailing=(4, 4))
    assert lazy.shape == (23, 4, 4)
    assert lazy.dtype == dtype
    result = lazy.compute()
    assert result.dtype == dtype
    assert_allclose(result, outer_products(X), rtol=1e-5)


def test_map_rows_takes_other_dimensions_and_dtypes():
    signals = RNG.standard_normal((6, 3, 5))
    lazy = map_rows(
        da.from_array(signals, (2, 1, 5)),
        lambda block: (block.sum(axis=(1, 2)) > 0).astype(np.int64),
        dtype=np.int64,
    )
    assert lazy.dtype == np.int64
    assert_array_equal(lazy.compute(), signals.sum(axis=(1, 2)) > 0)


def test_map_rows_does_not_call_the_function_on_empty_arrays():
    seen = []

    def watch(block):
        seen.append(block.shape)
        return block.sum(axis=1)

    with dask.config.set(scheduler="synchronous"):
        map_rows(da.from_array(X, (5, 4)), watch).compute()
    assert sorted(seen) == [(3, 4)] + [(5, 4)] * 4


def test_map_rows_takes_unknown_numbers_of_rows():
    known = da.from_array(X, (5, 4))
    lazy = map_rows(known[known[:, 0] > 0], shifted_sums)
    assert_allclose(lazy.compute(), X[X[:, 0] > 0].sum(axis=1))


def fatal_once(X, y, weight, start, state):
    """The normal equations of a block; the first process to meet the third block dies."""
    ridge, mark = state
    if start == 10 and not os.path.exists(mark):
        with open(mark, "w", encoding="utf-8"):
            pass
        os._exit(1)
    return normal_equations(X, y, weight, start, ridge)


@pytest.mark.dask
@pytest.mark.xdist_group("dask")
@pytest.mark.filterwarnings("ignore")  # what dask says about a lost worker differs by version
def test_a_killed_worker_does_not_change_a_bit(dask_client, tmp_path):
    blocks, starts = as_row_blocks(da.from_array(X, (5, 4)), Y, None)
    expected = map_reduce(blocks, starts, normal_equations, add, state=0.5)
    mark = tmp_path / "a worker died"
    result = map_reduce(blocks, starts, fatal_once, add, state=(0.5, str(mark)))
    assert mark.exists()
    for one, other in zip(result, expected, strict=True):
        assert_array_equal(one, other)
    dask_client.wait_for_workers(2)
