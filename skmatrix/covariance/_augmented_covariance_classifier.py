"""Classification of trials by their augmented covariances."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .._backend import get_backend, to_numpy
from .._iterate import tasks, warn_caller
from .._sklearn import HasMethods, Interval, StrOptions, _fit_context
from .._threads import fit_threads, single_threaded_blas
from .._transaction import all_or_nothing
from ..distributed import is_dask
from ._augmented_covariance import AugmentedCovariance
from ._augmented_covariance_candidates import find_candidates
from ._augmented_covariance_geometry import Geometry
from ._augmented_covariance_grid import Models, Search
from ._embedding import LAG_RULES, ORDER_RULES, choose_embedding
from ._trials import check_flat, mean_level, read_trials

_PRIVATE = ("_level", "_geometry", "_of_matrices")
# Parameters that the classifier hands on to the transformer.
_OF_THE_MATRICES = (
    "estimator",
    "toeplitz",
    "center",
    "reg",
    "max_order",
    "max_lag",
    "n_selection_trials",
    "n_channels",
    "n_jobs",
    "backend",
)


def _model_has(method):
    """Whether the classifier at the end has a method."""

    def check(estimator):
        if hasattr(estimator, "model_"):
            getattr(estimator.model_, method)
            return True
        classifier = estimator.classifier
        if not isinstance(classifier, str):
            getattr(classifier, method)
            return True
        return method in _METHODS[classifier]

    return check


_METHODS = {
    "logistic": ("predict_proba", "decision_function"),
    "svc": ("decision_function",),
    "mdm": ("predict_proba",),
    "fgmdm": ("predict_proba",),
}


class AugmentedCovarianceClassifier(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClassifierMixin,
    BaseEstimator,
):
    r"""Classification of multichannel trials by the geometry of their augmented covariances.

    Each trial becomes the covariance of its channels and of their delayed copies, see
    :class:`AugmentedCovariance`. These matrices are classified in the tangent space at their mean,
    or by their distances to the means of the classes, and order and lag of the delays are chosen
    by rules that need no labels, by cross-validation, or by both: the default judges the few
    candidates of the rules.

    Use it for EEG and other signals with tens to thousands of trials whose classes differ in
    rhythm. For responses that are locked to an event take pyRiemann's ``XdawnCovariances``.
    Decisions from a single channel cannot see the direction of time, and those from several are the
    same when all trials, those of the fit among them, are played backwards.

    Read more in the :ref:`User Guide <augmented_covariance>`.

    Parameters
    ----------
    order : int or {"auto", "grid", "fnn", "cao", "mdop", "bic", "aic", "hq"}, default="auto"
        Number of copies. "grid" judges all `orders` by cross-validation, "auto" the candidates of
        false nearest neighbours, of an information criterion, and of MDOP, beside order 1, at most
        six; for the other rules see :class:`AugmentedCovariance`.
    lag : int, array-like or {"auto", "grid", "mi", "mi_e", "acf", "mdop"}, default="auto"
        Step between copies in samples, or delays. "grid" judges all `lags`, "auto" 1 and the first
        minimum of the mutual information.
    orders, lags : array-like of int, default=(1, ..., 10)
        What "grid" judges, as far as the number of copies times that of channels is at most the
        number of samples.
    classifier : {"logistic", "svc", "mdm", "fgmdm"} or classifier, default="logistic"
        Logistic regression on tangent vectors, the best of those tried on real data; support
        vectors on them with six settings of C and kernel, as in the paper; minimum distance to
        means of the classes, and the same after a Fisher geodesic filter; or any classifier, which
        gets tangent vectors.
    metric : str or dict, default="riemann"
        Metric of pyRiemann, or one for each of "mean", "map" (to the tangent space) and
        "distance". ``{"mean": "logeuclid"}`` makes the mean several times cheaper.
    mean_tol : float, default=1e-6
        Tolerance of iterative means: the steps saved change the mean by less than 1e-6 of itself.
    cv : int, cross-validation generator or None, default=3
        Folds that judge candidates; an int shuffles and keeps the shares of the classes, None is
        five folds without shuffling. Splits by groups have to be passed as a list of indices.
    scoring : str, callable or None, default=None
        Score of a fold; None is the accuracy. A callable gets the classifier at the end, and what
        that takes: tangent vectors, or matrices.
    estimator : str or callable, default="cov"
        Estimator of the covariance.
    toeplitz : bool, default=False
        Whether matrices are block-Toeplitz.
    center : bool, default=True
        Whether means are taken out.
    reg : float, default=1e-6
        Share of the mean eigenvalue that is added to the diagonal.
    max_order : int, default=10
        Largest order that a rule may choose.
    max_lag : int or None, default=None
        Largest lag that a rule may choose; None is a quarter of the trial, at most 50.
    n_selection_trials : int, default=30
        Trials that the rules look at, drawn at random.
    n_channels : int or None, default=None
        For X of two dimensions, number of channels, one after the other in each row; None is one.
    n_jobs : int or None, default=None
        Threads over blocks of trials, and over folds; None means 1, unless in a joblib context,
        and -1 all cores.
    random_state : int, RandomState instance or None, default=None
        Source of the sample of trials and of the folds.
    verbose : int, default=0
        If positive, a line is printed for each candidate.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where the covariances are computed. Their geometry is computed on the host.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    order_ : int
        Order.
    lag_ : int or None
        Lag; None if delays were given.
    delays_ : ndarray of shape (`order_`,)
        Delays in samples, from 0.
    embedding_ : Embedding
        The choice, with the curves of the rule that has made it.
    candidates_ : list of Candidate
        Order, lag and origin of all pairs that were judged, or of the only one.
    covariance_ : AugmentedCovariance
        The fitted transformer.
    reference_ : ndarray of shape (D, D) or None
        Mean of the matrices, at which the tangent space is; None for "mdm" and "fgmdm".
    model_ : classifier
        The fitted classifier of tangent vectors, or of matrices.
    cv_results_ : dict or None
        Scores in the layout of :class:`~sklearn.model_selection.GridSearchCV`; None if there was
        nothing to choose.
    best_score_ : float or None
        Mean score of the choice over the folds.
    n_channels_in_, n_times_in_ : int
        Number of channels, and of samples of a trial in the fit.
    n_features_in_ : int
        Number of channels, or of columns if X has two dimensions.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if X has names that are all strings.

    See Also
    --------
    AugmentedCovariance : The matrices, for pipelines with pyRiemann.
    skmatrix.inspection.EmbeddingDisplay : Curves of the rules.
    skmatrix.inspection.EmbeddingGridDisplay : Scores over order and lag.

    Notes
    -----
    The matrices of a candidate are computed once, the mean and the tangent vectors once for each
    fold, whatever the number of settings. The choice of order and lag by rules looks at all trials
    of the fit, never at labels. Equal scores go to the smaller matrix, then to the smaller lag.

    References
    ----------
    .. [1] Igor Carrara, Theodore Papadopoulo, "Classification of BCI-EEG based on augmented
       covariance matrix", 2023. :arxiv:`2302.04508`

    Examples
    --------
    Two kinds of noise with the same spread, one smooth, one rough:

    >>> import numpy as np
    >>> from skmatrix.covariance import AugmentedCovarianceClassifier
    >>> noise = np.random.default_rng(0).standard_normal((40, 3, 201))
    >>> y = np.repeat([0, 1], 20)
    >>> sign = np.where(y == 0, 1, -1)[:, None, None]
    >>> X = noise[:, :, 1:] + sign * noise[:, :, :-1]
    >>> model = AugmentedCovarianceClassifier(random_state=0).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2])
    1.0
    >>> model.order_ > 1
    True
    """

    _parameter_constraints: dict = {
        **AugmentedCovariance._parameter_constraints,
        "order": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({*ORDER_RULES, "grid"}),
        ],
        "lag": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({*LAG_RULES, "grid"}),
            "array-like",
        ],
        "orders": ["array-like"],
        "lags": ["array-like"],
        "classifier": [StrOptions(set(_METHODS)), HasMethods(["fit", "predict"])],
        "metric": [str, dict],
        "mean_tol": [Interval(Real, 0, None, closed="neither")],
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        order="auto",
        lag="auto",
        *,
        orders=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        lags=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        classifier="logistic",
        metric="riemann",
        mean_tol=1e-6,
        cv=3,
        scoring=None,
        estimator="cov",
        toeplitz=False,
        center=True,
        reg=1e-6,
        max_order=10,
        max_lag=None,
        n_selection_trials=30,
        n_channels=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
        backend="auto",
    ):
        self.order = order
        self.lag = lag
        self.orders = orders
        self.lags = lags
        self.classifier = classifier
        self.metric = metric
        self.mean_tol = mean_tol
        self.cv = cv
        self.scoring = scoring
        self.estimator = estimator
        self.toeplitz = toeplitz
        self.center = center
        self.reg = reg
        self.max_order = max_order
        self.max_lag = max_lag
        self.n_selection_trials = n_selection_trials
        self.n_channels = n_channels
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.backend = backend

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Choose order and lag, and fit the classifier.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_trials, n_channels, n_times)
            Trials, or two dimensions as `n_channels` says.
        y : {array-like, dask array} of shape (n_trials,)
            Labels.

        Returns
        -------
        self : AugmentedCovarianceClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If there is one class, or matrices are not positive definite with ``reg=0``.

        Warns
        -----
        UserWarning
            If there are fewer trials of a class than folds, trials are too short for a rule, or
            channels are flat.
        ConvergenceWarning
            If a mean of the matrices did not converge; that of "fgmdm" is not checked.
        """
        with all_or_nothing(self, _PRIVATE):
            settings = self._transformer_settings()
            order, lag = AugmentedCovariance(self.order, self.lag, **settings)._checked()
            geometry = Geometry.of(self.metric, self.mean_tol, self.reg)
            if is_dask(X):
                from ..distributed._augmented_covariance import fit_classifier_row_blocks

                return fit_classifier_row_blocks(self, X, y, order, lag, geometry)
            be = get_backend(self.backend, X)
            y = be.follow(y)
            X, y, is_table = read_trials(self, be, X, y, reset=True)
            self._level = mean_level(X) if is_table else None
            floor = check_flat(X, self._level)
            check_classification_targets(y)
            y = to_numpy(y)
            self._set_classes(y)
            rng = check_random_state(self.random_state)
            with fit_threads(be, self.n_jobs) as pool:
                choices = self._choices(X, order, lag, rng, pool, warn=not is_table)
            with single_threaded_blas:
                models = Models.of(self.classifier, geometry)
                self._fit_best(be, X, y, floor, choices, models, rng)
        return self

    def _set_classes(self, y):
        """Set `classes_`, of which there must be two."""
        self.classes_ = np.unique(y)
        if self.classes_.size < 2:
            raise ValueError(
                f"y must have at least 2 classes. Got 1 class: {self.classes_.tolist()!r}."
            )

    def _choices(self, X, order, lag, rng, pool, *, warn):
        """Candidates with their embeddings."""
        data = to_numpy(X).astype(np.float64)
        seed = rng.randint(2**31 - 1)  # every rule looks at the same trials

        def choose(order, lag):
            return choose_embedding(
                data,
                order=order,
                lag=lag,
                max_order=self.max_order,
                max_lag=self.max_lag,
                n_trials=self.n_selection_trials,
                rng=check_random_state(seed),
                backend=self.backend,
                pool=pool,
                warn=warn,
            )

        return find_candidates(order, lag, self.orders, self.lags, X.shape[1:], choose)

    def _fit_best(self, be, X, y, floor, choices, models, rng):
        """Judge the candidates if there is a choice, and fit to all trials."""
        self.candidates_ = list(choices)
        self.cv_results_, self.best_score_, place = None, None, (0, 0)
        search = None
        if len(choices) * len(models.estimators) > 1:
            search = Search(models, y, self._folds(y, rng), self._scorer(), self.n_jobs)
        for candidate in tasks(self, X, y, self.candidates_, "candidate"):
            if search is not None:
                matrices = self._matrices(be, X, choices[candidate], floor, models.geometry)
                score = search.judge(candidate, matrices)
                if self.verbose:
                    print(f"[{type(self).__name__}] {candidate}: score={score:.4f}")
        if search is not None:
            place = search.best(X.shape[1])
            self.cv_results_ = search.results()
            self.best_score_ = search.best_score
        candidate = self.candidates_[place[0]]
        embedding = choices[candidate]
        # A table stays one: its rows may be flat.
        given = X if self._level is None else be.home.reshape(X, (X.shape[0], -1))
        self.covariance_ = self._transformer(embedding).fit(given)
        self._set_choice(be, embedding, models)
        matrices = self._matrices(be, X, embedding, floor, models.geometry)
        inputs, self.reference_ = models.inputs(matrices, slice(None))
        if self.reference_ is not None:
            models.geometry.warn_if_short(inputs)
            self.reference_ = be.unload(self.reference_.astype(matrices.dtype))
        self.model_ = clone(models.estimators[place[1]]).fit(inputs, y)
        if self._of_matrices:
            models.geometry.check_class_means(self.model_, inputs, y)

    def _set_choice(self, be, embedding, models):
        """Attributes that tell of the choice and of the models."""
        self.embedding_, self.delays_ = embedding, be.unload(embedding.delays)
        self.order_, self.lag_ = embedding.order, embedding.lag
        self._geometry, self._of_matrices = models.geometry, models.of_matrices

    def _transformer_settings(self):
        """Parameters that the transformer shares."""
        return {name: getattr(self, name) for name in _OF_THE_MATRICES}

    def _transformer(self, embedding):
        """The transformer of an embedding."""
        lag = embedding.delays[1:] if embedding.lag is None else embedding.lag
        return AugmentedCovariance(embedding.order, lag, **self._transformer_settings())

    def _matrices(self, be, X, embedding, floor, geometry):
        """Augmented covariances on the host, in double precision as their geometry needs it."""
        delays = tuple(embedding.delays.tolist())
        transformer = self._transformer(embedding)
        matrices = to_numpy(transformer._matrices(be, X, delays, floor, double=True))
        geometry.check(matrices)
        return matrices

    def _folds(self, y, rng):
        """Pairs of indices."""
        from sklearn.model_selection import StratifiedKFold, check_cv

        cv = self.cv
        if isinstance(cv, Integral):
            n_folds, least = int(cv), int(np.unique(y, return_counts=True)[1].min())
            if least < 2:
                raise ValueError(
                    "Candidates are judged by cross-validation, which needs at least 2 trials of"
                    f" each class. Got {least} of one class: pass numbers as order and lag."
                )
            if least < n_folds:
                warn_caller(
                    f"cv={n_folds}, but a class has only {least} trials: {least} folds are used.",
                    UserWarning,
                )
            seed = rng.randint(2**31 - 1)
            cv = StratifiedKFold(min(n_folds, least), shuffle=True, random_state=seed)
        return list(check_cv(cv, y, classifier=True).split(np.zeros(len(y)), y))

    def _scorer(self):
        """Function of a fitted model, its inputs and labels."""
        from sklearn.metrics import accuracy_score, get_scorer

        if self.scoring is None:
            return lambda model, inputs, y: accuracy_score(y, model.predict(inputs))
        return get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring

    def _inputs(self, X, method):
        """Back end, dtype of X, and what the model takes."""
        check_is_fitted(self)
        be = get_backend(self.backend, X)
        X, is_table = read_trials(self, be, X, reset=False)
        be.check_home(self, "delays_", method)
        with single_threaded_blas:
            floor = check_flat(X, self._level if is_table else None)
            matrices = self._matrices(be, X, self.embedding_, floor, self._geometry)
            if self._of_matrices:
                return be, X.dtype, matrices
            reference = to_numpy(self.reference_).astype(np.float64)
            return be, X.dtype, self._geometry.tangent(matrices, reference)

    def predict(self, X):
        """Class of each trial.

        Parameters
        ----------
        X : {array-like, dask array} of shape (n_trials, n_channels, n_times)
            Trials, whose number of times need not be that of the fit.

        Returns
        -------
        labels : array of shape (n_trials,)
            Labels.
        """
        check_is_fitted(self)
        if is_dask(X):
            from ..distributed._augmented_covariance import predict_row_blocks

            return predict_row_blocks(self, X)
        be, _, inputs = self._inputs(X, "predict")
        return be.labels(self.classes_, np.searchsorted(self.classes_, self.model_.predict(inputs)))

    @available_if(_model_has("predict_proba"))
    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_trials, n_channels, n_times)
            Trials.

        Returns
        -------
        proba : array of shape (n_trials, n_classes)
            Probabilities, in the order of `classes_`.
        """
        be, dtype, inputs = self._inputs(X, "predict_proba")
        return be.unload_as(self.model_.predict_proba(inputs), dtype)

    @available_if(_model_has("decision_function"))
    def decision_function(self, X):
        """Decision values of the classifier at the end.

        Parameters
        ----------
        X : array-like of shape (n_trials, n_channels, n_times)
            Trials.

        Returns
        -------
        decision : array of shape (n_trials,) or (n_trials, n_classes)
            Its values.
        """
        be, dtype, inputs = self._inputs(X, "decision_function")
        return be.unload_as(self.model_.decision_function(inputs), dtype)

    def transform(self, X):
        """Tangent vectors, or the distances to the means of the classes.

        Parameters
        ----------
        X : array-like of shape (n_trials, n_channels, n_times)
            Trials.

        Returns
        -------
        X_new : array of shape (n_trials, n_features_out)
            Tangent vectors with D (D + 1) / 2 entries; for "mdm" and "fgmdm" a distance for each
            class.
        """
        be, dtype, inputs = self._inputs(X, "transform")
        features = self.model_.transform(inputs) if self._of_matrices else inputs
        return be.unload_as(features, dtype)

    @property
    def _n_features_out(self):
        """Number of columns that `transform` gives."""
        size = self.order_ * self.n_channels_in_
        return self.classes_.size if self._of_matrices else size * (size + 1) // 2

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.array_api_support = True
        tags.classifier_tags.poor_score = True  # on tables whose columns are no times
        return tags
