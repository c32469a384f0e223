"""Support vector classification with the kernel of a quantum feature map."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import get_backend, to_numpy
from .._iterate import warn_caller
from .._sklearn import Interval, StrOptions, _check_sample_weight, _fit_context
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ..metrics._kernels import kernel_alignment
from ._classes import weighted_classes
from ._quantum_bandwidth import projected_kernel, resolve_bandwidth, resolve_gamma
from ._quantum_device import Fidelities, measured_bloch
from ._quantum_encoding import FEATURE_MAP_CONSTRAINTS, encoding_of
from ._quantum_kernel_matrix import QuantumKernel
from ._quantum_measurement import kernel_concentrated

# Rows of a test kernel that are held at once with a column for each training sample.
_QUERIES = 2048

_PRIVATE = ("_encoding", "_machine", "_measurement", "_seeds")


@dataclass
class _Machine:
    """The solver on the host, and what kernels of queries need.

    Attributes
    ----------
    solver : SVC
        Fitted to the samples with a weight.
    known : float64 ndarray
        Samples, or Bloch vectors, that have a column in the kernel of queries.
    used : bool ndarray of shape (n_samples,)
        Which training samples have a weight.
    noise : float
        Probability of complete depolarisation.
    shots : int or None
        Measurements behind each number.
    """

    solver: SVC
    known: np.ndarray
    used: np.ndarray
    noise: float
    shots: int | None


class QuantumKernelSVC(ClassifierMixin, BaseEstimator):
    r"""Support vector classification with the kernel of a quantum feature map.

    Use it to study quantum kernels on data, exactly or as a device with finitely many shots and
    noise would give them, or as one more kernel in a grid search. On everyday data, a tuned quantum
    kernel is about as good as a tuned RBF kernel, and :class:`~sklearn.svm.SVC` is faster; on data
    that are made from such a feature map (:func:`~skmatrix.datasets.make_ad_hoc`) it is far better.

    Read more in the :ref:`User Guide <quantum_kernels>`.

    Parameters
    ----------
    feature_map : {"zz", "z", "pauli"}, default="zz"
        The circuit: rotations about Z of qubits and of pairs of qubits, as in the source paper; of
        qubits alone; or those of `paulis`.
    kernel : {"fidelity", "projected"}, default="fidelity"
        The squared overlap of two states, as in the source paper; or an RBF kernel on the density
        matrices of single qubits, which keeps its spread with more qubits.
    C : float, default=1.0
        Inverse strength of the penalty of :class:`~sklearn.svm.SVC`.
    gamma : "scale" or float, default="scale"
        Inverse width of the projected kernel, equation (3); "scale" is 2 over the number of Bloch
        coordinates and their variance.
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
        Factor c of the data. "auto" takes that of the largest centred kernel-target alignment among
        :math:`2^{-7}, \ldots, 1`, moved by a power of two for data that are not of about the scale
        of standardised data or of angles. With c = 1, kernels of real data are mostly noise.
    n_qubits : int or None, default=None
        Number of qubits, at most 20 (any number for "z"); None takes one per feature up to
        `max_qubits`. Features beyond it are uploaded in further blocks.
    max_qubits : int, default=10
        Limit for ``n_qubits=None``.
    shots : int or None, default=None
        Measurements behind each entry of the kernel, or each Bloch coordinate; None for exact ones.
        Predictions are measured as in the fit.
    noise : float, default=0.0
        Probability of complete depolarisation of a state, from 0 to below 1.
    mitigate : {None, "average", "split"}, default=None
        Whether to undo the depolarisation that the measured diagonal of the fidelity kernel shows:
        with one factor for all, or one for each sample.
    psd : {"auto", "clip", "shift", "flip", "nearest", None}, default="auto"
        Repair of negative eigenvalues: set to zero, shift all, take absolute values, or take the
        nearest matrix with unit diagonal; "auto" clips if `shots` or `noise` made some.
    class_weight : dict, "balanced" or None, default=None
        Weights of classes, as for :class:`~sklearn.svm.SVC`.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        Shape of the decision function for more than two classes.
    break_ties : bool, default=False
        Whether ties of votes go to the larger decision value.
    tol : float, default=1e-3
        Tolerance of the solver.
    max_iter : int, default=-1
        Limit of its iterations; -1 for none.
    cache_size : float, default=200
        Its cache in MB.
    store_kernel : bool, default=False
        Whether to keep the training kernel.
    dtype : {"complex128", "complex64"}, default="complex128"
        Precision of the amplitudes. The latter takes half of the memory and time, with errors of
        the kernel of about 1e-6.
    max_memory : float, default=1024
        Memory of states in MB; with more samples they are computed in tiles, several times.
    random_state : int, RandomState instance or None, default=None
        Source of shots, and of the sample of 1000 rows that "auto" looks at if there are more.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where states and their products are computed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the samples with a weight.
    bandwidth_ : float
        Factor of the data.
    kernel_alignment_ : float
        Centred alignment of the training kernel with the classes.
    gamma_ : float
        Inverse width. Only with ``kernel="projected"``.
    n_qubits_ : int
        Number of qubits.
    n_blocks_ : int
        Blocks of features that are uploaded one after the other.
    support_ : array of shape (n_support,)
        Indices of the support vectors.
    support_vectors_ : array of shape (n_support, n_features)
        Support vectors.
    n_support_ : array of shape (n_classes,)
        Number of support vectors of each class.
    dual_coef_ : array of shape (n_classes - 1, n_support)
        Their coefficients, as in :class:`~sklearn.svm.SVC`.
    intercept_ : array of shape (n_classes * (n_classes - 1) / 2,)
        Constants of the decision functions.
    n_iter_ : array of shape (n_classes * (n_classes - 1) / 2,)
        Iterations of the solver for each pair of classes.
    n_negative_eigenvalues_ : int
        Negative eigenvalues of the measured kernel, 0 where it was not looked at.
    psd_shift_ : float
        What ``psd="shift"`` added to the eigenvalues.
    kernel_matrix_ : array of shape (n_samples, n_samples)
        The kernel that was trained on, of the samples with a weight. Only with
        ``store_kernel=True``.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    See Also
    --------
    VariationalQuantumClassifier : A trained circuit behind the same feature map.
    QuantumFeatureMap : The feature map as a transformer, for many samples.
    skmatrix.metrics.geometric_difference : What a quantum kernel could do that another cannot.

    Notes
    -----
    (1) The state of a sample, for n qubits and r repetitions [1]_, is :math:`|\Phi(x)\rangle =
    \left(U_\Phi(x) H^{\otimes n}\right)^r |0\rangle` with :math:`U_\Phi(x) = \exp\left(i \sum_S
    \phi_S(c x) \prod_{i \in S} Z_i\right)`, :math:`\phi_{\{i\}}(x) = x_i` and
    :math:`\phi_{\{i,j\}}(x) = (\pi - x_i)(\pi - x_j)`. The phases are a diagonal, and Hadamard
    gates on all qubits a fast Walsh-Hadamard transform: :math:`O(n\,2^n)` per sample. More features
    than qubits give further factors :math:`U_\Phi H^{\otimes n}` in each repetition.

    (2) Fidelity: :math:`K(x, z) = |\langle\Phi(x)|\Phi(z)\rangle|^2`. For "z" it is a product over
    the qubits, whatever their number.

    (3) Projected [2]_: :math:`K(x, z) = \exp(-\gamma \sum_i \|\rho_i(x) - \rho_i(z)\|_F^2)` with
    the density matrices of single qubits, whose squared distance is half of that of their Bloch
    vectors.

    (4) Noise p replaces K by :math:`(1-p)^2 K + (1 - (1-p)^2) / 2^n`; R shots by binomial counts
    over R, symmetric and drawn once per pair. From the measured diagonal, :math:`\lambda_i^2 =
    (K_{ii} - 2^{-n}) / (1 - 2^{-n})` undoes it [3]_.

    (5) "auto" maximises :math:`\langle K_c, Y_c\rangle / (\|K_c\| \|Y_c\|)` of the centred kernel
    and the centred ideal one [4]_, weighted by `sample_weight`.

    The kernel of m samples takes :math:`O(m^2 2^n)`, training what SVC takes for it, and a
    prediction :math:`2^n` per support vector (all training samples if the kernel was clipped or
    flipped). There are no probabilities: wrap it in
    :class:`~sklearn.calibration.CalibratedClassifierCV`.

    References
    ----------
    .. [1] Vojtěch Havlíček, Antonio D. Córcoles, Kristan Temme, Aram W. Harrow, Abhinav Kandala,
       Jerry M. Chow, Jay M. Gambetta, "Supervised learning with quantum enhanced feature spaces",
       Nature 567, 2019. :arxiv:`1804.11326`

    .. [2] Hsin-Yuan Huang, Michael Broughton, Masoud Mohseni, Ryan Babbush, Sergio Boixo, Hartmut
       Neven, Jarrod R. McClean, "Power of data in quantum machine learning", Nature Communications
       12, 2021. :arxiv:`2011.01938`

    .. [3] Thomas Hubregtsen, David Wierichs, Elies Gil-Fuster, Peter-Jan H. S. Derks, Paul K.
       Faehrmann, Johannes Jakob Meyer, "Training quantum embedding kernels on near-term quantum
       computers", Physical Review A 106, 2022. :arxiv:`2105.02276`

    .. [4] Corinna Cortes, Mehryar Mohri, Afshin Rostamizadeh, "Algorithms for learning kernels
       based on centered alignment", Journal of Machine Learning Research 13, 2012.
       :arxiv:`1203.0550`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skmatrix.svm import QuantumKernelSVC
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), QuantumKernelSVC(C=10)).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints: dict = {
        **FEATURE_MAP_CONSTRAINTS,
        "kernel": [StrOptions({"fidelity", "projected"})],
        "C": [Interval(Real, 0, None, closed="neither")],
        "gamma": [StrOptions({"scale"}), Interval(Real, 0, None, closed="neither")],
        "shots": [Interval(Integral, 1, None, closed="left"), None],
        "noise": [Interval(Real, 0, 1, closed="left")],
        "mitigate": [StrOptions({"average", "split"}), None],
        "psd": [StrOptions({"auto", "clip", "shift", "flip", "nearest"}), None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "decision_function_shape": [StrOptions({"ovr", "ovo"})],
        "break_ties": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, -1, None, closed="left")],
        "cache_size": [Interval(Real, 0, None, closed="neither")],
        "store_kernel": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        feature_map="zz",
        *,
        kernel="fidelity",
        C=1.0,
        gamma="scale",
        paulis=("Z", "ZZ"),
        reps=2,
        entanglement="full",
        data_map="havlicek",
        bandwidth="auto",
        n_qubits=None,
        max_qubits=10,
        shots=None,
        noise=0.0,
        mitigate=None,
        psd="auto",
        class_weight=None,
        decision_function_shape="ovr",
        break_ties=False,
        tol=1e-3,
        max_iter=-1,
        cache_size=200,
        store_kernel=False,
        dtype="complex128",
        max_memory=1024,
        random_state=None,
        backend="auto",
    ):
        self.feature_map = feature_map
        self.kernel = kernel
        self.C = C
        self.gamma = gamma
        self.paulis = paulis
        self.reps = reps
        self.entanglement = entanglement
        self.data_map = data_map
        self.bandwidth = bandwidth
        self.n_qubits = n_qubits
        self.max_qubits = max_qubits
        self.shots = shots
        self.noise = noise
        self.mitigate = mitigate
        self.psd = psd
        self.class_weight = class_weight
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.tol = tol
        self.max_iter = max_iter
        self.cache_size = cache_size
        self.store_kernel = store_kernel
        self.dtype = dtype
        self.max_memory = max_memory
        self.random_state = random_state
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Choose the bandwidth and train on the kernel.

        There is no fit on a dask array, as the solver needs the whole kernel: fit on a sample, from
        which the other methods take dask arrays; or train
        :class:`~sklearn.linear_model.SGDClassifier` by `partial_fit` on blocks of features of
        :class:`QuantumFeatureMap`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples: factors of C, and of their part in the alignment. Those of
            weight 0 are as if they were not there.

        Returns
        -------
        self : QuantumKernelSVC
            The fitted estimator.

        Raises
        ------
        ValueError
            If the circuit does not fit the data or the memory, there is one class only, or
            `mitigate` is asked for and cannot be had.

        Warns
        -----
        UserWarning
            If there are more features than qubits or features that no rotation reads, or the
            kernel is nearly the same for all pairs of samples.
        """
        with all_or_nothing(self, _PRIVATE):
            be = get_backend(self.backend, X)
            y, sample_weight = be.follow(y, sample_weight)
            X, y = validate_data(self, X, y, dtype=be.float_dtypes, order="C")
            check_classification_targets(y)
            weight = to_numpy(_check_sample_weight(sample_weight, X, ensure_non_negative=True))
            self.classes_, codes, used = weighted_classes(to_numpy(y), weight)
            self._check_mitigation()
            self._encoding = encoding_of(self)
            self.n_qubits_, self.n_blocks_ = self._encoding.n_qubits, self._encoding.n_blocks
            QuantumKernel.of(self, self._encoding, 1.0)
            weight = weight[used].astype(np.float64)
            rng = check_random_state(self.random_state)
            seeds = rng.randint(np.iinfo(np.int32).max, size=3)
            data = to_numpy(X)[used].astype(np.float64, copy=False)
            self.bandwidth_ = resolve_bandwidth(
                self, self._encoding, be, data, codes, weight, int(seeds[0])
            )
            self._seeds = {"train": int(seeds[1]), "test": int(seeds[2])}
            K, known = self._training_kernel(be, data, weight)
            frequencies = self._measurement is not None
            message = kernel_concentrated(K, self.shots if frequencies else None)
            if message is not None:
                warn_caller(message, UserWarning)
            self.kernel_alignment_ = kernel_alignment(K, codes, sample_weight=weight)
            given = sample_weight is not None
            # Without the samples of weight 0: scikit-learn takes the positions of the support
            # vectors among the others for those among all.
            solver = self._new_svc()
            solver.fit(K, self.classes_[codes], sample_weight=weight if given else None)
            self._set_fitted(be, X, K, solver, known, used)
        return self

    def _check_mitigation(self):
        """Refuse a mitigation of what is not measured."""
        if self.mitigate is not None and self.kernel == "projected":
            raise ValueError(
                f"mitigate={self.mitigate!r} undoes noise of fidelities: with kernel='projected' it"
                " must be None."
            )

    def _new_svc(self):
        """The solver."""
        return SVC(
            C=self.C,
            kernel="precomputed",
            class_weight=self.class_weight,
            decision_function_shape=self.decision_function_shape,
            break_ties=self.break_ties,
            tol=self.tol,
            max_iter=self.max_iter,
            cache_size=self.cache_size,
        )

    def _training_kernel(self, be, data, weight):
        """The kernel to train on, as measured and repaired, and what kernels of queries need."""
        self.n_negative_eigenvalues_, self.psd_shift_ = 0, 0.0
        rng = np.random.RandomState(self._seeds["train"])
        kernel = QuantumKernel.of(self, self._encoding, self.bandwidth_)
        if self.kernel == "projected":
            features = measured_bloch(kernel.bloch(be, data), self.noise, self.shots, rng)
            self.gamma_ = resolve_gamma(self.gamma, features, weight)
            self._measurement = None
            return projected_kernel(features, None, self.gamma_), features
        if hasattr(self, "gamma_"):
            del self.gamma_
        self._measurement = Fidelities(
            self.n_qubits_, self.noise, self.shots, self.mitigate, self.psd
        )
        K = self._measurement.train(kernel.fidelity(be, data), rng)
        self.n_negative_eigenvalues_ = self._measurement.repair.n_negative
        self.psd_shift_ = self._measurement.repair.shift
        return K, data

    def _set_fitted(self, be, X, K, svc, known, used):
        """Attributes of the solver, in X's library and dtype."""
        dtype = to_numpy(X).dtype
        support = np.flatnonzero(used)[svc.support_].astype(svc.support_.dtype)
        self.support_, self.n_support_, self.n_iter_ = be.unload(
            support, svc.n_support_, svc.n_iter_
        )
        self.support_vectors_ = be.unload(to_numpy(X)[support])
        self.dual_coef_, self.intercept_ = be.unload(
            svc.dual_coef_.astype(dtype), svc.intercept_.astype(dtype)
        )
        if not self._needs_all_columns:
            known = known[svc.support_]
        self._machine = _Machine(svc, known, used, self.noise, self.shots)
        if self.store_kernel:
            self.kernel_matrix_ = be.unload(K.astype(dtype))
        elif hasattr(self, "kernel_matrix_"):
            del self.kernel_matrix_

    def decision_function(self, X):
        """Decision values.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Data.

        Returns
        -------
        decision : array of shape (n_queries,) or (n_queries, n_functions)
            Positive for the second of two classes; for more, a column for each class, or for each
            pair with ``decision_function_shape="ovo"``. Lazy for a dask array.

        Raises
        ------
        ValueError
            If X is a dask array and the kernel is measured with `shots`.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._quantum_kernel import ask_row_blocks

            return ask_row_blocks(self, X, "decision_function")
        be, dtype, decision = self._asked(X, "decision_function")
        return be.unload_as(decision, dtype)

    def predict(self, X):
        """Labels.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_queries, n_features)
            Data.

        Returns
        -------
        labels : array of shape (n_queries,)
            Labels; lazy for a dask array.

        Raises
        ------
        ValueError
            If X is a dask array and the kernel is measured with `shots`.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._quantum_kernel import ask_row_blocks

            return ask_row_blocks(self, X, "predict")
        be, _, labels = self._asked(X, "predict")
        return be.labels(self.classes_, np.searchsorted(self.classes_, labels))

    def _asked(self, X, method):
        """Back end, dtype of X, and what a method of the solver gives, on the host."""
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "support_vectors_", method)
        data = to_numpy(X).astype(np.float64, copy=False)
        rng = np.random.RandomState(self._seeds["test"])
        ask = getattr(self._machine.solver, method)
        # The solver wants a column for each training sample, of which it reads some.
        parts = [
            ask(self._test_kernel(be, data[begin : begin + _QUERIES], rng))
            for begin in range(0, data.shape[0], _QUERIES)
        ]
        return be, X.dtype, np.concatenate(parts)

    @property
    def _test_shots(self):
        """Measurements behind each entry of the kernel of queries."""
        return self._machine.shots

    @property
    def _needs_all_columns(self):
        """Whether kernels of queries rest on all training samples, support vectors or not."""
        return self._measurement is not None and self._measurement.repair.needs_all_rows

    def _test_kernel(self, be, data, rng):
        """Kernel of some queries and all training samples; 0 where nobody looks."""
        kernel = QuantumKernel.of(self, self._encoding, self.bandwidth_)
        svc, known = self._machine.solver, self._machine.known
        if self._measurement is None:
            machine = self._machine
            features = measured_bloch(kernel.bloch(be, data), machine.noise, machine.shots, rng)
            columns = projected_kernel(features, known, self.gamma_)
        else:
            exact = kernel.fidelity(be, data, known)
            columns = self._measurement.test(exact, rng, svc.support_)
        if self._needs_all_columns:
            return columns
        # Support vectors are in the order of their classes, even if all samples are some.
        K = np.zeros((data.shape[0], svc.shape_fit_[1]))
        K[:, svc.support_] = columns
        return K

    def kernel_matrix(self, X, Z=None):
        """The kernel with the fitted bandwidth, exact: without shots, noise and repair.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n, n_features)
            Data.
        Z : array-like of shape (m, n_features), default=None
            Data; None takes X. A dask array too, computed at once if X is in memory.

        Returns
        -------
        K : array of shape (n, m)
            The kernel. Lazy if X is a dask array, whose blocks of rows each compute their own rows
            from all of Z.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._quantum_kernel import kernel_row_blocks

            return kernel_row_blocks(self, X, Z)
        if is_dask(Z):
            Z = Z.compute()
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "support_vectors_", "kernel_matrix")
        left, right = to_numpy(X).astype(np.float64, copy=False), None
        if Z is not None:
            Z = validate_data(self, be.follow(Z), reset=False, dtype=be.float_dtypes, order="C")
            right = to_numpy(Z).astype(np.float64, copy=False)
        kernel = QuantumKernel.of(self, self._encoding, self.bandwidth_)
        if self._measurement is None:
            features = None if right is None else kernel.bloch(be, right)
            K = projected_kernel(kernel.bloch(be, left), features, self.gamma_)
        else:
            K = kernel.fidelity(be, left, right)
        return be.unload_as(K, X.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.non_deterministic = self.shots is not None
        return tags
