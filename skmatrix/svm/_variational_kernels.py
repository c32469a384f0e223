"""Trained circuits behind a feature map, forwards and backwards, as array-API functions.

Amplitudes are an array of shape (2, 2**n_qubits, n_samples): real parts, then imaginary parts. Bit
i of the index b of an amplitude is qubit i. The circuit, equation (1) of
:class:`VariationalQuantumClassifier`, is a layer of rotations, then for each further layer the
entangler, which is a diagonal of signs, and rotations again.
"""

import array_api_compat
import numpy as np

from .._backend import kernel


@kernel(numba="skmatrix.svm._variational_numba:evolve", min_size=0)
def evolve(xp, amplitudes, theta, signs):
    """Amplitudes behind the trained circuit.

    Parameters
    ----------
    xp : module
        Array namespace.
    amplitudes : array of shape (2, 2**n_qubits, n_samples)
        States in front of it.
    theta : array of shape (n_layers + 1, n_qubits, 2)
        Angles of the rotations about Y, made first, and about Z.
    signs : array of shape (2**n_qubits,)
        The entangler.

    Returns
    -------
    amplitudes : array of shape (2, 2**n_qubits, n_samples)
        The states, up to the last rotations about Z, which nothing that is read sees.
    """
    for layer in range(theta.shape[0]):
        if layer:
            amplitudes = _turn(xp, amplitudes, theta[layer - 1, :, 1], 1)
            amplitudes = amplitudes * signs[None, :, None]
        for q in range(theta.shape[1]):
            amplitudes = _rotate(xp, amplitudes, theta[layer, q, 0], q, 1)
    return amplitudes


@kernel(numba="skmatrix.svm._variational_numba:gradient", min_size=0)
def gradient(xp, amplitudes, theta, signs, readout, cotangent):
    """Derivatives of what is read with respect to all angles, by the adjoint method.

    With ``lambda = w psi``, where w is the derivative with respect to the probability of each
    outcome, states and lambda are led back through the circuit; a gate exp(i angle G / 2) adds
    ``2 Re <lambda, (i / 2) G psi>`` for its angle, equation (4).

    Parameters
    ----------
    xp : module
        Array namespace.
    amplitudes : array of shape (2, 2**n_qubits, n_samples)
        States behind the circuit, as :func:`evolve` gives them.
    theta : array of shape (n_layers + 1, n_qubits, 2)
        Angles.
    signs : array of shape (2**n_qubits,)
        The entangler.
    readout : array of shape (2**n_qubits, n_classes)
        1 where an outcome stands for a class, else 0.
    cotangent : array of shape (n_samples, n_classes)
        Derivatives with respect to the probabilities of the classes.

    Returns
    -------
    derivatives : array of shape (n_layers + 1, n_qubits, 2)
        Summed over the samples.
    """
    adjoint = amplitudes * (readout @ cotangent.T)[None, :, :]
    bits = _bit_signs(xp, theta[0, :, 0])
    rows = []
    for layer in range(theta.shape[0] - 1, -1, -1):
        # Rotations about Z are diagonals, and all that they need is a sum over the samples.
        if layer < theta.shape[0] - 1:
            products = (
                adjoint[0, :, :] * amplitudes[1, :, :] - adjoint[1, :, :] * amplitudes[0, :, :]
            )
            about_z = -(xp.sum(products, axis=1) @ bits)
            amplitudes, adjoint = (
                _turn(xp, a, theta[layer, :, 1], -1) for a in (amplitudes, adjoint)
            )
        else:
            about_z = xp.zeros_like(theta[layer, :, 1])
        about_y = []
        for q in range(theta.shape[1]):
            (p0, p1), (a0, a1) = _halves(xp, amplitudes, q), _halves(xp, adjoint, q)
            about_y.append(xp.sum(a0 * p1 - a1 * p0))
            amplitudes, adjoint = (
                _rotate(xp, a, theta[layer, q, 0], q, -1) for a in (amplitudes, adjoint)
            )
        if layer:
            amplitudes, adjoint = (a * signs[None, :, None] for a in (amplitudes, adjoint))
        rows.append(xp.stack([xp.stack(about_y), about_z], axis=1))
    return xp.stack(rows[::-1])


def _halves(xp, amplitudes, q):
    """Amplitudes with bit q 0, and with bit q 1."""
    _, size, n = amplitudes.shape
    split = xp.reshape(amplitudes, (2, size >> (q + 1), 2, 1 << q, n))
    return split[:, :, 0, :, :], split[:, :, 1, :, :]


def _rotate(xp, amplitudes, angle, q, direction):
    """``exp(i angle Y / 2)`` on qubit q, a real rotation, or its inverse."""
    low, high = _halves(xp, amplitudes, q)
    c, s = xp.cos(angle / 2), direction * xp.sin(angle / 2)
    return xp.reshape(xp.stack([c * low + s * high, c * high - s * low], axis=2), amplitudes.shape)


def _turn(xp, amplitudes, angles, direction):
    """``exp(i angle_q Z_q / 2)`` on all qubits q, a diagonal, or its inverse."""
    phase = 0.5 * direction * (_bit_signs(xp, angles) @ angles)
    c, s = xp.cos(phase)[:, None], xp.sin(phase)[:, None]
    re, im = amplitudes[0, :, :], amplitudes[1, :, :]
    return xp.stack([c * re - s * im, s * re + c * im])


def _bit_signs(xp, angles):
    """1 where bit q of b is 0, else -1, for all b, and all qubits q that have an angle."""
    bits = np.arange(2 ** angles.shape[0])[:, None] >> np.arange(angles.shape[0]) & 1
    return xp.asarray(1 - 2 * bits, dtype=angles.dtype, device=array_api_compat.device(angles))
