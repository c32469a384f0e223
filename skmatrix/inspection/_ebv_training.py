"""Pictures of training towards equiangular basis vectors."""

import numpy as np

from ._ebv import check_classifier
from ._panels import set_title, take_axes

_PANELS = {
    "Loss": ("train_loss", "valid_loss"),
    "Cosine with own vector": ("train_cosine", "valid_cosine"),
    "Margin": ("valid_margin",),
    "Accuracy": ("valid_accuracy",),
}
_LABELS = {"train": ("Training", "C0"), "valid": ("Kept apart", "C1")}


class EBVTrainingDisplay:
    """Loss, cosine, margin and accuracy of a classifier by epoch.

    Make one with :meth:`from_estimator`; the constructor takes what it finds.

    Parameters
    ----------
    history : list of dict
        Epochs, as ``history_`` of :class:`~skmatrix.neural_network.EBVClassifier`.
    best_epoch : int or None, default=None
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
    rises at the end, more epochs help, whatever the accuracy. The margin is how much larger it is
    than the largest cosine with another vector, on the average.

    Examples
    --------
    >>> from skmatrix.inspection import EBVTrainingDisplay
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
            As many axes as there are quantities: two, four with early stopping. None makes new
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
        check_classifier(estimator)
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
            raise ValueError(
                "history must have epochs with a loss, a cosine, a margin or an accuracy."
            )
        self.ax_, self.figure_ = take_axes(type(self).__name__, ax, len(panels), ", ".join(panels))
        self.lines_ = {}
        for axis, (title, keys) in zip(self.ax_, panels.items(), strict=True):
            for key in keys:
                if key in kept:
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
        from matplotlib import cbook, lines

        # Of a keyword and its short form, matplotlib takes one.
        keywords = cbook.normalize_kwargs(keywords, lines.Line2D)
        style = {"label": label, "color": color, **keywords}
        (self.lines_[key],) = ax.plot(np.arange(1, len(values) + 1), values, **style)
        if key.endswith("loss") and np.nanmin(values) > 0:
            ax.set_yscale("log")
