"""Quantum feature maps as a transformer."""

from itertools import product

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import get_backend, to_numpy
from .._sklearn import StrOptions, _check_feature_names_in, _fit_context
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ._quantum_bandwidth import resolve_bandwidth
from ._quantum_drawing import draw_circuit
from ._quantum_encoding import FEATURE_MAP_CONSTRAINTS, MAX_QUBITS, check_memory, encoding_of
from ._quantum_kernel_matrix import QuantumKernel
from ._quantum_kernels import pauli_expectations

# 4^6 expectations are as many as anyone would give to a linear model.
_MAX_PAULI_QUBITS = 6


class QuantumFeatureMap(TransformerMixin, BaseEstimator):
    r"""What a quantum feature map makes of the data, as features.

    Use it in front of a linear model for more samples than a kernel matrix can have: inner products
    of the "pauli" features are the kernel of :class:`QuantumKernelSVC` exactly, and an RBF kernel
    on the "bloch" features is its projected kernel. Do not expect more than from other random or
    polynomial features on everyday data.

    Read more in the :ref:`User Guide <quantum_kernels>`.

    Parameters
    ----------
    feature_map : {"zz", "z", "pauli"}, default="zz"
        The circuit: rotations about Z of qubits and of pairs of qubits, of qubits alone, or those
        of `paulis`.
    output : {"bloch", "pauli", "state"}, default="bloch"
        Features: expectations of X, Y and Z of each qubit, 3 per qubit; expectations of all
        :math:`4^n` Pauli strings over :math:`2^{n/2}`, for at most 6 qubits; or the real and
        imaginary parts of the :math:`2^n` amplitudes.
    paulis : sequence of str, default=("Z", "ZZ")
        Strings over X, Y and Z whose rotations ``feature_map="pauli"`` makes in turn, such as
        ``("Z", "YY")``. The last letter acts on the first qubit of a group, and the sign of the
        angles is that of Qiskit.
    reps : int, default=2
        Repetitions of the circuit; the source paper has two.
    entanglement : {"full", "linear", "circular", "pairwise"} or list of tuple, default="full"
        Groups of qubits that are rotated together: all, neighbours, neighbours in a ring,
        neighbours from even and then from odd qubits, or the given tuples. The order of the
        features matters for all but "full".
    data_map : {"havlicek", "product"} or callable, default="havlicek"
        Angle of several features: the product of :math:`\pi - x_i` or of :math:`x_i`; or a function
        of the data and of a tuple of columns, single ones included, that returns one angle for each
        sample. To pickle the estimator, it must be importable.
    bandwidth : float or "auto", default="auto"
        Factor of the data. "auto" tries eight powers of two: with classes it takes the largest
        centred kernel-target alignment, otherwise the largest spread of the kernel.
    n_qubits : int or None, default=None
        Number of qubits, at most 20; None takes one per feature up to `max_qubits`. Features beyond
        it are uploaded in further blocks.
    max_qubits : int, default=10
        Limit for ``n_qubits=None``.
    dtype : {"complex128", "complex64"}, default="complex128"
        Precision of the amplitudes. The latter takes half of the memory and time, with errors of
        about 1e-6.
    max_memory : float, default=1024
        Memory of states in MB.
    random_state : int, RandomState instance or None, default=None
        Source of the sample of 1000 rows that "auto" looks at if there are more.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where states are computed.

    Attributes
    ----------
    bandwidth_ : float
        Factor of the data.
    n_qubits_ : int
        Number of qubits.
    n_blocks_ : int
        Blocks of features that are uploaded one after the other.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    QuantumKernelSVC : Support vectors with the kernel of these features.
    sklearn.kernel_approximation.Nystroem : Features of any kernel, approximately.

    Notes
    -----
    With the state of equation (1) of :class:`QuantumKernelSVC`,

    (1) "bloch" has :math:`\langle\Phi(x)|P_i|\Phi(x)\rangle` [2]_ for P in X, Y, Z and each
    qubit i.

    (2) "pauli" has :math:`2^{-n/2}\langle\Phi(x)|P|\Phi(x)\rangle` for all Pauli strings P, so that
    :math:`\sum_P f_P(x) f_P(z) = |\langle\Phi(x)|\Phi(z)\rangle|^2`, the kernel of [1]_.

    States take time :math:`O(n\,2^n)` and memory :math:`O(2^n)` per sample, "pauli" time
    :math:`O(n\,4^n)`.

    References
    ----------
    .. [1] Vojtěch Havlíček, Antonio D. Córcoles, Kristan Temme, Aram W. Harrow, Abhinav Kandala,
       Jerry M. Chow, Jay M. Gambetta, "Supervised learning with quantum enhanced feature spaces",
       Nature 567, 2019. :arxiv:`1804.11326`

    .. [2] Hsin-Yuan Huang, Michael Broughton, Masoud Mohseni, Ryan Babbush, Sergio Boixo, Hartmut
       Neven, Jarrod R. McClean, "Power of data in quantum machine learning", Nature Communications
       12, 2021. :arxiv:`2011.01938`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skmatrix.svm import QuantumFeatureMap
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), QuantumFeatureMap(), LogisticRegression(C=100))
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    _parameter_constraints: dict = {
        **FEATURE_MAP_CONSTRAINTS,
        "output": [StrOptions({"bloch", "pauli", "state"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        feature_map="zz",
        *,
        output="bloch",
        paulis=("Z", "ZZ"),
        reps=2,
        entanglement="full",
        data_map="havlicek",
        bandwidth="auto",
        n_qubits=None,
        max_qubits=10,
        dtype="complex128",
        max_memory=1024,
        random_state=None,
        backend="auto",
    ):
        self.feature_map = feature_map
        self.output = output
        self.paulis = paulis
        self.reps = reps
        self.entanglement = entanglement
        self.data_map = data_map
        self.bandwidth = bandwidth
        self.n_qubits = n_qubits
        self.max_qubits = max_qubits
        self.dtype = dtype
        self.max_memory = max_memory
        self.random_state = random_state
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Choose the bandwidth.

        There is no fit on a dask array: fit on a sample, then transform the array.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,), default=None
            Classes, which ``bandwidth="auto"`` looks at; other targets are ignored.

        Returns
        -------
        self : QuantumFeatureMap
            The fitted estimator.

        Raises
        ------
        ValueError
            If the circuit does not fit the data or the memory, or y is of another length.

        Warns
        -----
        UserWarning
            If there are more features than qubits, or features that no rotation reads.
        """
        with all_or_nothing(self, ("_encoding", "_place")):
            be = get_backend(self.backend, X)
            X = validate_data(self, X, dtype=be.float_dtypes, order="C")
            self._encoding = encoding_of(self)
            self.n_qubits_, self.n_blocks_ = self._encoding.n_qubits, self._encoding.n_blocks
            self._check_output()
            data = to_numpy(X).astype(np.float64, copy=False)
            self.bandwidth_ = resolve_bandwidth(
                self,
                self._encoding,
                be,
                data,
                _classes_of(y, data.shape[0]),
                np.ones(data.shape[0]),
                self.random_state,
            )
            self._kernel()
            # Where the data were, which nothing else that is fitted tells.
            self._place = be.unload(np.zeros(0))
        return self

    def _check_output(self):
        """Refuse an output of too many features."""
        if self.output == "pauli" and self.n_qubits_ > _MAX_PAULI_QUBITS:
            raise ValueError(
                f"output='pauli' has 4**n_qubits features: n_qubits={self.n_qubits_} must be at"
                f" most {_MAX_PAULI_QUBITS}. Lower n_qubits or max_qubits, or take output='bloch'."
            )
        if self.output == "state" and self.n_qubits_ > MAX_QUBITS:
            raise ValueError(
                f"output='state' has 2 * 2**n_qubits features: n_qubits={self.n_qubits_} must be at"
                f" most {MAX_QUBITS}. Lower n_qubits, or take output='bloch'."
            )
        if self.output != "bloch":
            check_memory(2, self.n_qubits_, self.max_memory, self.dtype)

    def _kernel(self):
        """The states that are to be measured; those of all qubits together if need be."""
        return QuantumKernel.of(self, self._encoding, self.bandwidth_)

    def transform(self, X):
        """Features of the data.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        features : array of shape (n_samples, n_features_out)
            The features; lazy for a dask array.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._quantum_kernel import transform_row_blocks

            return transform_row_blocks(self, X)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "_place", "transform")
        data = to_numpy(X).astype(np.float64, copy=False)
        features = self._features(be, data)
        return be.unload_as(features, X.dtype)

    def _features(self, be, data):
        """Features on the host."""
        kernel = self._kernel()
        if self.output == "bloch":
            return kernel.bloch(be, data)

        def measure(states):
            if self.output == "state":
                return states
            return pauli_expectations(be, states, n_qubits=self.n_qubits_)

        return kernel.joint().rows(be, data, measure, self._n_features_out)

    def draw(self):
        """The circuit in text.

        Returns
        -------
        text : str
            One line for each qubit: H is a Hadamard gate, and a letter with a number is a Pauli
            letter of the rotation by the angle of that number in the list below, where x0 is the
            first feature times the bandwidth.
        """
        check_is_fitted(self)
        return draw_circuit(self._encoding, self.bandwidth_)

    def get_feature_names_out(self, input_features=None):
        """Names of the features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input; only checked.

        Returns
        -------
        names : ndarray of str
            Such as "bloch_x0", "pauli_XIZ" (last letter for the first qubit), "state_re_010".
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features)
        return np.array(self._names(), dtype=object)

    def _names(self):
        """Names of the features."""
        n, size = self.n_qubits_, 2**self.n_qubits_
        if self.output == "bloch":
            return [f"bloch_{axis}{q}" for q in range(n) for axis in "xyz"]
        if self.output == "state":
            return [f"state_{part}_{b:0{n}b}" for part in ("re", "im") for b in range(size)]
        letter = {(0, 0): "I", (1, 0): "X", (0, 1): "Z", (1, 1): "Y"}
        return [
            "pauli_" + "".join(letter[flip >> q & 1, sign >> q & 1] for q in reversed(range(n)))
            for flip, sign in product(range(size), repeat=2)
        ]

    @property
    def _n_features_out(self):
        """Number of features."""
        return {
            "bloch": 3 * self.n_qubits_,
            "pauli": 4**self.n_qubits_,
            "state": 2 * 2**self.n_qubits_,
        }[self.output]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _classes_of(y, n_samples):
    """Codes of a target that has classes, else None."""
    if y is None:
        return None
    y = to_numpy(y)
    if y.ndim and y.shape[0] != n_samples:
        raise ValueError(f"y must have a label for each of {n_samples} samples. Got {y.shape[0]}.")
    assert_all_finite(y, input_name="y")
    # scikit-learn asks whether numbers are whole by a cast, which warns of large ones.
    with np.errstate(invalid="ignore"):
        classes = y.ndim and type_of_target(y) in ("binary", "multiclass")
    if not classes:
        return None
    return np.unique(np.ravel(y), return_inverse=True)[1]
