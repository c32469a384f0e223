"""Classification by a network that sends samples to fixed unit vectors."""

from numbers import Integral

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from .._sklearn import _fit_context
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ._ebv_classifier_parameters import (
    CONSTRAINTS,
    check_class_weight,
    check_size,
    labels_to_come,
    positive_samples,
    read_samples,
)
from ._ebv_enrolment import enrolled_coherence, mean_directions
from ._ebv_fit import begin, embeddings, proceed, renew, scores, set_table
from ._torch_support import require_torch

_PRIVATE = ("_table",)


class EBVClassifier(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClassifierMixin,
    BaseEstimator,
):
    r"""Neural network that classifies by the nearest of fixed, nearly orthogonal vectors.

    A network usually ends in a layer with weights for each class. Here it ends in a vector of
    length `dim`, and training sends it to the unit vector of its class: nothing that is trained
    grows with the number of classes but through `dim`, new classes need no new weights, and
    :meth:`transform` gives embeddings.

    Use it for thousands to a million classes, for classes that come over time, or where memory is
    short. For a few classes :class:`~sklearn.neural_network.MLPClassifier` is as accurate and needs
    no torch; for short training with `dim` far below the number of classes, a layer with weights
    for each learns faster and, where it fits into memory, may stay more accurate.

    Read more in the :ref:`User Guide <neural_network>`.

    Parameters
    ----------
    backbone : {"mlp", "cnn"}, backbone, torch Module, class of one, or callable, default="mlp"
        The network: :class:`MLPBackbone` or :class:`CNNBackbone` with their defaults, or one of
        them or :class:`TorchBackbone` with parameters, which a search knows as
        ``backbone__<name>``; a module, which is copied; its class; or a function that makes one
        from the shape of a sample and `dim`. A linear layer follows if it has not `dim` outputs.
        A class is called without arguments. Whatever has a method ``build(input_shape, dim)`` that
        returns a module will do. To search parameters pass ``MLPBackbone()`` and not "mlp".
    dim : int or "auto", default="auto"
        Length of the vectors, 2 at least. "auto" is the number of classes up to 1024, then 1024,
        and 4096 for more than 525,312 classes. Less is quicker, and needs more epochs.
    basis : str or array-like of shape (n_vectors, dim), default="auto"
        The vectors: one of the methods of :func:`make_ebv`, "auto", "orthogonal", "simplex",
        "kerdock", "gold", "optimize" or "random"; or vectors of your own, of which those that are
        left over serve classes to come.
    alpha : float or "auto", default="auto"
        Largest absolute cosine for "optimize"; other vectors have their own, also where "auto"
        takes them.
    temperature : float, default=0.07
        Divisor of the cosines in the softmax.
    loss : {"softmax", "cosine", "angular"}, default="softmax"
        The paper's, whose cost grows with the number of classes, a piece of which is held at a
        time; squared distance of the cosine from 1; and squared angle, whose costs do not.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes, for "softmax". The paper's best
        results have 0.1.
    max_epochs : int, default=100
        Passes over the samples.
    batch_size : int, default=128
        Samples of a step; -1 takes all.
    optimizer : {"adamw", "sgd"} or class of torch, default="adamw"
        How weights are changed.
    lr : float, default=1e-3
        Learning rate.
    weight_decay : float, default=1e-4
        Decay of weights.
    momentum : float, default=0.9
        Of "sgd".
    lr_schedule : {"cosine", "warmup_cosine"} or None, default="cosine"
        Course of the learning rate in :meth:`fit`: half a cosine down to zero, the same after five
        epochs that rise linearly, or none.
    early_stopping : bool, default=False
        Whether to keep samples apart, stop when their loss no longer falls, and take the weights of
        the best epoch.
    validation_fraction : float, default=0.1
        Share of samples kept apart: of each class where there are enough, and never the only
        sample of one.
    n_iter_no_change : int, default=10
        Epochs without a gain that end the fit.
    tol : float, default=1e-4
        What counts as a gain.
    class_weight : dict, "balanced" or None, default=None
        Factors of sample weights by class; 1 for those that a dict has not. In
        :meth:`partial_fit` "balanced" counts the samples of that call.
    standardize : bool, default=True
        Whether features of two-dimensional X are centred and scaled; of sparse X, scaled only.
        Images are taken as they are.
    image_shape : tuple of int or None, default=None
        Shape (channels, height, width) of the images that rows of X hold.
    class_chunk : int or "auto", default="auto"
        Classes whose cosines are held at once. "auto" is about 2,000 for 128 samples.
    device : str, default="auto"
        "cpu", "cuda", "cuda:<number>", or "auto" for a GPU if there is one. Small networks train
        fastest on one thread, ``torch.set_num_threads(1)``, above all where processors are shared.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the network.
    callbacks : list of skorch callbacks or None, default=None
        Copies of them are hung on the net that is held. One that sets the learning rate needs
        ``lr_schedule=None``; one that stops the training ends the fit.
    warm_start : bool, default=False
        Whether :meth:`fit` goes on where the last one ended; new classes are added. Network,
        vectors, kind of optimiser and precision stay as they are, whatever has been set since.
    random_state : int, RandomState instance or None, default=None
        Source of vectors, first weights and order of samples.
    verbose : int, default=0
        If positive, a line is printed for each epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.
    basis_ : object
        The vectors: ``kind``, ``dim``, ``n_max``, ``rows(begin, end)`` and ``dense()``. Closed
        forms are not stored.
    basis_index_ : ndarray of shape (n_classes,)
        Row of the basis for each class; enrolled classes count from its end on.
    coherence_ : float
        Largest absolute cosine of stored vectors, or of those of a closed form that are in use; NaN
        for more than 8,192 stored ones. One that is added to `dim` orthonormal ones has at least
        1 / sqrt(dim): choose a larger `dim` if classes are to come.
    coherence_bound_ : float
        Lower bound of it.
    alpha_ : float or None
        The cosine that the last search for vectors aimed at: `alpha` if it is a number, and more
        where added classes leave no room for it. None if there was no search.
    dim_ : int
        Length of the vectors.
    net_ : skorch net
        The net that was trained.
    module_ : torch Module
        Its network, with scaling to unit length.
    history_ : list of dict
        For each epoch: train_loss, train_cosine (with the own vector), lr, seconds, and with early
        stopping valid_loss, valid_accuracy, valid_cosine and valid_margin (the cosine with the own
        vector minus the largest with another one). There are no margin and accuracy of training:
        they would take a second look at all classes in every step.
    n_iter_ : int
        Epochs.
    best_epoch_ : int
        Epoch whose weights were taken, counted from 1.
    input_shape_ : tuple of int
        Shape of a sample.
    mean_, scale_ : ndarray of shape (n_features,) or None
        Centres and scales of the features.
    enrolled_coherence_ : float
        Largest absolute cosine of a vector enrolled with others. Only after :meth:`enroll`.
    n_features_in_ : int
        Number of features; of X with more dimensions, the first after the samples.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features, if X has names that are all strings.

    See Also
    --------
    EBVEncoder : The same with any regressor.
    make_ebv : The vectors.
    sklearn.neural_network.MLPClassifier : Weights for each class.

    Notes
    -----
    With unit vectors :math:`v_k` [1]_, made as in (1) to (4) of :func:`make_ebv`,
    :math:`z = f(x) / \max(\|f(x)\|, 10^{-12})` and cosines :math:`c_k = z^T v_k`, the losses of a
    sample of class y are

    (5) :math:`\log \sum_k \exp((c_k - 1) / \tau) + (1 - z^T t) / \tau` with target
    :math:`t = (1 - \epsilon) v_y + \epsilon\, \mathrm{mean}_k\, v_k`, whose gradient is

    (6) :math:`(\sum_k p_k v_k - t) / \tau` with the softmax p of :math:`c / \tau`: both are sums
    over classes, made in one pass over pieces of them, as 1 bounds all cosines;

    (7) :math:`(1 - c_y)^2` [2]_; and (8) :math:`\arccos^2 c_y`. A batch has their weighted mean.

    (9) Products with closed forms are fast Hadamard transforms: in training as two products with
    small matrices, :math:`O(\sqrt{d})` per class instead of :math:`O(d)`, and :math:`O(\log d)`
    where more than 4,096 classes are compared on a CPU.

    A step takes :math:`O(B K d)` time (:math:`O(B K \sqrt{d})` for closed forms), and
    :math:`O(B (\mathrm{chunk} + d))` memory besides the network. Vectors that are not of a closed
    form take 12 bytes for each of their K d numbers, 8 of them in a pickle too.

    There is no `backend`: vectors are searched, and samples compared with them, by torch on
    `device`, or by NumPy and compiled code on a CPU. Targets that mix classes (mixup) and half
    precision are not offered. :meth:`fit` drops the state of the optimiser unless `warm_start`.

    Samples that are scored in one call and apart agree to the precision of `dtype`.

    **dask.** :meth:`fit` and :meth:`partial_fit` take a dask array or data frame, of which a block
    at a time comes to where they are called, for training: workers read and scale. An epoch goes
    through the blocks in random order, and through each of them in random order, so that rows
    should not be sorted by class; with one block it is the fit in memory. Labels and weights are
    held in memory, and with `early_stopping` the samples kept apart in that of the workers. A block
    takes some 50 ms besides its reading: let it have many batches. Queries are lazy. Training one
    network on several machines at once is left to ``torch.distributed``.

    References
    ----------
    .. [1] Yang Shen, Xuhao Sun, Xiu-Shen Wei, "Equiangular Basis Vectors", IEEE/CVF Conference on
       Computer Vision and Pattern Recognition, 2023. :arxiv:`2303.11637`

    .. [2] Pascal Mettes, Elise van der Pol, Cees Snoek, "Hyperspherical Prototype Networks",
       Advances in Neural Information Processing Systems, 2019. :arxiv:`1901.10514`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skmatrix.neural_network import EBVClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = EBVClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    _parameter_constraints: dict = CONSTRAINTS

    def __init__(
        self,
        backbone="mlp",
        *,
        dim="auto",
        basis="auto",
        alpha="auto",
        temperature=0.07,
        loss="softmax",
        label_smoothing=0.0,
        max_epochs=100,
        batch_size=128,
        optimizer="adamw",
        lr=1e-3,
        weight_decay=1e-4,
        momentum=0.9,
        lr_schedule="cosine",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        class_weight=None,
        standardize=True,
        image_shape=None,
        class_chunk="auto",
        device="auto",
        dtype="float32",
        callbacks=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.backbone = backbone
        self.dim = dim
        self.basis = basis
        self.alpha = alpha
        self.temperature = temperature
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.lr_schedule = lr_schedule
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.class_weight = class_weight
        self.standardize = standardize
        self.image_shape = image_shape
        self.class_chunk = class_chunk
        self.device = device
        self.dtype = dtype
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples, channels first. More than two dimensions need another backbone than "mlp".
        y : {array-like, dask array} of shape (n_samples,)
            Labels.
        sample_weight : {array-like, dask array} of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : EBVClassifier
            The fitted estimator.

        Raises
        ------
        ImportError
            If torch or skorch is missing.
        ValueError
            If parameters do not fit the data, or there are not two classes.
        FloatingPointError
            If the loss is not finite; the classifier is as before the call.

        Warns
        -----
        ConvergenceWarning
            If the search for vectors has not found what was asked for.
        UserWarning
            If `dim` is no length of the closed form, or vectors of your own are scaled.
        """
        from_start = not (self.warm_start and hasattr(self, "net_"))
        return self._train(X, y, sample_weight, None, from_start, "fit")

    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch more; labels not seen before become classes.

        The first call sets the scaling of features, and the learning rate stays what it is. Pass
        samples of old classes along with those of new ones: a network forgets what it no longer
        sees. Where there are none, :meth:`enroll` leaves it as it is.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples.
        y : {array-like, dask array} of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            Labels that are to come.
        sample_weight : {array-like, dask array} of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : EBVClassifier
            The classifier.

        Raises
        ------
        ValueError
            If there are no vectors left for new labels, or as in :meth:`fit`.
        FloatingPointError
            If the loss is not finite; the classifier is as before the call.

        Warns
        -----
        ConvergenceWarning
            If vectors of new labels are more than a quarter above the cosine that was looked for.
        """
        return self._train(X, y, sample_weight, classes, not hasattr(self, "net_"), "partial_fit")

    def _train(self, X, y, sample_weight, classes, from_start, method):
        """All epochs of a fit, or one of a partial fit."""
        require_torch(f"{type(self).__name__}.{method}")
        from ._net_torch import put_back_on_error
        from ._training_torch import Plan

        whole = method == "fit"
        plan = (
            Plan(self.max_epochs, self.lr_schedule, self.n_iter_no_change, self.tol)
            if whole
            else Plan(1)
        )
        validate = whole and self.early_stopping
        with all_or_nothing(self, _PRIVATE):
            if is_dask(X):
                from ..distributed._ebv_classifier import read_row_blocks as read
            else:
                read = read_samples
            X, y = read(self, X, from_start, y)
            X, y, weight = positive_samples(X, y, sample_weight)
            labels = np.unique(y)
            if classes is not None:
                labels = np.union1d(labels, labels_to_come(classes, labels, "y"))
            known = labels if from_start else np.append(labels, self.classes_)
            check_class_weight(self.class_weight, known if whole else None)
            if from_start:
                begin(self, X, y, weight, labels)
                proceed(self, X, y, weight, plan, validate)
            else:
                with put_back_on_error(self.net_):
                    self._add(labels)
                    if whole:
                        renew(self)
                    proceed(self, X, y, weight, plan, validate)
            if whole and not self.warm_start:
                # Only a fit that goes on needs it, and it is twice as large as the weights.
                self.net_.optimizer_.state.clear()
        return self

    def add_classes(self, labels):
        """Take vectors for classes that are to come, without training.

        Parameters
        ----------
        labels : array-like of shape (n_new,)
            Labels; those known are left as they are.

        Returns
        -------
        self : EBVClassifier
            The classifier.

        Raises
        ------
        ValueError
            If the basis has not as many vectors.

        Warns
        -----
        ConvergenceWarning
            If new vectors are more than a quarter above the cosine that was looked for.
        """
        check_is_fitted(self)
        with all_or_nothing(self, _PRIVATE):
            self._add(labels_to_come(labels, self.classes_, "classes_"))
        return self

    def _add(self, labels):
        """Classes for labels that are new."""
        new = self._table.unseen(labels)
        if new.size:
            set_table(self, self._table.grown(new, "auto", self.net_.iterator_train__rng))

    def enroll(self, X, y):
        """Add classes by the means of their embeddings, without training.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features) or array-like of shape \
                (n_samples, channels, ...)
            Samples.
        y : array-like of shape (n_samples,)
            Their labels, none of them known.

        Returns
        -------
        self : EBVClassifier
            The classifier.

        Raises
        ------
        ValueError
            If there is a label that is known, a mean has no direction, or two classes have the
            same one.

        Warns
        -----
        UserWarning
            If a mean is nearly the vector of another class.
        """
        check_is_fitted(self)
        X, y = read_samples(self, X, False, y)
        labels, codes = np.unique(y, return_inverse=True)
        new = self._table.unseen(labels)
        if new.size < labels.size:
            known = labels[~np.isin(labels, new)]
            raise ValueError(f"y has classes that are known: {known[:5]}. Use partial_fit.")
        vectors = mean_directions(embeddings(self, X), codes, labels)
        with all_or_nothing(self, _PRIVATE):
            self.enrolled_coherence_ = enrolled_coherence(self._table, labels, vectors)
            set_table(self, self._table.enrolling(labels, vectors))
        return self

    def transform(self, X):
        """Embed samples.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples.

        Returns
        -------
        Z : ndarray of shape (n_samples, dim)
            Unit vectors; zero where the network's output is. Lazy for a dask array.
        """
        if is_dask(X):
            return self._lazy(X, "transform")
        check_is_fitted(self)
        return embeddings(self, read_samples(self, X, False))

    def decision_function(self, X):
        """Cosines with the vectors of the classes over the temperature.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples.

        Returns
        -------
        decision : ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes
            The scores; of two classes, that of the second minus that of the first. Lazy for a
            dask array.
        """
        if is_dask(X):
            return self._lazy(X, "decision_function")
        cosines = self._cosines(X, "decision_function")
        if cosines.shape[1] == 2:
            cosines = cosines[:, 1] - cosines[:, 0]
        with np.errstate(over="ignore"):
            decision = cosines.astype(np.float64) / self.temperature
        largest = np.finfo(cosines.dtype).max
        return np.clip(decision, -largest, largest).astype(cosines.dtype)

    def _cosines(self, X, method):
        """Cosines in the order of the classes."""
        check_is_fitted(self)
        from ._ebv_net_torch import all_cosines

        X = read_samples(self, X, False)
        check_size(X.shape[0], self.classes_.size, method)
        (cosines,) = scores(self, X, lambda z, targets: (all_cosines(z, targets),))
        return cosines

    def predict(self, X):
        """Classes of the nearest vectors, the first of several.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels; lazy for a dask array.
        """
        if is_dask(X):
            return self._lazy(X, "predict")
        return self._nearest(X)[1]

    def similarity(self, X):
        """Cosines with the nearest vectors, small where a sample is of no known class.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples.

        Returns
        -------
        cosine : ndarray of shape (n_samples,)
            The largest cosines; lazy for a dask array.
        """
        if is_dask(X):
            return self._lazy(X, "similarity")
        return self._nearest(X)[0]

    def _lazy(self, X, method, **arguments):
        """Lazy result of a method for a dask array."""
        from ..distributed._ebv_classifier import ask_row_blocks

        check_is_fitted(self)
        return ask_row_blocks(self, X, method, **arguments)

    def _nearest(self, X):
        """Largest cosines and their classes."""
        check_is_fitted(self)
        from ._ebv_net_torch import best_classes

        cosine, code = scores(self, read_samples(self, X, False), best_classes)
        return cosine, self.classes_[code]

    def predict_topk(self, X, k=5):
        """Classes of the k nearest vectors, from the nearest.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples.
        k : int, default=5
            How many; all classes if there are fewer.

        Returns
        -------
        labels : ndarray of shape (n_samples, k)
            Their labels; lazy for a dask array.
        cosines : ndarray of shape (n_samples, k)
            The cosines; lazy for a dask array, and computed along with the labels by
            ``dask.compute(labels, cosines)``.
        """
        check_is_fitted(self)
        check_scalar(k, "k", Integral, min_val=1)
        k = min(int(k), self.classes_.size)
        if is_dask(X):
            return self._lazy(X, "predict_topk", k=k)
        from ._ebv_net_torch import top_classes

        cosines, code = scores(self, read_samples(self, X, False), top_classes, k=k)
        return self.classes_[code], cosines

    def predict_proba(self, X):
        """Probabilities of the classes: the softmax of the scores, in double precision.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples.

        Returns
        -------
        proba : float64 ndarray of shape (n_samples, n_classes)
            They need memory for samples times classes; :meth:`predict_topk` does not. Lazy for a
            dask array.
        """
        if is_dask(X):
            return self._lazy(X, "predict_proba")
        return softmax(self._exponents(X, "predict_proba"), axis=1)

    def predict_log_proba(self, X):
        """Logarithms of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array} of shape (n_samples, n_features) or \
                {array-like, dask array} of shape (n_samples, channels, ...)
            Samples.

        Returns
        -------
        log_probability : float64 ndarray of shape (n_samples, n_classes)
            The logarithms; lazy for a dask array.
        """
        if is_dask(X):
            return self._lazy(X, "predict_log_proba")
        return log_softmax(self._exponents(X, "predict_log_proba"), axis=1)

    def _exponents(self, X, method):
        """Scores in double precision, those of the nearest classes zero."""
        cosines = self._cosines(X, method).astype(np.float64)
        with np.errstate(over="ignore"):
            return (cosines - cosines.max(axis=1, keepdims=True)) / self.temperature

    @property
    def module_(self):
        """The trained network."""
        return self.net_.module_

    @property
    def _n_features_out(self):
        """Number of columns that `transform` makes."""
        return self.dim_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        # Outputs have the precision of the network.
        tags.transformer_tags.preserves_dtype = []
        return tags
