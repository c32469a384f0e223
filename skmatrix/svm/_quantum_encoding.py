"""Quantum feature maps: which rotations a circuit makes, and by which angles.

A circuit acts on n qubits, the i-th being bit i of the index b of an amplitude. It repeats, `reps`
times over each block of features: a Hadamard gate on every qubit, then ``exp(sign i phi_S(x) P_S)``
for each of its terms. Nothing here computes amplitudes: that is what the kernels do.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import combinations
from numbers import Integral, Real
from typing import Any

import numpy as np

from .._backend import CONSTRAINT
from .._iterate import warn_caller
from .._sklearn import Interval, StrOptions
from ._quantum_kernels import encode, encode_qubits

# Two vectors of 2^20 amplitudes, real and imaginary, fill the cache of no machine.
MAX_QUBITS = 20

FEATURE_MAP_CONSTRAINTS: dict = {
    "feature_map": [StrOptions({"zz", "z", "pauli"})],
    "paulis": ["array-like", str],
    "reps": [Interval(Integral, 1, None, closed="left")],
    "entanglement": [StrOptions({"full", "linear", "circular", "pairwise"}), list, tuple],
    "data_map": [StrOptions({"havlicek", "product"}), callable],
    "bandwidth": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "n_qubits": [Interval(Integral, 1, None, closed="left"), None],
    "max_qubits": [Interval(Integral, 1, None, closed="left")],
    "max_memory": [Interval(Real, 0, None, closed="neither")],
    "dtype": [StrOptions({"complex128", "complex64"})],
    "backend": CONSTRAINT,
}


@dataclass(frozen=True)
class Term:
    """One Pauli rotation: its letters, the qubits they act on, and the features of its angle."""

    letters: str
    qubits: tuple
    features: tuple

    @property
    def masks(self):
        """Bits that the Pauli string flips, bits whose sign it reads, and its number of Y."""
        flip = sum(1 << q for p, q in zip(self.letters, self.qubits, strict=True) if p in "XY")
        sign = sum(1 << q for p, q in zip(self.letters, self.qubits, strict=True) if p in "YZ")
        return flip, sign, self.letters.count("Y")


@dataclass(frozen=True)
class Encoding:
    """A feature map for data of a known width.

    Attributes
    ----------
    n_features, n_qubits, reps : int
        Sizes of the circuit.
    blocks : tuple of tuple of Term
        Rotations of each block of features.
    data_map : {"havlicek", "product"} or callable
        Angles of several features.
    sign : int
        1 for ``exp(i phi P)``, -1 for ``exp(-i phi P)``.
    separable : bool
        Whether no rotation joins qubits.
    """

    n_features: int
    n_qubits: int
    reps: int
    blocks: tuple
    data_map: Any
    sign: int
    separable: bool

    def __getstate__(self):
        # What is computed of the fields is not stored with them.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def n_blocks(self):
        """Number of blocks of features that are uploaded one after the other."""
        return len(self.blocks)

    @cached_property
    def _columns(self):
        """Subset of features -> column of its angle."""
        subsets = {term.features: None for block in self.blocks for term in block}
        return {features: column for column, features in enumerate(subsets)}

    @property
    def angle_features(self):
        """Subsets of features that have an angle, by its column."""
        return tuple(self._columns)

    @cached_property
    def program(self):
        """What to do in each repetition: a tuple per block of its steps after the Hadamard gates.

        A step is a diagonal, a tuple of pairs (mask of Z, column of the angle) without repeated
        masks, or a rotation (mask of flips, mask of signs, number of Y, column of the angle).
        """
        return tuple(self._steps(block) for block in self.blocks)

    def _steps(self, block):
        """Steps of one block: neighbouring rotations about Z commute, and are joined."""
        steps: list = []
        for term in block:
            flip, sign, n_y = term.masks
            column = self._columns[term.features]
            if flip:
                steps.append((flip, sign, n_y, column))
            elif steps and isinstance(steps[-1], dict) and sign not in steps[-1]:
                steps[-1][sign] = column
            else:
                steps.append({sign: column})
        return tuple(tuple(s.items()) if isinstance(s, dict) else s for s in steps)

    def angles(self, X):
        """Angles ``sign phi_S(x)`` on the host.

        Parameters
        ----------
        X : float64 ndarray of shape (n_samples, n_features)
            Data, times the bandwidth.

        Returns
        -------
        angles : float64 ndarray of shape (n_samples, n_angles)
            One column for each subset S of features.

        Raises
        ------
        ValueError
            If a callable `data_map` does not return one number for each sample, or angles are not
            finite.
        """
        angles = np.empty((X.shape[0], len(self._columns)))
        if callable(self.data_map):
            for features, column in self._columns.items():
                angles[:, column] = self._mapped(X, features)
        else:
            factors = X if self.data_map == "product" else np.pi - X
            with np.errstate(over="ignore"):  # refused below
                for size, (subsets, columns) in self._columns_by_size.items():
                    chosen = X[:, subsets] if size == 1 else factors[:, subsets]
                    angles[:, columns] = np.prod(chosen, axis=2)
        finite = np.isfinite(angles).all(axis=0)
        if not finite.all():
            features = self.angle_features[int(np.argmin(finite))]
            raise ValueError(
                f"data_map gave angles that are not finite for the features {features}: scale X to"
                " smaller values, or lower bandwidth."
            )
        return self.sign * angles

    @cached_property
    def _columns_by_size(self):
        """Number of features -> subsets of so many, and their columns."""
        sizes: dict = {}
        for features, column in self._columns.items():
            subsets, columns = sizes.setdefault(len(features), ([], []))
            subsets.append(features)
            columns.append(column)
        return sizes

    def _mapped(self, X, features):
        """Angle of a subset of features by the user's function."""
        angle = np.asarray(self.data_map(X, features), dtype=np.float64)
        if angle.shape != X.shape[:1]:
            raise ValueError(
                f"data_map must return an array of shape {X.shape[:1]}, an angle for each sample."
                f" Got the shape {angle.shape} for the features {features}."
            )
        return angle

    def states(self, be, X, dtype="complex128"):
        """Amplitudes of the state of each sample.

        Parameters
        ----------
        be : Backend
            Engine.
        X : float64 ndarray of shape (n_samples, n_features)
            Data, times the bandwidth.
        dtype : {"complex128", "complex64"}, default="complex128"
            Precision of the amplitudes.

        Returns
        -------
        states : array of shape (n_samples, 2 * 2**n_qubits)
            Real parts, then imaginary parts, on the engine.
        """
        angles = self._loaded_angles(be, X, dtype)
        return encode(be, angles, program=self.program, reps=self.reps, n_qubits=self.n_qubits)

    def qubit_states(self, be, X, dtype="complex128"):
        """Amplitudes of each qubit, where no rotation joins qubits.

        Parameters
        ----------
        be, X, dtype
            As for :meth:`states`.

        Returns
        -------
        states : array of shape (n_samples, n_qubits, 4)
            Real parts of the amplitudes of 0 and 1, then imaginary parts, on the engine.
        """
        angles = self._loaded_angles(be, X, dtype)
        columns = tuple(
            tuple(
                tuple(c for mask, c in self._flat(block) if mask == 1 << q)
                for block in self.program
            )
            for q in range(self.n_qubits)
        )
        return encode_qubits(be, angles, columns=columns, reps=self.reps)

    @staticmethod
    def _flat(block):
        """All pairs of mask and column of a block of diagonals."""
        return [pair for diagonal in block for pair in diagonal]

    def _loaded_angles(self, be, X, dtype):
        """Angles on the engine; they are made in double precision whatever the states are."""
        real = np.float64 if dtype == "complex128" else np.float32
        return be.load(self.angles(X).astype(real, copy=False))


def make_encoding(
    n_features,
    *,
    feature_map="zz",
    paulis=("Z", "ZZ"),
    reps=2,
    entanglement="full",
    data_map="havlicek",
    n_qubits=None,
    max_qubits=10,
):
    """The feature map that an estimator's parameters describe.

    Parameters
    ----------
    n_features : int
        Width of the data.
    feature_map, paulis, reps, entanglement, data_map, n_qubits, max_qubits
        As for :class:`QuantumKernelSVC`.

    Returns
    -------
    encoding : Encoding
        The feature map.

    Raises
    ------
    ValueError
        If there are too many qubits, `paulis` or `entanglement` do not fit them, or no rotation
        is left.
    """
    n_qubits = min(n_features, max_qubits) if n_qubits is None else n_qubits
    if feature_map != "z":
        check_qubits(n_qubits)
    if feature_map == "pauli":
        strings = _checked_strings(paulis, n_qubits)
    else:
        strings = ("Z",) if feature_map == "z" or n_qubits == 1 else ("Z", "ZZ")
    actions = [
        (letters, qubits)
        for letters in strings
        for qubits in entangled_qubits(entanglement, n_qubits, len(letters))
    ]
    blocks = []
    for begin in range(0, n_features, n_qubits):
        width = min(n_qubits, n_features - begin)
        blocks.append(
            tuple(
                # The last letter acts on the first qubit, as in the strings of Qiskit.
                Term(letters[::-1], qubits, tuple(begin + q for q in qubits))
                for letters, qubits in actions
                if max(qubits) < width
            )
        )
    if not any(blocks):
        raise ValueError(
            f"No string of paulis={paulis!r} has a group of qubits that all have one of the"
            f" {n_features} features: lower n_qubits={n_qubits}, shorten the strings, or change"
            " entanglement."
        )
    sign = -1 if feature_map == "pauli" else 1
    separable = feature_map == "z"
    return Encoding(n_features, n_qubits, reps, tuple(blocks), data_map, sign, separable)


def check_qubits(n_qubits):
    """Refuse more qubits than states can be simulated of."""
    if n_qubits > MAX_QUBITS:
        raise ValueError(
            f"n_qubits={n_qubits} must be at most {MAX_QUBITS}: a state has 2**n_qubits amplitudes."
            " Lower n_qubits or max_qubits (features then share qubits), or reduce the data with"
            " PCA."
        )


def encoding_of(estimator, n_qubits=None):
    """Feature map of an estimator that has just seen its features.

    Parameters
    ----------
    estimator : estimator
        It has `n_features_in_` and the parameters of :func:`make_encoding`.
    n_qubits : int or None, default=None
        Number of qubits in the place of the estimator's.

    Returns
    -------
    encoding : Encoding
        The feature map.

    Warns
    -----
    UserWarning
        If there are more features than qubits, or features that no rotation reads.
    """
    names = ("feature_map", "paulis", "reps", "entanglement", "data_map", "n_qubits", "max_qubits")
    parameters = {name: getattr(estimator, name) for name in names}
    if n_qubits is not None:
        parameters["n_qubits"] = n_qubits
    encoding = make_encoding(estimator.n_features_in_, **parameters)
    if encoding.n_blocks > 1:
        warn_caller(
            f"{encoding.n_features} features share n_qubits={encoding.n_qubits}, in"
            f" {encoding.n_blocks} blocks that are uploaded one after the other. Reduce the data"
            " with PCA, or raise max_qubits, for one qubit per feature."
            + (" With feature_map='z' more qubits cost little." if encoding.separable else ""),
            UserWarning,
        )
    unread = set(range(encoding.n_features)).difference(*encoding.angle_features)
    if unread:
        warn_caller(
            f"No rotation reads the features {sorted(unread)}: they change nothing. Add 'Z' to"
            " paulis, or change n_qubits or entanglement.",
            UserWarning,
        )
    return encoding


def _checked_strings(paulis, n_qubits):
    """Strings of Pauli letters."""
    strings = (paulis,) if isinstance(paulis, str) else tuple(paulis)
    valid = [isinstance(s, str) and len(s) > 0 and set(s) <= set("XYZ") for s in strings]
    if not strings or not all(valid):
        raise ValueError(
            "paulis must be strings of the letters X, Y and Z, at least one, such as ('Z', 'ZZ')."
            f" Got {paulis!r}."
        )
    longest = max(strings, key=len)
    if len(longest) > n_qubits:
        raise ValueError(
            f"paulis has the string {longest!r} of {len(longest)} letters, but there are only"
            f" n_qubits={n_qubits}."
        )
    return strings


def entangled_qubits(entanglement, n_qubits, size, name="entanglement"):
    """Groups of qubits that a Pauli string of a length acts on.

    Parameters
    ----------
    entanglement : {"full", "linear", "circular", "pairwise"} or list of tuple of int
        The pattern.
    n_qubits : int
        Number of qubits.
    size : int
        Length of the string.
    name : str, default="entanglement"
        Parameter that has the pattern, for messages.

    Returns
    -------
    groups : list of tuple of int
        The groups, in the order in which they are acted on.

    Raises
    ------
    ValueError
        If the pattern is unknown to strings of that length, or its qubits do not exist.
    """
    if not isinstance(entanglement, str):
        return _checked_groups(entanglement, n_qubits, size, name)
    if size == 1:
        return [(q,) for q in range(n_qubits)]
    if entanglement == "full":
        return list(combinations(range(n_qubits), size))
    linear = [tuple(range(q, q + size)) for q in range(n_qubits - size + 1)]
    if entanglement == "linear":
        return linear
    if entanglement == "circular":
        first = range(n_qubits - size + 1, n_qubits) if n_qubits > size else ()
        return [tuple((q + k) % n_qubits for k in range(size)) for q in first] + linear
    if size > 2:
        raise ValueError(
            "entanglement='pairwise' is defined for strings of at most two letters. Got one of"
            f" {size} letters in paulis."
        )
    return linear[::2] + linear[1::2]


def _checked_groups(entanglement, n_qubits, size, name):
    """Groups of a length that the user gave."""
    groups = []
    for group in entanglement:
        qubits = tuple(group) if isinstance(group, (list, tuple, np.ndarray)) else (group,)
        valid = all(isinstance(q, (int, np.integer)) and 0 <= q < n_qubits for q in qubits)
        if not qubits or not valid or len(set(qubits)) < len(qubits):
            raise ValueError(
                f"{name} has the group {group!r}: each must be a tuple of different qubits"
                f" from 0 to n_qubits - 1 = {n_qubits - 1}."
            )
        groups.append(tuple(int(q) for q in qubits))
    if size == 1:
        return [(q,) for q in range(n_qubits)]
    chosen = [group for group in groups if len(group) == size]
    if not chosen:
        raise ValueError(
            f"{name} must have a group of {size} qubits, to act on so many at once."
            f" Got {entanglement!r}."
        )
    return chosen


def check_memory(n_states, n_qubits, max_memory, dtype, *, remedy="reduce with PCA or n_qubits"):
    """Refuse states that do not fit, before anything is allocated.

    Parameters
    ----------
    n_states : int
        States that must be in memory at once.
    n_qubits : int
        Number of qubits.
    max_memory : float
        Limit in MB (10**6 bytes).
    dtype : {"complex128", "complex64"}
        Precision of the amplitudes.
    remedy : str, default="reduce with PCA or n_qubits"
        What to do about it.

    Raises
    ------
    ValueError
        If they take more than the limit.
    """
    size = n_states * 2**n_qubits * np.dtype(dtype).itemsize
    if size > max_memory * 1e6:
        raise ValueError(
            f"{n_states} states of n_qubits={n_qubits} need {size / 1e9:.3g} GB, more than"
            f" max_memory={max_memory:g} MB: {remedy}, or raise max_memory."
        )
