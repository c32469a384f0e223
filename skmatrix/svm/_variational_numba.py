"""Numba twins of trained circuits.

A few samples at a time, so few that their states stay in the cache, are led through all gates.
"""

import numpy as np
from numba import njit

_JIT = {"cache": True, "nogil": True}

# Amplitudes of a group of samples.
_GROUP = 2**13


def evolve(amplitudes, theta, signs):
    """States behind the circuit; the contract is that of the array-API kernel of this name."""
    out = np.empty_like(amplitudes, order="C")
    _evolve(amplitudes, theta, signs, _group(amplitudes), out)
    return out


def gradient(amplitudes, theta, signs, readout, cotangent):
    """Derivatives; the contract is that of the array-API kernel of this name."""
    out = np.zeros(theta.shape)
    weights = readout @ cotangent.T
    _gradient(amplitudes, theta, signs, weights, _group(amplitudes), out)
    return out.astype(theta.dtype, copy=False)


def _group(amplitudes):
    """Samples of a group: at least as many as a vector register has numbers."""
    return max(8, _GROUP // amplitudes.shape[1])


@njit(**_JIT)
def _evolve(amplitudes, theta, signs, group, out):
    """Lead groups of samples forwards."""
    n_layers, n_qubits = theta.shape[0], theta.shape[1]
    size, n_samples = amplitudes.shape[1], amplitudes.shape[2]
    cosine, sine = _half_angles(theta, out.dtype)
    c, s = _diagonals(theta, signs, out.dtype)
    state = np.empty((2, size * group), out.dtype)
    for begin in range(0, n_samples, group):
        width = min(group, n_samples - begin)
        re, im = state[0, : size * width], state[1, : size * width]
        _gather(amplitudes, begin, width, re, im)
        for layer in range(n_layers):
            if layer > 0:
                _turn(re, im, c[layer - 1], s[layer - 1], width)
            for q in range(n_qubits):
                _rotate(re, width << q, cosine[layer, q], sine[layer, q])
                _rotate(im, width << q, cosine[layer, q], sine[layer, q])
        _scatter(re, im, begin, width, out)


@njit(**_JIT)
def _gradient(amplitudes, theta, signs, weights, group, out):
    """Lead groups of samples, and what is multiplied by the derivatives, backwards."""
    n_layers, n_qubits = theta.shape[0], theta.shape[1]
    size, n_samples = amplitudes.shape[1], amplitudes.shape[2]
    cosine, sine = _half_angles(theta, amplitudes.dtype)
    c, s = _diagonals(theta, signs, amplitudes.dtype)
    states = np.empty((4, size * group), amplitudes.dtype)
    sums = np.zeros((n_layers, size))
    for begin in range(0, n_samples, group):
        width = min(group, n_samples - begin)
        re, im = states[0, : size * width], states[1, : size * width]
        back_re, back_im = states[2, : size * width], states[3, : size * width]
        _gather(amplitudes, begin, width, re, im)
        for b in range(size):
            for j in range(width):
                weight = weights[b, begin + j]
                back_re[b * width + j] = weight * re[b * width + j]
                back_im[b * width + j] = weight * im[b * width + j]
        for layer in range(n_layers - 1, -1, -1):
            for q in range(n_qubits):
                cc, ss = cosine[layer, q], -sine[layer, q]
                out[layer, q, 0] += _rotate_both(re, back_re, width << q, cc, ss)
                out[layer, q, 0] += _rotate_both(im, back_im, width << q, cc, ss)
            if layer > 0:
                # The signs of the entangler are in the diagonal, and are their own inverse.
                _sum_products(re, im, back_re, back_im, width, sums[layer - 1])
                _turn_back(re, im, c[layer - 1], s[layer - 1], width)
                _turn_back(back_re, back_im, c[layer - 1], s[layer - 1], width)
    for layer in range(n_layers - 1):
        for q in range(n_qubits):
            total = 0.0
            for b in range(size):
                total += -sums[layer, b] if b >> q & 1 else sums[layer, b]
            out[layer, q, 1] = -total


@njit(**_JIT)
def _half_angles(theta, dtype):
    """Cosines and sines of half the angles about Y."""
    half = theta[:, :, 0] / 2
    return np.cos(half).astype(dtype), np.sin(half).astype(dtype)


@njit(**_JIT)
def _diagonals(theta, signs, dtype):
    """Phases of the rotations about Z of each layer, times the signs of the entangler behind."""
    n_layers, n_qubits = theta.shape[0], theta.shape[1]
    size = signs.shape[0]
    c, s = np.empty((n_layers, size), dtype), np.empty((n_layers, size), dtype)
    for layer in range(n_layers):
        for b in range(size):
            phase = 0.0
            for q in range(n_qubits):
                angle = 0.5 * theta[layer, q, 1]
                phase += -angle if b >> q & 1 else angle
            c[layer, b], s[layer, b] = signs[b] * np.cos(phase), signs[b] * np.sin(phase)
    return c, s


@njit(**_JIT)
def _gather(amplitudes, begin, width, re, im):
    """Copy a group of samples."""
    for b in range(amplitudes.shape[1]):
        for j in range(width):
            re[b * width + j] = amplitudes[0, b, begin + j]
            im[b * width + j] = amplitudes[1, b, begin + j]


@njit(**_JIT)
def _scatter(re, im, begin, width, out):
    """Copy a group of samples back."""
    for b in range(out.shape[1]):
        for j in range(width):
            out[0, b, begin + j] = re[b * width + j]
            out[1, b, begin + j] = im[b * width + j]


@njit(**_JIT)
def _turn(re, im, c, s, width):
    """Multiply by a diagonal."""
    for b in range(c.shape[0]):
        cc, ss = c[b], s[b]
        for p in range(b * width, (b + 1) * width):
            x, y = re[p], im[p]
            re[p], im[p] = cc * x - ss * y, ss * x + cc * y


@njit(**_JIT)
def _turn_back(re, im, c, s, width):
    """Multiply by the inverse of a diagonal."""
    for b in range(c.shape[0]):
        cc, ss = c[b], s[b]
        for p in range(b * width, (b + 1) * width):
            x, y = re[p], im[p]
            re[p], im[p] = cc * x + ss * y, cc * y - ss * x


@njit(**_JIT)
def _rotate(a, length, cc, ss):
    """Real rotation of the pairs of amplitudes that are a length apart."""
    for p in range(0, a.shape[0], 2 * length):
        low, high = a[p : p + length], a[p + length : p + 2 * length]
        for k in range(length):
            x, y = low[k], high[k]
            low[k], high[k] = cc * x + ss * y, cc * y - ss * x


@njit(**_JIT)
def _rotate_both(a, back, length, cc, ss):
    """The same for states and what comes with them; the derivative by the angle before it."""
    total = 0.0
    for p in range(0, a.shape[0], 2 * length):
        low, high = a[p : p + length], a[p + length : p + 2 * length]
        back_low, back_high = back[p : p + length], back[p + length : p + 2 * length]
        part = a.dtype.type(0)
        for k in range(length):
            x, y = low[k], high[k]
            u, v = back_low[k], back_high[k]
            part += u * y - v * x
            low[k], high[k] = cc * x + ss * y, cc * y - ss * x
            back_low[k], back_high[k] = cc * u + ss * v, cc * v - ss * u
        total += part
    return total


@njit(**_JIT)
def _sum_products(re, im, back_re, back_im, width, sums):
    """Add the imaginary parts of conj(lambda) psi of a group to those of each amplitude."""
    for b in range(sums.shape[0]):
        total = 0.0
        for p in range(b * width, (b + 1) * width):
            total += back_re[p] * im[p] - back_im[p] * re[p]
        sums[b] += total
