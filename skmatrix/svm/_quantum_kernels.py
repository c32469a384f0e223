"""States of quantum feature maps and what is measured on them, as array-API functions.

All arithmetic is real: a state is a row of the real parts of its amplitudes followed by their
imaginary parts. Bit i of the index b of an amplitude is qubit i.
"""

import array_api_compat
import numpy as np
from scipy.linalg import hadamard

from .._backend import kernel


@kernel(numba="skmatrix.svm._quantum_numba:encode", min_size=0)
def encode(xp, angles, *, program, reps, n_qubits):
    """States of a feature map.

    ``|Phi(x)> = prod_r prod_blocks [prod_steps exp(i phi_S(x) P_S)] H^n |0..0>``, equation (1) of
    :class:`QuantumKernelSVC`.

    Parameters
    ----------
    xp : module
        Array namespace.
    angles : array of shape (n_samples, n_angles)
        Angles ``phi_S(x)``, signs included.
    program : tuple of tuple
        For each block of features its steps: diagonals, tuples of pairs (mask of Z, column), and
        rotations (mask of flips, mask of signs, number of Y, column).
    reps : int
        Repetitions.
    n_qubits : int
        Number of qubits.

    Returns
    -------
    states : array of shape (n_samples, 2 * 2**n_qubits)
        Real parts, then imaginary parts.
    """
    n, size = angles.shape[0], 2**n_qubits
    device = array_api_compat.device(angles)
    re = xp.zeros((n, size), dtype=angles.dtype, device=device) + size**-0.5
    im = xp.zeros((n, size), dtype=angles.dtype, device=device)
    for turn in range(reps * len(program)):
        if turn:
            re, im = (walsh_hadamard(xp, part) * size**-0.5 for part in (re, im))
        steps = program[turn % len(program)]
        # As large as states: kept for the next turn if it is the same, otherwise made again.
        if not turn or len(program) > 1:
            phases = [_phases(xp, angles, step, n_qubits) for step in steps]
        for step, phase in zip(steps, phases, strict=True):
            if phase is None:
                re, im = _rotate(xp, re, im, angles, step, n_qubits)
            else:
                c, s = phase
                re, im = c * re - s * im, s * re + c * im
    return xp.concat([re, im], axis=1)


def _phases(xp, angles, step, n_qubits):
    """Cosines and sines of a diagonal, ``theta_b = sum_S phi_S prod_{i in S} s_i(b)``; or None.

    The sum is the Walsh-Hadamard transform of the angles, placed at their masks.
    """
    if not isinstance(step[0], tuple):
        return None
    columns = np.full(2**n_qubits, angles.shape[1])
    for mask, column in step:
        columns[mask] = column
    device = array_api_compat.device(angles)
    nothing = xp.zeros((angles.shape[0], 1), dtype=angles.dtype, device=device)
    placed = xp.concat([angles, nothing], axis=1)
    theta = walsh_hadamard(xp, xp.take(placed, xp.asarray(columns, device=device), axis=1))
    return xp.cos(theta), xp.sin(theta)


def _rotate(xp, re, im, angles, step, n_qubits):
    """``exp(i phi P) = cos(phi) + i sin(phi) P`` for a Pauli string P that flips bits."""
    flip, mask, n_y, column = step
    c, s = xp.cos(angles[:, column])[:, None], xp.sin(angles[:, column])[:, None]
    device = array_api_compat.device(angles)
    index = xp.asarray(np.arange(2**n_qubits) ^ flip, device=device)
    # (P psi)_b = (-i)^n_y sign_b psi_{b xor flip}, here with the i of i sin(phi).
    sign = parities(n_qubits, mask) * (1 if n_y % 4 < 2 else -1)
    s = s * xp.asarray(sign, dtype=angles.dtype, device=device)[None, :]
    other_re, other_im = xp.take(re, index, axis=1), xp.take(im, index, axis=1)
    if n_y % 2:
        return c * re + s * other_re, c * im + s * other_im
    return c * re - s * other_im, c * im + s * other_re


def parities(n_qubits, mask):
    """``(-1)`` to the number of bits that b shares with a mask, for all b, on the host."""
    count = np.bitwise_count(np.arange(2**n_qubits) & mask).astype(np.int64)
    return 1 - 2 * (count % 2)


def walsh_hadamard(xp, X):
    """Unnormalised Walsh-Hadamard transform of the rows.

    That of order ab is the Kronecker product of those of order a and b, so that two products with
    small matrices do the work.

    Parameters
    ----------
    xp : module
        Array namespace.
    X : array of shape (n, k)
        k is a power of two.

    Returns
    -------
    transformed : array of shape (n, k)
        X H.
    """
    n, k = X.shape
    inner = 2 ** ((k.bit_length() - 1) // 2)
    outer = k // inner
    device = array_api_compat.device(X)

    def matrix(size):
        return xp.asarray(hadamard(size, dtype=np.float64), dtype=X.dtype, device=device)

    partly = xp.matmul(xp.reshape(X, (n, outer, inner)), matrix(inner))
    return xp.reshape(xp.matmul(matrix(outer), partly), (n, k))


@kernel()
def encode_qubits(xp, angles, *, columns, reps):
    """States of a feature map that joins no qubits: that of each qubit.

    Parameters
    ----------
    xp : module
        Array namespace.
    angles : array of shape (n_samples, n_angles)
        Angles, signs included.
    columns : tuple of tuple of tuple of int
        For each qubit, for each block of features, the columns of its rotations about Z.
    reps : int
        Repetitions.

    Returns
    -------
    states : array of shape (n_samples, n_qubits, 4)
        Real parts of the amplitudes of 0 and 1, then their imaginary parts.
    """
    device = array_api_compat.device(angles)
    one = xp.ones(angles.shape[0], dtype=angles.dtype, device=device)
    states = []
    for blocks in columns:
        r0, r1, i0, i1 = one, 0 * one, 0 * one, 0 * one
        for _ in range(reps):
            for block in blocks:
                r0, r1, i0, i1 = (v * 0.5**0.5 for v in (r0 + r1, r0 - r1, i0 + i1, i0 - i1))
                theta = 0 * one
                for column in block:
                    theta = theta + angles[:, column]
                c, s = xp.cos(theta), xp.sin(theta)
                r0, i0 = c * r0 - s * i0, c * i0 + s * r0
                r1, i1 = c * r1 + s * i1, c * i1 - s * r1
        states.append(xp.stack([r0, r1, i0, i1], axis=1))
    return xp.stack(states, axis=1)


@kernel()
def fidelities(xp, left, right):
    """Squared moduli of inner products: ``|<left_i | right_j>|^2``, equation (2).

    Parameters
    ----------
    xp : module
        Array namespace.
    left : array of shape (n, 2 k)
        States.
    right : array of shape (m, 2 k)
        States.

    Returns
    -------
    K : array of shape (n, m)
        Numbers from 0 to 1.
    """
    k = right.shape[1] // 2
    lr, li, rr, ri = left[:, :k], left[:, k:], right[:, :k], right[:, k:]
    # Three products in the place of four: (lr - li)(rr + ri) = lr rr + lr ri - li rr - li ri.
    real, imaginary = lr @ rr.T, li @ ri.T
    re, im = real + imaginary, (lr - li) @ (rr + ri).T - real + imaginary
    return xp.clip(re * re + im * im, 0.0, 1.0)


@kernel()
def own_fidelities(xp, states):
    """Squared moduli of the inner products of states with each other, without copies of them.

    Parameters
    ----------
    xp : module
        Array namespace.
    states : array of shape (n, 2 k)
        States.

    Returns
    -------
    K : array of shape (n, n)
        Numbers from 0 to 1.
    """
    k = states.shape[1] // 2
    # Of a matrix with its own transpose BLAS makes half, and the imaginary part is antisymmetric.
    re, product = states @ states.T, states[:, :k] @ states[:, k:].T
    im = product - product.T
    return xp.clip(re * re + im * im, 0.0, 1.0)


@kernel()
def qubit_fidelities(xp, left, right):
    """Squared moduli of inner products of products of qubit states.

    Parameters
    ----------
    xp : module
        Array namespace.
    left : array of shape (n, n_qubits, 4)
        States, as :func:`encode_qubits` gives them.
    right : array of shape (m, n_qubits, 4)
        States.

    Returns
    -------
    K : array of shape (n, m)
        Products over the qubits.
    """
    K = fidelities.reference(xp, left[:, 0, :], right[:, 0, :])
    for q in range(1, left.shape[1]):
        K = K * fidelities.reference(xp, left[:, q, :], right[:, q, :])
    return K


@kernel()
def bloch_vectors(xp, states, *, n_qubits):
    """Expectations of X, Y and Z of each qubit.

    Parameters
    ----------
    xp : module
        Array namespace.
    states : array of shape (n_samples, 2 * 2**n_qubits)
        States.
    n_qubits : int
        Number of qubits.

    Returns
    -------
    vectors : array of shape (n_samples, 3 * n_qubits)
        X, Y and Z of the first qubit, then of the next.
    """
    n, size = states.shape[0], 2**n_qubits
    expectations = []
    for q in range(n_qubits):
        shape = (n, size >> (q + 1), 2, 1 << q)
        re, im = (xp.reshape(p, shape) for p in (states[:, :size], states[:, size:]))
        r0, r1 = re[:, :, 0, :], re[:, :, 1, :]
        i0, i1 = im[:, :, 0, :], im[:, :, 1, :]
        terms = _bloch_terms(r0, r1, i0, i1)
        expectations += [xp.sum(term, axis=(1, 2)) for term in terms]
    return xp.stack(expectations, axis=1)


@kernel()
def bloch_vectors_of_qubits(xp, states):
    """Expectations of X, Y and Z of qubits that are not joined.

    Parameters
    ----------
    xp : module
        Array namespace.
    states : array of shape (n_samples, n_qubits, 4)
        States, as :func:`encode_qubits` gives them.

    Returns
    -------
    vectors : array of shape (n_samples, 3 * n_qubits)
        X, Y and Z of the first qubit, then of the next.
    """
    r0, r1, i0, i1 = (states[:, :, k] for k in range(4))
    vectors = xp.stack(_bloch_terms(r0, r1, i0, i1), axis=2)
    return xp.reshape(vectors, (states.shape[0], 3 * states.shape[1]))


def _bloch_terms(r0, r1, i0, i1):
    """Real parts and imaginary parts of amplitudes of 0 and 1 -> terms of <X>, <Y> and <Z>."""
    x = 2 * (r0 * r1 + i0 * i1)
    y = 2 * (r0 * i1 - i0 * r1)
    return x, y, r0 * r0 + i0 * i0 - r1 * r1 - i1 * i1


@kernel()
def pauli_expectations(xp, states, *, n_qubits):
    """Expectations of all Pauli strings, over ``2**(n_qubits / 2)``: inner products are fidelities.

    ``<P> = (-i)^n_y sum_b (-1)^popcount(b & z) conj(psi_b) psi_{b xor x}`` for each mask x of flips
    is a Walsh-Hadamard transform over b, one component for each mask z of signs.

    Parameters
    ----------
    xp : module
        Array namespace.
    states : array of shape (n_samples, 2 * 2**n_qubits)
        States.
    n_qubits : int
        Number of qubits.

    Returns
    -------
    expectations : array of shape (n_samples, 4**n_qubits)
        That of the masks x and z at ``x * 2**n_qubits + z``.
    """
    size = 2**n_qubits
    device = array_api_compat.device(states)
    re, im = states[:, :size], states[:, size:]
    b = np.arange(size)
    columns = []
    for flip in range(size):
        index = xp.asarray(b ^ flip, device=device)
        other_re, other_im = xp.take(re, index, axis=1), xp.take(im, index, axis=1)
        real = walsh_hadamard(xp, re * other_re + im * other_im)
        imaginary = walsh_hadamard(xp, re * other_im - im * other_re)
        # The real part of (-i)^n_y (real + i imaginary); the other part is zero.
        n_y = np.bitwise_count(flip & b).astype(np.int64)
        of_real = np.where(n_y % 2 == 0, 1 - (n_y % 4), 0)
        of_imaginary = np.where(n_y % 2 == 1, 2 - (n_y % 4), 0)
        of_real, of_imaginary = (
            xp.asarray(factor, dtype=states.dtype, device=device)[None, :]
            for factor in (of_real, of_imaginary)
        )
        columns.append(real * of_real + imaginary * of_imaginary)
    return xp.concat(columns, axis=1) * size**-0.5
