"""Pictures of basis vectors, of training towards them, and of how near samples have come."""

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..neural_network import EBVClassifier, coherence_bounds
from ._panels import set_title, take_axes

# Vectors whose cosines are all drawn; of more, as many spread over them.
_VECTORS = 2000
_PANELS = {
    "Loss": ("train_loss", "valid_loss"),
    "Cosine with own vector": ("train_cosine", "valid_cosine"),
    "Accuracy": ("valid_accuracy",),
}
_LABELS = {"train": ("Training", "C0"), "valid": ("Kept apart", "C1")}


def _check_classifier(estimator):
    """Refuse what is no fitted classifier."""
    if not isinstance(estimator, EBVClassifier):
        raise TypeError(
            f"estimator must be a fitted EBVClassifier. Got {type(estimator).__name__}."
        )
    check_is_fitted(estimator)


class EBVTrainingDisplay:
    """Loss, cosine and accuracy of a classifier by epoch.

    Make one with :meth:`from_estimator`; the constructor takes what it finds.

    Parameters
    ----------
    history : list of dict
        Epochs, as ``history_`` of :class:`~skmatrix.neural_network.EBVClassifier`.
    best_epoch : int, default=None
        Epoch whose weights were taken, counted from 1. None draws no mark.
    estimator_name : str, default=None
        Title of the figure.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The axes, one for each quantity that was kept.
    figure_ : matplotlib Figure
        The figure.
    lines_ : dict of matplotlib Line2D
        Curves by key of the history.

    See Also
    --------
    ClassAnglesDisplay : How near single samples have come.

    Notes
    -----
    The cosine is that of an embedding with the vector of its class, on the average. Where it still
    rises at the end, more epochs help, whatever the accuracy.

    Examples
    --------
    >>> from skmatrix.inspection._ebv import EBVTrainingDisplay
    >>> epochs = [{"train_loss": 1.0, "train_cosine": 0.2}, {"train_loss": 0.5}]
    >>> display = EBVTrainingDisplay(history=epochs).plot()
    """

    def __init__(self, *, history, best_epoch=None, estimator_name=None):
        self.history = history
        self.best_epoch = best_epoch
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, line_kwargs=None):
        """Plot the epochs of a fitted classifier.

        Parameters
        ----------
        estimator : EBVClassifier
            The fitted classifier.
        ax : ndarray of matplotlib Axes, default=None
            As many axes as there are quantities: two, three with early stopping. None makes new
            ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the curves.

        Returns
        -------
        display : EBVTrainingDisplay
            The display, plotted.
        """
        _check_classifier(estimator)
        name = type(estimator).__name__ if name is None else name
        stopped = any("valid_loss" in epoch for epoch in estimator.history_)
        best = estimator.best_epoch_ if stopped else None
        display = cls(history=estimator.history_, best_epoch=best, estimator_name=name)
        return display.plot(ax, line_kwargs=line_kwargs)

    def plot(self, ax=None, *, name=None, line_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : ndarray of matplotlib Axes, default=None
            As many axes as there are quantities; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        line_kwargs : dict, default=None
            Keywords of the curves.

        Returns
        -------
        display : EBVTrainingDisplay
            The display itself.
        """
        kept = {key for epoch in self.history for key in epoch}
        panels = {title: keys for title, keys in _PANELS.items() if kept.intersection(keys)}
        if not panels:
            raise ValueError("history must have epochs with a loss, a cosine or an accuracy.")
        self.ax_, self.figure_ = take_axes(type(self).__name__, ax, len(panels), ", ".join(panels))
        self.lines_ = {}
        for axis, (title, keys) in zip(self.ax_, panels.items(), strict=True):
            for key in kept.intersection(keys):
                self._curve(axis, key, line_kwargs or {})
            if self.best_epoch is not None:
                axis.axvline(self.best_epoch, color="0.5", ls=":", label="Weights taken")
            axis.set(xlabel="Epoch", ylabel=title)
            axis.legend()
        set_title(self.ax_, self.estimator_name if name is None else name)
        return self

    def _curve(self, ax, key, keywords):
        """One quantity; epochs that have not kept it leave a gap."""
        label, color = _LABELS[key.split("_")[0]]
        values = [epoch.get(key, np.nan) for epoch in self.history]
        style = {"label": label, "color": color, **keywords}
        (self.lines_[key],) = ax.plot(np.arange(1, len(values) + 1), values, **style)
        if key.endswith("loss") and np.nanmin(values) > 0:
            ax.set_yscale("log")


class BasisCoherenceDisplay:
    """Histogram of the cosines between vectors, beside the bounds.

    Make one with :meth:`from_estimator` or :meth:`from_vectors`; the constructor takes what they
    find.

    Parameters
    ----------
    cosines : ndarray of shape (n_pairs,)
        Absolute cosines between different vectors.
    bounds : dict
        What the largest cannot be below, see :func:`~skmatrix.neural_network.coherence_bounds`.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    bars_ : list of matplotlib artists
        The histogram.
    coherence_ : float
        The largest cosine.

    See Also
    --------
    skmatrix.neural_network.coherence : The largest of all cosines, however many.

    Notes
    -----
    Of more than 2,000 vectors that many are drawn, spread evenly over them; the bounds are those of
    all vectors.

    Examples
    --------
    >>> from skmatrix.inspection._ebv import BasisCoherenceDisplay
    >>> from skmatrix.neural_network import make_ebv
    >>> display = BasisCoherenceDisplay.from_vectors(make_ebv(144, 16))
    """

    def __init__(self, *, cosines, bounds, estimator_name=None):
        self.cosines = cosines
        self.bounds = bounds
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None):
        """Plot the cosines between the vectors of the classes.

        Parameters
        ----------
        estimator : EBVClassifier
            The fitted classifier.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.

        Returns
        -------
        display : BasisCoherenceDisplay
            The display, plotted.
        """
        _check_classifier(estimator)
        targets = estimator._table.targets
        n = len(targets)
        vectors = targets.take(_spread(n))
        name = type(estimator).__name__ if name is None else name
        return cls._of(vectors, n, name).plot(ax)

    @classmethod
    def from_vectors(cls, V, *, ax=None, name=None):
        """Plot the cosines between the rows of a matrix.

        Parameters
        ----------
        V : array-like of shape (n_vectors, dim)
            Vectors, none of them zero.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None leaves it out.

        Returns
        -------
        display : BasisCoherenceDisplay
            The display, plotted.
        """
        V = check_array(V, dtype=np.float64, ensure_min_samples=2, input_name="V")
        return cls._of(V[_spread(len(V))], len(V), name).plot(ax)

    @classmethod
    def _of(cls, vectors, n_vectors, name):
        """Display of some of so many vectors."""
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not norms.all():
            raise ValueError("V has a zero vector.")
        unit = vectors / norms
        cosines = np.abs(unit @ unit.T)[np.triu_indices(len(unit), 1)]
        bounds = coherence_bounds(n_vectors, vectors.shape[1])
        return cls(cosines=cosines, bounds=bounds, estimator_name=name)

    def plot(self, ax=None, *, name=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.

        Returns
        -------
        display : BasisCoherenceDisplay
            The display itself.
        """
        (self.ax_,), self.figure_ = take_axes(type(self).__name__, ax, 1, "the histogram")
        self.coherence_ = float(np.max(self.cosines))
        top = max(self.coherence_, self.bounds["best"], 1e-12)
        _, _, self.bars_ = self.ax_.hist(self.cosines, bins=50, range=(0, 1.1 * top), color="C0")
        label = f"Largest: {self.coherence_:.4f}"
        self.ax_.axvline(self.coherence_, color="k", ls="--", label=label)
        label = f"No set is below {self.bounds['best']:.4f}"
        self.ax_.axvline(self.bounds["best"], color="C3", label=label)
        self.ax_.set(xlabel="Absolute cosine", ylabel="Pairs of vectors")
        self.ax_.legend()
        set_title([self.ax_], self.estimator_name if name is None else name)
        return self


class ClassAnglesDisplay:
    """Angle of samples with the vector of their class, against that with the nearest other one.

    Make one with :meth:`from_estimator`; the constructor takes what it finds.

    Parameters
    ----------
    own : ndarray of shape (n_samples,)
        Degrees between an embedding and the vector of its class.
    other : ndarray of shape (n_samples,)
        Degrees between it and the nearest vector of another class.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    points_ : list of matplotlib PathCollection
        Samples that are classified correctly, and the others.

    See Also
    --------
    EBVTrainingDisplay : The mean cosine by epoch.

    Notes
    -----
    Samples above the diagonal are classified correctly. A cloud near the diagonal and far from the
    left is that of a network which has not trained for long enough.
    """

    def __init__(self, *, own, other, estimator_name=None):
        self.own = own
        self.other = other
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None, name=None):
        """Plot samples and their true classes.

        Parameters
        ----------
        estimator : EBVClassifier
            The fitted classifier.
        X : array-like of shape (n_samples, n_features) or (n_samples, channels, ...)
            Samples.
        y : array-like of shape (n_samples,)
            Their labels, all of which the classifier knows.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.

        Returns
        -------
        display : ClassAnglesDisplay
            The display, plotted.
        """
        _check_classifier(estimator)
        y = column_or_1d(y)
        unknown = y[~np.isin(y, estimator.classes_)]
        if unknown.size:
            raise ValueError(f"y has labels that the estimator does not know: {unknown[:5]}.")
        scaled = estimator._scaled_cosines(X, cls.__name__)
        cosines = np.clip(scaled.astype(np.float64) * estimator.temperature, -1, 1)
        if len(cosines) != y.size:
            raise ValueError(f"X has {len(cosines)} samples and y has {y.size}.")
        place = np.arange(y.size), np.searchsorted(estimator.classes_, y)
        own = cosines[place]
        cosines[place] = -np.inf
        other = np.clip(cosines.max(axis=1), -1, 1)
        name = type(estimator).__name__ if name is None else name
        angles = (np.degrees(np.arccos(values)) for values in (own, other))
        return cls(own=next(angles), other=next(angles), estimator_name=name).plot(ax)

    def plot(self, ax=None, *, name=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.

        Returns
        -------
        display : ClassAnglesDisplay
            The display itself.
        """
        (self.ax_,), self.figure_ = take_axes(type(self).__name__, ax, 1, "the angles")
        right = self.own < self.other
        self.points_ = [
            self.ax_.scatter(self.own[kept], self.other[kept], s=8, c=color, label=label)
            for kept, color, label in (
                (right, "C0", f"Right: {right.sum()}"),
                (~right, "C3", f"Wrong: {(~right).sum()}"),
            )
        ]
        limit = 1.05 * max(self.own.max(), self.other.max(), 90 / 1.05)
        self.ax_.plot([0, limit], [0, limit], color="0.5", lw=1)
        self.ax_.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
        self.ax_.set(xlabel="Angle with own vector", ylabel="Angle with nearest other vector")
        self.ax_.legend(loc="lower right")
        set_title([self.ax_], self.estimator_name if name is None else name)
        return self


def _spread(n_vectors):
    """Places of the vectors that are drawn."""
    count = min(n_vectors, _VECTORS)
    return np.linspace(0, n_vectors - 1, count).astype(np.int64)
