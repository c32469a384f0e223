"""Pictures of how near samples have come to the vectors of their classes."""

import numpy as np
from sklearn.utils.validation import column_or_1d

from ._ebv import check_classifier
from ._panels import set_title, take_axes


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
        check_classifier(estimator)
        y = column_or_1d(y)
        unknown = y[~np.isin(y, estimator.classes_)]
        if unknown.size:
            raise ValueError(f"y has labels that the estimator does not know: {unknown[:5]}.")
        cosines = np.clip(estimator._cosines(X, cls.__name__).astype(np.float64), -1, 1)
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
