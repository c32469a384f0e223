"""Numba twin of the states of quantum feature maps.

A few samples at a time, so few that they stay in the cache, are carried through the whole circuit:
element (b, j) of an array of a group is amplitude b of its j-th sample.
"""

import numpy as np
from numba import njit

from .._hadamard_numba import hadamard_rows

_JIT = {"cache": True, "nogil": True}

# Amplitudes of a group, and its samples at most.
_GROUP = 2**15
_SAMPLES = 8

# Kinds of steps.
_HADAMARD, _DIAGONAL, _ROTATION = 0, 1, 2


def encode(angles, *, program, reps, n_qubits):
    """States; the contract is that of the array-API kernel of this name."""
    steps, pairs, masks, columns = _tables(program, n_qubits)
    out = np.empty((angles.shape[0], 2 * 2**n_qubits), dtype=angles.dtype)
    group = max(1, min(_SAMPLES, _GROUP >> n_qubits))
    _encode(angles, steps, pairs, masks, columns, reps, n_qubits, group, out)
    return out


def _tables(program, n_qubits):
    """The program as arrays.

    Returns
    -------
    steps : int64 ndarray of shape (n_steps, 5)
        Kind; then for a diagonal its number, or masks, number of Y and column of a rotation.
    pairs : int64 ndarray of shape (n_diagonals, n_qubits, n_qubits)
        Columns of the angles of pairs of qubits, and on the diagonal of qubits; -1 for none.
    masks, columns : int64 ndarray of shape (n_diagonals, n_terms)
        Terms of diagonals that read more than two qubits at once; padded by columns of -1.
    """
    steps: list = []
    diagonals: list = []
    for block in program:
        steps.append((_HADAMARD, 0, 0, 0, 0))
        for step in block:
            if isinstance(step[0], tuple):
                steps.append((_DIAGONAL, len(diagonals), 0, 0, 0))
                diagonals.append(step)
            else:
                steps.append((_ROTATION, *step))
    pairs = np.full((len(diagonals), n_qubits, n_qubits), -1, dtype=np.int64)
    width = max((len(d) for d in diagonals if not _reads_pairs(d)), default=0)
    masks, columns = np.full((2, len(diagonals), width), -1, dtype=np.int64)
    for row, diagonal in enumerate(diagonals):
        for k, (mask, column) in enumerate(diagonal):
            if _reads_pairs(diagonal):
                high = mask.bit_length() - 1
                pairs[row, high, (mask & -mask).bit_length() - 1] = column
            else:
                masks[row, k], columns[row, k] = mask, column
    return np.array(steps, dtype=np.int64), pairs, masks, columns


def _reads_pairs(diagonal):
    """Whether no term of a diagonal reads more than two qubits."""
    return all(mask.bit_count() <= 2 for mask, _ in diagonal)


@njit(**_JIT)
def _encode(angles, steps, pairs, masks, columns, reps, n_qubits, group, out):
    """Carry groups of samples through the circuit."""
    size = 1 << n_qubits
    n_diagonals = pairs.shape[0]
    dtype = out.dtype
    scale = dtype.type(size**-0.5)
    re_all, im_all = np.empty(size * group, dtype), np.empty(size * group, dtype)
    phases = np.empty((n_diagonals, 2, size * group), dtype)
    scratch = np.empty((2, size * group), dtype)
    for begin in range(0, angles.shape[0], group):
        width = min(group, angles.shape[0] - begin)
        re, im = re_all[: size * width], im_all[: size * width]
        part = angles[begin : begin + width]
        for d in range(n_diagonals):
            c, s = phases[d, 0, : size * width], phases[d, 1, : size * width]
            if masks.shape[1] and columns[d, 0] >= 0:
                _transformed_phases(part, masks[d], columns[d], c, s)
            else:
                _doubled_phases(part, pairs[d], n_qubits, c, s, scratch)
        re[:] = scale
        im[:] = 0
        for turn in range(reps):
            for k in range(steps.shape[0]):
                if steps[k, 0] == _HADAMARD:
                    if turn > 0 or k > 0:
                        _hadamard_gates(re, width, scale)
                        _hadamard_gates(im, width, scale)
                elif steps[k, 0] == _DIAGONAL:
                    d = steps[k, 1]
                    _multiply(re, im, phases[d, 0], phases[d, 1])
                else:
                    _rotate(re, im, part, steps[k], width, scratch)
        for j in range(width):
            row = out[begin + j]
            for b in range(size):
                row[b] = re[b * width + j]
                row[size + b] = im[b * width + j]


@njit(**_JIT)
def _hadamard_gates(a, width, scale):
    """A Hadamard gate on every qubit."""
    hadamard_rows(a, width)
    for p in range(a.shape[0]):
        a[p] *= scale


@njit(**_JIT)
def _multiply(re, im, c, s):
    """Multiply amplitudes by phases."""
    for p in range(re.shape[0]):
        x, y = re[p], im[p]
        re[p] = c[p] * x - s[p] * y
        im[p] = s[p] * x + c[p] * y


@njit(**_JIT)
def _doubled_phases(angles, pairs, n_qubits, c, s, scratch):
    """Phases ``exp(i theta_b)`` of a diagonal that reads at most pairs of qubits.

    Those of b with a new highest bit j are those without it, times or over
    ``f_b = exp(i (phi_j + sum_{i<j} phi_ij s_i(b)))``, which doubles in the same way from bit to
    bit: no more than n (n + 1) / 2 sines for 2^n phases.
    """
    width = angles.shape[0]
    f_re, f_im = scratch[0], scratch[1]
    turn_re, turn_im = np.empty(width, c.dtype), np.empty(width, c.dtype)
    c[:width] = 1
    s[:width] = 0
    for j in range(n_qubits):
        _load_turn(angles, pairs[j, j], f_re, f_im)
        for i in range(j):
            length = width << i
            if pairs[j, i] < 0:
                f_re[length : 2 * length] = f_re[:length]
                f_im[length : 2 * length] = f_im[:length]
            else:
                _load_turn(angles, pairs[j, i], turn_re, turn_im)
                _double(f_re, f_im, turn_re, turn_im, length, width)
        _double(c, s, f_re, f_im, width << j, width << j)


@njit(**_JIT)
def _load_turn(angles, column, re, im):
    """Cosines and sines of a column of angles, or 1 and 0 if there is none."""
    for k in range(angles.shape[0]):
        re[k] = np.cos(angles[k, column]) if column >= 0 else 1
        im[k] = np.sin(angles[k, column]) if column >= 0 else 0


@njit(**_JIT)
def _double(re, im, turn_re, turn_im, length, width):
    """Append the numbers over the turns, and multiply them by the turns."""
    for p in range(0, length, width):
        for k in range(width):
            x, y = re[p + k], im[p + k]
            u, v = turn_re[k], turn_im[k]
            re[length + p + k], im[length + p + k] = x * u + y * v, y * u - x * v
            re[p + k], im[p + k] = x * u - y * v, y * u + x * v


@njit(**_JIT)
def _transformed_phases(angles, masks, columns, c, s):
    """Phases of any diagonal: the transform of the angles gives theta."""
    width = angles.shape[0]
    c[:] = 0
    for t in range(masks.shape[0]):
        if columns[t] >= 0:
            for j in range(width):
                c[masks[t] * width + j] = angles[j, columns[t]]
    hadamard_rows(c, width)
    for p in range(c.shape[0]):
        theta = c[p]
        c[p], s[p] = np.cos(theta), np.sin(theta)


@njit(**_JIT)
def _parity(bits):
    """1 if the number of bits is odd, else 0."""
    for shift in (16, 8, 4, 2, 1):
        bits ^= bits >> shift
    return bits & 1


@njit(**_JIT)
def _rotate(re, im, angles, step, width, scratch):
    """``exp(i phi P)`` for a Pauli string that flips bits, on the pairs of amplitudes it joins."""
    flip, mask, n_y, column = step[1], step[2], step[3], step[4]
    c, s = scratch[0], scratch[1]
    _load_turn(angles, column, c, s)
    sign = 1 if n_y % 4 < 2 else -1
    for b in range(re.shape[0] // width):
        partner = b ^ flip
        if partner < b:
            continue
        here, there = b * width, partner * width
        of_here = -sign if _parity(b & mask) else sign
        of_there = -sign if _parity(partner & mask) else sign
        for j in range(width):
            x, y = re[here + j], im[here + j]
            u, v = re[there + j], im[there + j]
            if n_y % 2:
                re[here + j] = c[j] * x + of_here * s[j] * u
                im[here + j] = c[j] * y + of_here * s[j] * v
                re[there + j] = c[j] * u + of_there * s[j] * x
                im[there + j] = c[j] * v + of_there * s[j] * y
            else:
                re[here + j] = c[j] * x - of_here * s[j] * v
                im[here + j] = c[j] * y + of_here * s[j] * u
                re[there + j] = c[j] * u - of_there * s[j] * y
                im[there + j] = c[j] * v + of_there * s[j] * x
