"""Rows that come in batches: what is kept of them, the same for any way of cutting them."""

import numpy as np

from .._backend import to_numpy
from ._sketched_regression_rows import block_size
from ._sketched_regression_triangle import triangularise, update_triangle

# Least rows of a block that is added to a triangle.
_BLOCK = 2048
# Blocks of a group of a sketch, as in the sums over rows in memory.
_GROUP = 16384


class _Blocks:
    """Rows put together to blocks of one size, which begin at its multiples.

    Parameters
    ----------
    size : int
        Rows of a block.
    width : int
        Columns.
    """

    def __init__(self, size, width):
        self.buffer = np.empty((size, width))
        self.filled = 0

    def add(self, rows):
        """Take rows in; yields the blocks that they complete."""
        taken = 0
        while taken < rows.n_rows:
            n = min(self.buffer.shape[0] - self.filled, rows.n_rows - taken)
            place = self.buffer[self.filled : self.filled + n]
            M = to_numpy(rows.assemble(taken, taken + n, place))
            if not np.may_share_memory(M, place):
                place[...] = M
            self.filled, taken = self.filled + n, taken + n
            if self.filled == self.buffer.shape[0]:
                self.filled = 0
                yield self.buffer

    @property
    def rest(self):
        """The rows of the block that is not complete."""
        return self.buffer[: self.filled]

    def __getstate__(self):
        """Without the unused part of the buffer."""
        return {"size": self.buffer.shape[0], "rest": self.rest.copy()}

    def __setstate__(self, state):
        rest = state["rest"]
        self.buffer = np.empty((state["size"], rest.shape[1]))
        self.filled = rest.shape[0]
        self.buffer[: self.filled] = rest


class TriangleStream:
    """The triangle of all rows so far: exact, whatever their number and condition.

    Parameters
    ----------
    layout : Layout
        Columns of the rows.
    triangle : ndarray or None
        Triangle of the rows before the first.
    """

    exact = True

    def __init__(self, layout, triangle=None):
        size = max(_BLOCK, 1 << (2 * layout.width - 1).bit_length())
        self.blocks = _Blocks(size, layout.width)
        self.triangle = triangle

    def add(self, be, rows):
        """Take rows in."""
        for block in self.blocks.add(rows):
            self.triangle = self._updated(block)

    def current(self, be):
        """Triangle of all rows."""
        rest = self.blocks.rest
        return self._updated(rest) if rest.shape[0] else self.triangle

    def _updated(self, block):
        """Triangle with the rows of a block."""
        if self.triangle is None:
            return triangularise(block)
        return update_triangle(self.triangle, block)


class SketchStream:
    """The sketch of all rows so far, to the last bit that of the rows in one piece.

    Parameters
    ----------
    layout : Layout
        Columns of the rows.
    matrix : Sketch
        The sketching matrix.
    """

    def __init__(self, layout, matrix):
        self.matrix = matrix
        self.blocks = _Blocks(block_size(matrix), layout.width)
        self.n_sketched = 0
        self.total = self.part = None

    def add(self, be, rows):
        """Take rows in."""
        for block in self.blocks.add(rows):
            self.part = _plus(self.part, self._sketch(be, block))
            self.n_sketched += block.shape[0]
            if self.n_sketched % max(_GROUP, block.shape[0]) == 0:
                self.total, self.part = _plus(self.total, self.part), None

    @property
    def exact(self):
        """Whether there are still all rows: no more than the sketch would have."""
        few = self.blocks.rest.shape[0] <= self.matrix.n_components
        return not self.n_sketched and few

    def current(self, be):
        """Sketch of all rows; the rows themselves as long as they are no longer than it."""
        rest, part = self.blocks.rest, self.part
        if self.exact:
            return rest
        if rest.shape[0]:
            part = _plus(part, self._sketch(be, rest))
        return self.total if part is None else _plus(self.total, part)

    def _sketch(self, be, block):
        """Contribution of a block."""
        return self.matrix.apply(be, block, self.n_sketched)


def _plus(total, part):
    """Sum, where there may be no total yet."""
    return part if total is None else total + part
