"""Rows that come in batches: what is kept of them, the same for any way of cutting them."""

import numpy as np

from .._backend import to_numpy
from ._sketched_regression_rows import block_size
from ._sketched_regression_solvers import refuse_overflow
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
        self.size, self.width = size, width
        self.buffer = np.empty((0, width))
        self.filled = 0

    def add(self, rows):
        """Take rows in; yields the blocks that they complete."""
        if not self.buffer.size:
            self.buffer = np.empty((self.size, self.width))
        taken = 0
        while taken < rows.n_rows:
            n = min(self.size - self.filled, rows.n_rows - taken)
            place = self.buffer[self.filled : self.filled + n]
            M = to_numpy(rows.assemble(taken, taken + n, place))
            if not np.may_share_memory(M, place):
                place[...] = M
            self.filled, taken = self.filled + n, taken + n
            if self.filled == self.size:
                self.filled = 0
                yield self.buffer

    @property
    def rest(self):
        """The rows of the block that is not complete."""
        return self.buffer[: self.filled]

    def saved(self, n_rows):
        """What puts the rows back that are here now, once others have been added."""
        overwritten = self.filled + n_rows >= self.size
        return self.filled, self.rest.copy() if overwritten else None

    def restore(self, saved):
        """Put the rows back."""
        self.filled, rest = saved
        if rest is not None:
            self.buffer[: self.filled] = rest

    def __getstate__(self):
        """Without the unused part of the buffer."""
        return {"size": self.size, "width": self.width, "rest": self.rest.copy()}

    def __setstate__(self, state):
        self.__init__(state["size"], state["width"])  # type: ignore[misc]
        rest = state["rest"]
        if rest.size:
            self.buffer = np.empty((self.size, self.width))
            self.filled = rest.shape[0]
            self.buffer[: self.filled] = rest


class _Stream:
    """A stream that a batch leaves as it was, if it fails."""

    blocks: _Blocks
    # Attributes that are replaced and never written to.
    _replaced: tuple[str, ...] = ()

    def add(self, be, rows):
        """Take rows in, all of them or none.

        Raises
        ------
        ValueError
            If sums overflow.
        """
        rest = self.blocks.saved(rows.n_rows)
        before = {name: getattr(self, name) for name in self._replaced}
        try:
            self._add(be, rows)
            refuse_overflow(self.blocks.rest)
        except BaseException:
            self.blocks.restore(rest)
            vars(self).update(before)
            raise

    def _add(self, be, rows):
        """Take rows in."""
        raise NotImplementedError


class TriangleStream(_Stream):
    """The triangle of all rows so far: exact, whatever their number and condition.

    Parameters
    ----------
    layout : Layout
        Columns of the rows.
    triangle : ndarray or None
        Triangle of the rows before the first.
    """

    exact = True
    _replaced = ("triangle",)

    def __init__(self, layout, triangle=None):
        self.n_parameters = layout.n_parameters
        size = max(_BLOCK, 1 << (2 * layout.n_parameters - 1).bit_length())
        self.blocks = _Blocks(size, layout.width)
        self.triangle = triangle

    def _add(self, be, rows):
        """Take rows in."""
        for block in self.blocks.add(rows):
            self.triangle = self._updated(block)
            refuse_overflow(self.triangle)

    def current(self, be):
        """Triangle of all rows."""
        rest = self.blocks.rest
        return self._updated(rest) if rest.shape[0] else self.triangle

    def _updated(self, block):
        """Triangle with the rows of a block."""
        if self.triangle is None:
            return triangularise(block, self.n_parameters)
        return update_triangle(self.triangle, block, self.n_parameters)


class SketchStream(_Stream):
    """The sketch of all rows so far: that of the rows in one piece, to the last bit if the first
    batch has the rows that tell the level of the columns.

    Parameters
    ----------
    layout : Layout
        Columns of the rows.
    matrix : Sketch
        The sketching matrix.
    """

    _replaced = ("total", "part", "n_sketched")

    def __init__(self, layout, matrix):
        self.n_parameters = layout.n_parameters
        self.matrix = matrix
        self.blocks = _Blocks(block_size(matrix), layout.width)
        self.n_sketched = 0
        self.total = self.part = None

    def _add(self, be, rows):
        """Take rows in."""
        for block in self.blocks.add(rows):
            self.part = _plus(self.part, self._sketch(be, block))
            refuse_overflow(self.part)
            self.n_sketched += block.shape[0]
            if self.n_sketched % max(_GROUP, block.shape[0]) == 0:
                self.total, self.part = _plus(self.total, self.part), None

    @property
    def exact(self):
        """Whether there are still all rows: no more than the sketch would have."""
        few = self.blocks.rest.shape[0] <= self.matrix.n_components
        return not self.n_sketched and few

    def current(self, be):
        """Sketch of all rows; their triangle as long as they are no more than it would have."""
        rest, part = self.blocks.rest, self.part
        if self.exact:
            return triangularise(rest, self.n_parameters)
        if rest.shape[0]:
            part = _plus(part, self._sketch(be, rest))
        return self.total if part is None else _plus(self.total, part)

    def _sketch(self, be, block):
        """Contribution of a block."""
        return self.matrix.apply(be, block, self.n_sketched)


def _plus(total, part):
    """Sum, where there may be no total yet."""
    return part if total is None else total + part
