"""Kernels as functions of two sets of samples."""

from numbers import Real

import numpy as np
from sklearn.utils.validation import check_array

from .._backend import get_backend, to_numpy
from .._sklearn import Interval, validate_params
from ..svm._quantum_encoding import FEATURE_MAP_CONSTRAINTS, check_memory, make_encoding
from ..svm._quantum_kernel_matrix import QuantumKernel

__all__ = ["quantum_kernel"]


@validate_params(
    {
        **FEATURE_MAP_CONSTRAINTS,
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def quantum_kernel(
    X,
    Y=None,
    *,
    feature_map="zz",
    paulis=("Z", "ZZ"),
    reps=2,
    entanglement="full",
    data_map="havlicek",
    bandwidth=1.0,
    n_qubits=None,
    max_qubits=10,
    dtype="complex128",
    max_memory=1024,
    backend="auto",
):
    r"""Fidelities of the states of a quantum feature map.

    Use it for kernel methods that take a precomputed kernel, or as the `kernel` of
    :class:`~sklearn.svm.SVC`; nothing chooses the bandwidth here.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        Samples.
    Y : array-like of shape (n_samples_Y, n_features), default=None
        Samples; None takes X.
    feature_map : {"zz", "z", "pauli"}, default="zz"
        The circuit; this and what follows is as for :class:`~skmatrix.svm.QuantumKernelSVC`.
    paulis : sequence of str, default=("Z", "ZZ")
        Strings whose rotations ``feature_map="pauli"`` makes in turn.
    reps : int, default=2
        Repetitions of the circuit.
    entanglement : {"full", "linear", "circular", "pairwise"} or list of tuple, default="full"
        Groups of qubits that are rotated together.
    data_map : {"havlicek", "product"} or callable, default="havlicek"
        Angle of several features.
    bandwidth : float, default=1.0
        Factor of the data. For standardised data, much smaller ones are better.
    n_qubits : int, default=None
        Number of qubits; None takes one per feature up to `max_qubits`.
    max_qubits : int, default=10
        Limit for ``n_qubits=None``.
    dtype : {"complex128", "complex64"}, default="complex128"
        Precision of the amplitudes.
    max_memory : float, default=1024
        Memory of states in MB.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where states and their products are computed.

    Returns
    -------
    K : array of shape (n_samples_X, n_samples_Y)
        ``|<Phi(x)|Phi(y)>|^2``.

    Raises
    ------
    ValueError
        If the circuit does not fit the data or the memory.

    See Also
    --------
    skmatrix.svm.QuantumKernelSVC : Support vectors with this kernel and a tuned bandwidth.

    References
    ----------
    .. [1] Vojtěch Havlíček, Antonio D. Córcoles, Kristan Temme, Aram W. Harrow, Abhinav Kandala,
       Jerry M. Chow, Jay M. Gambetta, "Supervised learning with quantum enhanced feature spaces",
       Nature 567, 2019. :arxiv:`1804.11326`

    Examples
    --------
    >>> from skmatrix.metrics.pairwise import quantum_kernel
    >>> quantum_kernel([[0.0], [1.0]], feature_map="z", reps=1).round(3)
    array([[1.   , 0.292],
           [0.292, 1.   ]])
    """
    be = get_backend(backend, X)
    X = check_array(X, dtype=be.float_dtypes, input_name="X")
    right = None
    if Y is not None:
        Y = check_array(be.follow(Y), dtype=be.float_dtypes, input_name="Y")
        if Y.shape[1] != X.shape[1]:
            raise ValueError(
                f"Y must have the {X.shape[1]} features of X. Got an array of shape {Y.shape}."
            )
        right = to_numpy(Y).astype(np.float64, copy=False)
    encoding = make_encoding(
        X.shape[1],
        feature_map=feature_map,
        paulis=paulis,
        reps=reps,
        entanglement=entanglement,
        data_map=data_map,
        n_qubits=n_qubits,
        max_qubits=max_qubits,
    )
    if not encoding.separable:
        check_memory(2, encoding.n_qubits, max_memory, dtype)
    kernel = QuantumKernel(encoding, float(bandwidth), dtype, max_memory)
    K = kernel.fidelity(be, to_numpy(X).astype(np.float64, copy=False), right)
    return be.unload_as(K, X.dtype)
