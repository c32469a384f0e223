"""Seeded data whose labels are measured behind the feature map of a quantum kernel."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from .._sklearn import Interval, StrOptions, validate_params

_MAX_CANDIDATES = 10_000_000
_GRID = {1: 5000, 2: 100, 3: 20}  # points per axis
_BATCH = 2**20  # amplitudes of the states that are held at once


@validate_params(
    {
        "n_train": [Interval(Integral, 1, None, closed="left")],
        "n_test": [Interval(Integral, 0, None, closed="left")],
        "n_qubits": [Interval(Integral, 1, 12, closed="both")],
        "gap": [Interval(Real, 0, 1, closed="left")],
        "reps": [Interval(Integral, 1, None, closed="left")],
        "entanglement": [StrOptions({"full", "linear", "circular", "pairwise"}), list, tuple],
        "sampling": [StrOptions({"uniform", "grid", "sobol"})],
        "labels": [StrOptions({"expectation", "measurement"})],
        "unitary": [StrOptions({"haar", "qiskit"})],
        "return_unitary": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_ad_hoc(
    n_train=20,
    n_test=20,
    n_qubits=2,
    *,
    gap=0.3,
    reps=2,
    entanglement="full",
    sampling="uniform",
    labels="expectation",
    unitary="haar",
    return_unitary=False,
    random_state=None,
):
    r"""Generate two classes that the "zz" feature map separates, and hardly anything else does.

    A random measurement behind the feature map labels the points [1]_. The data are built to favour
    a kernel of the same feature map: they test an implementation, not the use of such kernels.

    Parameters
    ----------
    n_train, n_test : int, default=20
        Number of samples of *each class* in the training and in the test data. From 4 qubits on
        it takes hundreds to learn from.
    n_qubits : int, default=2
        Number of qubits, and of features; from 1 to 12.
    gap : float, default=0.3
        Points are rejected whose expectation value is below it in magnitude. Expectation values
        have a standard deviation of about ``2**(-n_qubits / 2)``: of 3 qubits on, few points are
        left with a large gap (one in 50 of 6 qubits with 0.3), and of 8 next to none. Not used for
        ``labels="measurement"``.
    reps : int, default=2
        Repetitions of the feature map.
    entanglement : {"full", "linear", "circular", "pairwise"} or list of tuple, default="full"
        Pairs of qubits that the feature map joins.
    sampling : {"uniform", "grid", "sobol"}, default="uniform"
        How points of ``(0, 2 pi]^n`` are drawn:

        - "uniform": independently;
        - "grid": from a grid of 5000, 100 or 20 points on each of 1, 2 or 3 axes, none of them
          twice;
        - "sobol": as a scrambled Sobol sequence, which covers the cube evenly.
    labels : {"expectation", "measurement"}, default="expectation"
        Whether the label is the sign of the expectation value, or the outcome of one measurement:
        then it is 1 with probability ``(1 + e) / 2``, and no classifier can be right always.
    unitary : {"haar", "qiskit"}, default="haar"
        Law of the unitary matrix in the measurement: the Haar measure, or what the function
        ``ad_hoc_data`` of qiskit-machine-learning draws, the eigenvectors of :math:`A^\dagger A`
        with real and imaginary parts of A uniform on [0, 1), in descending order of eigenvalues.
    return_unitary : bool, default=False
        Return the matrix too.
    random_state : int, RandomState instance or None, default=None
        Seed of the matrix, the points and their order.

    Returns
    -------
    X_train : ndarray of shape (2 * n_train, n_qubits)
        Training points, in ``(0, 2 pi]``. Classes are mixed at random.
    y_train : ndarray of shape (2 * n_train,)
        Their labels, 1 and -1, equally many.
    X_test : ndarray of shape (2 * n_test, n_qubits)
        Test points.
    y_test : ndarray of shape (2 * n_test,)
        Their labels.
    V : ndarray of shape (2**n_qubits, 2**n_qubits)
        The unitary matrix, complex. Bit i of the index of an amplitude is qubit i. Only with
        ``return_unitary=True``.

    Raises
    ------
    ValueError
        If `sampling` is "grid" with more than 3 qubits, the grid has not enough points of a class,
        or `entanglement` does not fit.
    RuntimeError
        If there are not enough points of each class among 10 million, or that is foreseeable.

    See Also
    --------
    skmatrix.svm.QuantumKernelSVC : Classifier with the kernel of the feature map.
    skmatrix.svm.VariationalQuantumClassifier : Trained circuit behind the feature map.

    Notes
    -----
    With the state :math:`|\Phi(x)\rangle` of the feature map "zz" and the parity
    :math:`f = Z \otimes \dots \otimes Z`, the expectation value is

    .. math:: e(x) = \langle\Phi(x)| V^\dagger f V |\Phi(x)\rangle.

    A point with :math:`e \ge \Delta` has the label 1, with :math:`e \le -\Delta` the label -1, and
    others are drawn anew. Each draw takes :math:`O(4^n)`.

    References
    ----------
    .. [1] Vojtěch Havlíček, Antonio D. Córcoles, Kristan Temme, Aram W. Harrow, Abhinav Kandala,
       Jerry M. Chow, Jay M. Gambetta, "Supervised learning with quantum enhanced feature spaces",
       Nature 567, 2019. :arxiv:`1804.11326`

    Examples
    --------
    >>> from skmatrix.datasets import make_ad_hoc
    >>> X_train, y_train, X_test, y_test = make_ad_hoc(random_state=0)
    >>> X_train.shape, X_test.shape, int(y_train.sum())
    ((40, 2), (40, 2), 0)
    """
    rng = check_random_state(random_state)
    draw = {"uniform": _uniform, "grid": _grid, "sobol": _sobol}[sampling](n_qubits, rng)
    V = (_haar_unitary if unitary == "haar" else _qiskit_unitary)(n_qubits, rng)
    expectation = _expectation(V, n_qubits, reps, entanglement)

    def label(X):
        values = expectation(X)
        if labels == "measurement":
            return np.where(2 * rng.random_sample(len(X)) < 1 + values, 1, -1)
        return np.sign(values).astype(int) * (np.abs(values) >= gap)

    described = f"n_qubits={n_qubits} and gap={gap:g}"
    positive, negative = _collect(draw, label, n_train + n_test, n_qubits, described)
    parts = []
    for rows in (slice(n_train), slice(n_train, None)):
        X = np.concatenate([positive[rows], negative[rows]])
        order = rng.permutation(len(X))
        y = np.repeat([1, -1], len(X) // 2)
        parts += [X[order], y[order]]
    return (*parts, V) if return_unitary else tuple(parts)


def _collect(draw, label, n_each, n_qubits, described):
    """As many points of the label 1, and of -1, as are wanted of each."""
    found = {1: np.empty((0, n_qubits)), -1: np.empty((0, n_qubits))}
    largest, drawn, size = max(1, _BATCH >> n_qubits), 0, 256
    while (fewest := min(map(len, found.values()))) < n_each:
        short = f"{fewest} points of a label, of {n_each} that are wanted"
        # Even with three standard deviations of luck there would be too few.
        hopeless = (fewest + 3 * fewest**0.5 + 5) * _MAX_CANDIDATES < n_each * drawn
        if hopeless or drawn >= _MAX_CANDIDATES:
            raise RuntimeError(
                f"{drawn} points were drawn for {described}, and they gave {short}. Lower gap or"
                " n_qubits, or take another random_state."
            )
        size = min(2 * size, largest)  # a power of two, as Sobol sequences need
        X = draw(size)
        if not len(X):
            raise ValueError(
                f"The grid has for {described} only {short}. Lower gap, n_train or n_test, or take"
                " another sampling."
            )
        y = label(X)
        drawn += len(X)
        found = {sign: np.concatenate([found[sign], X[y == sign]])[:n_each] for sign in found}
    return found[1], found[-1]


def _uniform(n_qubits, rng):
    """Independent points."""
    return lambda size: 2 * np.pi * (1 - rng.random_sample((size, n_qubits)))


def _sobol(n_qubits, rng):
    """The next points of a scrambled sequence."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(n_qubits, seed=rng.randint(np.iinfo(np.int32).max))
    return lambda size: 2 * np.pi * (1 - sequence.random(size))


def _grid(n_qubits, rng):
    """The next points of a grid in random order; at its end fewer, and none."""
    if n_qubits not in _GRID:
        raise ValueError(
            f"sampling='grid' needs at most {max(_GRID)} qubits, got n_qubits={n_qubits}. Use"
            " 'uniform' or 'sobol'."
        )
    points = _GRID[n_qubits]
    rest = rng.permutation(points**n_qubits)

    def draw(size):
        nonlocal rest
        chosen, rest = rest[:size], rest[size:]
        places = np.stack(np.unravel_index(chosen, (points,) * n_qubits), axis=1)
        return 2 * np.pi * (places + 1) / points

    return draw


def _haar_unitary(n_qubits, rng):
    """Q of a complex Gaussian matrix, with the phases that make R's diagonal positive."""
    shape = (2**n_qubits, 2**n_qubits)
    Q, R = np.linalg.qr(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    diagonal = np.diagonal(R)
    return Q * (diagonal / np.abs(diagonal))


def _qiskit_unitary(n_qubits, rng):
    """Eigenvectors as LAPACK's ``geev`` scales them: the largest component is positive.

    Qiskit's amplitudes have qubit 0 as the highest bit in this place: the columns are reordered.
    """
    shape = (2**n_qubits, 2**n_qubits)
    A = rng.random_sample(shape) + 1j * rng.random_sample(shape)
    vectors = np.linalg.eigh(A.conj().T @ A)[1][:, ::-1]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None, :], axis=0)
    vectors = vectors * (np.abs(largest) / largest)
    bits = np.arange(2**n_qubits).reshape((2,) * n_qubits)
    return vectors[:, bits.transpose().ravel()]


def _expectation(V, n_qubits, reps, entanglement):
    """The function e(x) of points."""
    from .._backend import get_backend, to_numpy
    from ..svm._quantum_encoding import make_encoding

    encoding = make_encoding(
        n_qubits, feature_map="zz", reps=reps, entanglement=entanglement, n_qubits=n_qubits
    )
    parity = 1 - 2 * (np.bitwise_count(np.arange(2**n_qubits)).astype(int) % 2)

    def expectation(X):
        states = to_numpy(encoding.states(get_backend("auto", X), X))
        turned = (states[:, : 2**n_qubits] + 1j * states[:, 2**n_qubits :]) @ V.T
        return (np.abs(turned) ** 2) @ parity

    return expectation
