"""Classification by a trained quantum circuit behind a feature map."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import get_backend, to_numpy
from .._iterate import tasks, warn_unfinished
from .._sklearn import Interval, StrOptions, _check_sample_weight, _fit_context
from .._transaction import all_or_nothing
from ._classes import weighted_classes
from ._quantum_bandwidth import resolve_bandwidth
from ._quantum_encoding import (
    FEATURE_MAP_CONSTRAINTS,
    check_memory,
    check_qubits,
    encoding_of,
    entangled_qubits,
)
from ._quantum_kernel_matrix import QuantumKernel
from ._variational_loss import binary_probability, class_readout, log_scores
from ._variational_training import LOSSES, Circuit, Objective, train

# Copies of the states of all training samples at once: as they are, behind the circuit, and on the
# way back. The twins work on a few samples at a time, array functions on all.
_COPIES, _COPIES_OF_ARRAYS = 4, 10


class VariationalQuantumClassifier(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    r"""Classification by a trained quantum circuit behind a feature map.

    Use it to study variational circuits, with exact gradients or as a device with finitely many
    shots would train them. With the same feature map, :class:`QuantumKernelSVC` finds the best
    decision of all measurements by a convex problem, in less time.

    Read more in the :ref:`User Guide <quantum_kernels>`.

    Parameters
    ----------
    feature_map : {"zz", "z", "pauli"}, default="zz"
        The circuit that encodes a sample, as for :class:`QuantumKernelSVC`.
    n_layers : int, default=2
        Entangling layers of the trained circuit; 0 for rotations alone. The source paper has 0 to
        4.
    entangler : {"full", "linear", "circular", "pairwise"} or list of tuple, default="full"
        Pairs of qubits between which a layer has controlled-Z gates.
    loss : {"empirical_risk", "cross_entropy"}, default="empirical_risk"
        The paper's approximate probability of a wrong decision after `loss_shots` shots, or minus
        the mean logarithm of the probability of the class. For more than two classes, for which the
        paper has none, both are the latter.
    loss_shots : int, default=50
        The number R of shots that the empirical risk thinks of: more make it steeper.
    fit_intercept : bool, default=True
        Whether to train intercepts of the classes, the paper's biases.
    optimizer : {"lbfgs", "adam", "spsa"}, default="lbfgs"
        L-BFGS on all samples, Adam on mini-batches, or SPSA, which needs but two losses per step
        and is the paper's.
    gradient : {"adjoint", "parameter_shift"}, default="adjoint"
        Derivatives for "lbfgs" and "adam": exact ones in the time of three losses, or from
        probabilities at shifted angles, two for each angle, as a device would have them.
    max_iter : int, default=500
        Iterations, or epochs of "adam", of each start at most; the source paper made 250 of "spsa".
    tol : float, default=1e-5
        Relative decrease of the loss that ends "lbfgs"; relative change of its mean over ten epochs
        that ends "adam". "spsa" makes `max_iter` steps.
    learning_rate : float, default=0.05
        Size of a step of "adam".
    batch_size : int or None, default=None
        Samples of a mini-batch of "adam"; None takes all.
    n_init : int, default=4
        Random starts, of which the one with the smallest loss counts.
    warm_start : bool, default=False
        Whether to go on from the fitted angles instead.
    shots : int or None, default=None
        Measurements behind each probability in predictions, and in training by "spsa" or with
        ``gradient="parameter_shift"``; None for exact ones. It may be set for predictions alone,
        after the fit.
    noise : float, default=0.0
        Probability of complete depolarisation of a state, from 0 to below 1.
    callback : callable or None, default=None
        Called after each iteration with the keywords `iteration`, `start`, `loss` and `theta`.
    paulis : sequence of str, default=("Z", "ZZ")
        Strings whose rotations ``feature_map="pauli"`` makes in turn.
    reps : int, default=2
        Repetitions of the feature map.
    entanglement : {"full", "linear", "circular", "pairwise"} or list of tuple, default="full"
        Groups of qubits that the feature map rotates together.
    data_map : {"havlicek", "product"} or callable, default="havlicek"
        Angle of several features.
    bandwidth : float or "auto", default="auto"
        Factor of the data; "auto" takes that of the largest centred alignment of the kernel with
        the classes, as for :class:`QuantumKernelSVC`.
    n_qubits : int or None, default=None
        Number of qubits, at most 20; None takes one per feature up to `max_qubits`, and as many as
        the classes need.
    max_qubits : int, default=10
        Limit for ``n_qubits=None``.
    dtype : {"complex128", "complex64"}, default="complex128"
        Precision of the amplitudes.
    max_memory : float, default=1024
        Memory of states in MB. Those of all training samples must fit four times; ten times where
        the compiled form is not used, which is the case for all but "auto" on the host and "numba".
    random_state : int, RandomState instance or None, default=None
        Source of the starts, of shots, and of the order of mini-batches.
    verbose : int, default=0
        If positive, a line is printed for each iteration.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where states and gradients are computed.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the samples with a weight.
    theta_ : array of shape (n_layers + 1, n_qubits, 2)
        Angles of the rotations about Y, and about Z, of each layer and qubit. Those about Z of the
        last layer change nothing that is read; exact gradients leave them as they started, shots
        and "spsa" do not.
    intercept_ : float or array of shape (n_classes,)
        Bias of the expectation for two classes, biases of the logarithms of probabilities for
        more.
    loss_ : float
        Loss of the best start.
    loss_curve_ : list of float
        Its loss after each iteration.
    loss_curves_ : list of list of float
        The same for all starts.
    n_iter_ : int
        Iterations of the best start.
    converged_ : bool
        Whether `tol` ended it, and not `max_iter`; True for "spsa", which makes as many steps.
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
    QuantumKernelSVC : Support vectors with the kernel of the same feature map.

    Notes
    -----
    (1) Behind the feature map acts :math:`W(\theta) = U_l(\theta_l) E \cdots U_1(\theta_1) E\,
    U_0(\theta_0)` [1]_ with :math:`U(\theta) = \prod_q e^{i \theta_{q,z} Z_q / 2} e^{i \theta_{q,y}
    Y_q / 2}` and E the product of controlled-Z gates.

    (2) With f the parity of all bits, 1 if it is even, and :math:`e = \langle\Phi(x)| W^\dagger f W
    |\Phi(x)\rangle`, the second of two classes is predicted for :math:`e + b > 0`, with probability
    :math:`(1 + e + b) / 2`. (Some libraries call the last bit alone the parity.) Of C > 2 classes,
    outcome k stands for class k mod C, and scores are :math:`\log p_c + b_c`; this is not in the
    paper.

    (3) The empirical risk is the mean of :math:`\sigma\left(\sqrt{R}\,\frac{(1 - y b) / 2 - p_y}
    {\sqrt{2 (1 - p_y) p_y}}\right)` with the logistic function :math:`\sigma`, the probability
    :math:`p_y` of the own label :math:`y = \pm 1`, kept 0.001 away from 0 and 1.

    (4) The adjoint gradient leads the state and its product with the derivative of the loss back
    through the gates; a gate :math:`e^{i \theta G / 2}` adds :math:`2\,\mathrm{Re}\langle\lambda|
    \tfrac{i}{2} G |\psi\rangle`. A rotation about Y is real, all rotations about Z and the
    entangler of a layer are one diagonal.

    (5) SPSA [2]_ steps by :math:`a_k \frac{L(\theta + c_k \Delta) - L(\theta - c_k \Delta)}{2 c_k}
    \Delta` with random signs :math:`\Delta`, :math:`a_k = a / (k + 1)^{0.602}` and :math:`c_k = 0.1
    / (k + 1)^{0.101}`; a is set by 25 slopes so that the first step is about :math:`2\pi / 10`.

    An iteration takes :math:`O(l\,n\,2^n)` per sample. Samples that are equal are taken once, with
    their weights added.

    References
    ----------
    .. [1] Vojtěch Havlíček, Antonio D. Córcoles, Kristan Temme, Aram W. Harrow, Abhinav Kandala,
       Jerry M. Chow, Jay M. Gambetta, "Supervised learning with quantum enhanced feature spaces",
       Nature 567, 2019. :arxiv:`1804.11326`

    .. [2] James C. Spall, "Multivariate stochastic approximation using a simultaneous perturbation
       gradient approximation", IEEE Transactions on Automatic Control 37, 1992.
       :doi:`10.1109/9.119632`

    Examples
    --------
    >>> from skmatrix.datasets import make_ad_hoc
    >>> from skmatrix.svm import VariationalQuantumClassifier
    >>> X, y, X_test, y_test = make_ad_hoc(random_state=0)
    >>> model = VariationalQuantumClassifier(n_layers=3, random_state=0).fit(X, y)
    >>> model.score(X_test, y_test) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **FEATURE_MAP_CONSTRAINTS,
        "n_layers": [Interval(Integral, 0, None, closed="left")],
        "entangler": [StrOptions({"full", "linear", "circular", "pairwise"}), list, tuple],
        "loss": [StrOptions({"empirical_risk", "cross_entropy"})],
        "loss_shots": [Interval(Integral, 1, None, closed="left")],
        "fit_intercept": ["boolean"],
        "optimizer": [StrOptions({"lbfgs", "adam", "spsa"})],
        "gradient": [StrOptions({"adjoint", "parameter_shift"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "shots": [Interval(Integral, 1, None, closed="left"), None],
        "noise": [Interval(Real, 0, 1, closed="left")],
        "callback": [callable, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        feature_map="zz",
        *,
        n_layers=2,
        entangler="full",
        loss="empirical_risk",
        loss_shots=50,
        fit_intercept=True,
        optimizer="lbfgs",
        gradient="adjoint",
        max_iter=500,
        tol=1e-5,
        learning_rate=0.05,
        batch_size=None,
        n_init=4,
        warm_start=False,
        shots=None,
        noise=0.0,
        callback=None,
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
        verbose=0,
        backend="auto",
    ):
        self.feature_map = feature_map
        self.n_layers = n_layers
        self.entangler = entangler
        self.loss = loss
        self.loss_shots = loss_shots
        self.fit_intercept = fit_intercept
        self.optimizer = optimizer
        self.gradient = gradient
        self.max_iter = max_iter
        self.tol = tol
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_init = n_init
        self.warm_start = warm_start
        self.shots = shots
        self.noise = noise
        self.callback = callback
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
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Choose the bandwidth and train the circuit.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the loss and in the alignment.

        Returns
        -------
        self : VariationalQuantumClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If the circuit does not fit the data, the classes or the memory, or there is one class
            only.

        Warns
        -----
        UserWarning
            If there are more features than qubits, or features that no rotation reads.
        ConvergenceWarning
            If the best start ended by `max_iter`.
        """
        with all_or_nothing(self, ("_encoding", "_seed")):
            be = get_backend(self.backend, X)
            y, sample_weight = be.follow(y, sample_weight)
            X, y = validate_data(self, X, y, dtype=be.float_dtypes, order="C")
            check_classification_targets(y)
            weight = to_numpy(_check_sample_weight(sample_weight, X, ensure_non_negative=True))
            before = self._angles_so_far()
            self.classes_, codes, used = weighted_classes(to_numpy(y), weight)
            self._set_circuit()
            data = to_numpy(X)[used].astype(np.float64, copy=False)
            data, codes, weight = _merged(data, codes, weight[used].astype(np.float64))
            twins = be.name in ("auto", "numba")
            check_memory(
                (_COPIES if twins else _COPIES_OF_ARRAYS) * data.shape[0],
                self.n_qubits_,
                self.max_memory,
                self.dtype,
                remedy="pass fewer samples, or reduce with PCA or n_qubits",
            )
            rng = check_random_state(self.random_state)
            seeds = rng.randint(np.iinfo(np.int32).max, size=4)
            self._seed = int(seeds[0])
            self.bandwidth_ = resolve_bandwidth(
                self, self._encoding, be, data, codes, weight, int(seeds[1])
            )
            objective = self._objective(be, data, codes, weight, int(seeds[2]))
            starts = self._starts(objective, before, np.random.RandomState(seeds[3]))
            runs = []
            for number in tasks(self, X, y, range(len(starts)), "start", sample_weight):
                seed = int(seeds[3]) // 2 + number
                runs.append(train(objective, starts[number], self, number, len(starts), seed))
            self._set_fitted(be, X, objective, runs)
        return self

    def _set_circuit(self):
        """Feature map and number of qubits, which the classes must fit."""
        n_classes = self.classes_.size
        needed = (n_classes - 1).bit_length()
        n_qubits = self.n_qubits
        if n_qubits is None:
            n_qubits = max(min(self.n_features_in_, self.max_qubits), needed)
        elif n_qubits < needed:
            raise ValueError(
                f"{n_classes} classes need 2**n_qubits outcomes, and n_qubits={n_qubits} has"
                f" {2**n_qubits}: n_qubits must be at least {needed}."
            )
        check_qubits(n_qubits)
        self._encoding = encoding_of(self, n_qubits)
        self.n_qubits_, self.n_blocks_ = self._encoding.n_qubits, self._encoding.n_blocks

    def _circuit(self, be):
        """What is trained, on an engine."""
        n, size = self.n_qubits_, 2**self.n_qubits_
        signs = np.ones(size)
        bits = np.arange(size)
        for i, j in entangled_qubits(self.entangler, n, 2, name="entangler") if n > 1 else ():
            signs = signs * (1 - 2 * (bits >> i & bits >> j & 1))
        readout = class_readout(n, self.classes_.size)
        return Circuit(be, signs, readout, self.noise, self.shots)

    def _kernel(self):
        """States of samples in front of the circuit."""
        return QuantumKernel.of(self, self._encoding, self.bandwidth_).joint()

    def _objective(self, be, data, codes, weight, seed):
        """The loss of the training samples."""
        losses, circuit = LOSSES[self.loss], self._circuit(be)
        if self.optimizer != "spsa" and self.gradient == "adjoint":
            # Exact derivatives are those of the exact loss.
            circuit.shots = None
        return Objective(
            circuit=circuit,
            amplitudes=_as_columns(be, self._kernel().states(be, data)),
            codes=codes,
            share=weight / weight.sum(),
            shape=(self.n_layers + 1, self.n_qubits_, 2),
            loss=losses[0] if self.classes_.size == 2 else losses[1],
            loss_shots=self.loss_shots,
            fit_intercept=self.fit_intercept,
            by_shifts=self.gradient == "parameter_shift",
            rng=np.random.default_rng(seed),
        )

    def _angles_so_far(self):
        """Angles and biases of an earlier fit to go on from, or None."""
        if not self.warm_start or not hasattr(self, "theta_"):
            return None
        bias = np.atleast_1d(to_numpy(self.intercept_))
        return to_numpy(self.theta_).astype(np.float64), bias.astype(np.float64)

    def _starts(self, objective, before, rng):
        """Angles and biases to start from."""
        if before is not None:
            theta, bias = before
            if theta.shape != objective.shape or bias.size != objective.n_biases:
                raise ValueError(
                    f"warm_start=True cannot go on from angles of shape {theta.shape} and"
                    f" {bias.size} biases: the circuit now has the shape {objective.shape} and"
                    f" {objective.n_biases}. Keep n_layers, the qubits and the classes, or set"
                    " warm_start=False."
                )
            return [np.concatenate([theta.ravel(), bias])]
        angles = rng.uniform(-np.pi, np.pi, (self.n_init, int(np.prod(objective.shape))))
        return list(np.hstack([angles, np.zeros((self.n_init, objective.n_biases))]))

    def _set_fitted(self, be, X, objective, runs):
        """Attributes of the best start, in X's library and dtype."""
        best = min(runs, key=lambda run: run.final)
        theta, bias = objective.split(best.x)
        dtype = to_numpy(X[:1, :1]).dtype
        self.theta_ = be.unload(theta.astype(dtype))
        self.intercept_ = bias if isinstance(bias, float) else be.unload(bias.astype(dtype))
        self.loss_, self.loss_curve_ = best.final, best.losses
        self.loss_curves_ = [run.losses for run in runs]
        self.n_iter_ = len(best.losses)
        self.converged_ = bool(best.converged)
        if not best.converged:
            warn_unfinished(self, self.max_iter, "the loss", np.inf, self.tol)

    def _probability(self, X, method):
        """Back end, dtype of X, and probabilities of the outcomes on the host, for a method."""
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X = validate_data(self, X, reset=False, dtype=be.float_dtypes, order="C")
        be.check_home(self, "theta_", method)
        data = to_numpy(X).astype(np.float64, copy=False)
        circuit, theta = self._circuit(be), to_numpy(self.theta_).astype(np.float64)
        rng = np.random.default_rng(self._seed)
        probability = self._kernel().rows(
            be, data, lambda states: circuit.probability(_as_columns(be, states), theta, rng)
        )
        return be, X.dtype, probability

    @property
    def _bias(self):
        """The bias, or the biases, on the host."""
        return (
            self.intercept_
            if self.classes_.size == 2
            else to_numpy(self.intercept_).astype(np.float64)
        )

    def decision_function(self, X):
        """Decision values.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Data.

        Returns
        -------
        decision : array of shape (n_queries,) or (n_queries, n_classes)
            Expectation plus bias for two classes, positive for the second; for more, logarithms of
            the scores of the classes.
        """
        be, dtype, probability = self._probability(X, "decision_function")
        if self.classes_.size == 2:
            decision = probability[:, 1] - probability[:, 0] + self._bias
        else:
            decision = log_scores(probability, self._bias)
        return be.unload_as(decision, dtype)

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Data.

        Returns
        -------
        proba : array of shape (n_queries, n_classes)
            Equation (2), clipped to probabilities for two classes.
        """
        be, dtype, probability = self._probability(X, "predict_proba")
        return be.unload_as(self._proba(probability), dtype)

    def _proba(self, probability):
        """Probabilities of the classes, biases included."""
        if self.classes_.size > 2:
            return np.exp(log_scores(probability, self._bias))
        second = binary_probability(probability, self._bias)
        return np.stack([1 - second, second], axis=1)

    def predict(self, X):
        """The class of the largest score.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Data.

        Returns
        -------
        labels : array of shape (n_queries,)
            Labels.
        """
        be, _, probability = self._probability(X, "predict")
        if self.classes_.size == 2:
            index = (probability[:, 1] - probability[:, 0] + self._bias > 0).astype(np.int64)
        else:
            index = np.argmax(log_scores(probability, self._bias), axis=1)
        return be.labels(self.classes_, index)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.non_deterministic = self.shots is not None
        return tags


def _merged(X, codes, weight):
    """Distinct pairs of sample and class, with their weights added."""
    joined, inverse = np.unique(np.column_stack([X, codes]), axis=0, return_inverse=True)
    total = np.bincount(np.ravel(inverse), weights=weight, minlength=joined.shape[0])
    return np.ascontiguousarray(joined[:, :-1]), joined[:, -1].astype(np.int64), total


def _as_columns(be, states):
    """States as the circuit has them: (2, 2**n_qubits, n_samples)."""
    n, width = states.shape
    split = be.xp.reshape(states, (n, 2, width // 2))
    columns = be.xp.permute_dims(split, (1, 2, 0))
    return np.ascontiguousarray(columns) if isinstance(columns, np.ndarray) else columns
