"""Probabilities of the classes behind a trained circuit, and losses of them, on the host."""

import numpy as np
from scipy.special import expit, logsumexp

# Probabilities are kept so far from 0 and 1 where a loss divides by them.
_CLIP = 1e-3

# Probabilities below it are as good as zero.
_TINY = 1e-10


def class_readout(n_qubits, n_classes):
    """Which class an outcome stands for: float64 ndarray of shape (2**n_qubits, n_classes).

    The parity of all bits for two classes, an even one standing for the second; b mod the number
    of classes for more.
    """
    b = np.arange(2**n_qubits)
    if n_classes == 2:
        return np.eye(2)[1 - np.bitwise_count(b).astype(np.int64) % 2]
    return np.eye(n_classes)[b % n_classes]


def depolarised(probability, noise, readout):
    """Probabilities of classes once states are lost with some probability."""
    return (1 - noise) * probability + noise * readout.mean(axis=0)


def drawn(probability, shots, rng):
    """Relative frequencies of the classes among so many shots."""
    share = np.clip(probability, 0, None)
    return rng.multinomial(shots, share / share.sum(axis=1, keepdims=True)) / shots


def binary_probability(probability, bias):
    """Probability of the second class, equation (2): ``(1 + e + b) / 2``, clipped."""
    return np.clip((1 + probability[:, 1] - probability[:, 0] + bias) / 2, 0, 1)


def log_scores(probability, bias):
    """Logarithms of the probabilities of more than two classes, with their biases."""
    scores = np.log(np.maximum(probability, _TINY)) + bias
    return scores - logsumexp(scores, axis=1, keepdims=True)


def empirical_risk(probability, bias, codes, share, shots):
    """The loss of the paper, equation (3), for two classes.

    Parameters
    ----------
    probability : float64 ndarray of shape (n_samples, 2)
        Probabilities of the classes.
    bias : float
        The bias b.
    codes : integer ndarray of shape (n_samples,)
        Classes, 0 and 1.
    share : float64 ndarray of shape (n_samples,)
        Weights that add up to 1.
    shots : int
        The number R of shots that the loss thinks of.

    Returns
    -------
    loss : float
        Approximate probability of a wrong decision.
    cotangent : float64 ndarray of shape (n_samples, 2)
        Its derivatives with respect to the probabilities.
    slope : float
        Its derivative with respect to the bias.
    """
    y = 2.0 * codes - 1
    own = np.take_along_axis(probability, codes[:, None], axis=1)[:, 0]
    p = np.clip(own, _CLIP, 1 - _CLIP)
    numerator = (1 - y * bias) / 2 - p
    root = np.sqrt(2 * p * (1 - p))
    value = expit(np.sqrt(shots) * numerator / root)
    outer = share * np.sqrt(shots) * value * (1 - value)
    by_own = outer * (-1 / root - numerator * (1 - 2 * p) / root**3)
    by_own = np.where(own == p, by_own, 0.0)
    cotangent = np.zeros_like(probability)
    np.put_along_axis(cotangent, codes[:, None], by_own[:, None], axis=1)
    return float(share @ value), cotangent, float(np.sum(outer * -y / (2 * root)))


def binary_cross_entropy(probability, bias, codes, share, shots=None):
    """Minus the mean logarithm of ``(1 + y (e + b)) / 2``; arguments as for `empirical_risk`."""
    y = 2.0 * codes - 1
    expectation = probability[:, 1] - probability[:, 0]
    own = (1 + y * (expectation + bias)) / 2
    p = np.clip(own, _CLIP, 1)
    by_own = np.where(own == p, -share / p, 0.0)
    cotangent = by_own[:, None] * y[:, None] * np.array([-0.5, 0.5])
    return float(-share @ np.log(p)), cotangent, float(np.sum(by_own * y / 2))


def cross_entropy(probability, bias, codes, share, shots=None):
    """Minus the mean logarithm of the score of the class, for more than two classes.

    Parameters
    ----------
    probability : float64 ndarray of shape (n_samples, n_classes)
        Probabilities of the classes.
    bias : float64 ndarray of shape (n_classes,)
        Biases.
    codes, share, shots
        As for :func:`empirical_risk`; no shots are thought of.

    Returns
    -------
    loss : float
        The loss.
    cotangent : float64 ndarray of shape (n_samples, n_classes)
        Its derivatives with respect to the probabilities.
    slope : float64 ndarray of shape (n_classes,)
        Its derivatives with respect to the biases.
    """
    scores = log_scores(probability, bias)
    own = np.take_along_axis(scores, codes[:, None], axis=1)[:, 0]
    residual = share[:, None] * (np.exp(scores) - np.eye(probability.shape[1])[codes])
    inside = probability > _TINY
    cotangent = np.where(inside, residual / np.maximum(probability, _TINY), 0.0)
    return float(-share @ own), cotangent, residual.sum(axis=0)
