"""The objective of an iterative fit, or of several, against the iterations."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import set_title, take_ax

_SIZE = (5.6, 4.0)
_SCALES = ("linear", "log")
# Each fit has its own best value.
_DISTANCE = "Distance from its own best"
# What can be drawn, and the label of its axis.
_KINDS = {"objective": "Objective", "noise": "Noise variance"}
# Entries of a column of the legend.
_PER_COLUMN = 6


class ConvergenceDisplay:
    """Objective of a fit after each iteration, of one estimator or of several starts.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn: for each fit its ``names``, ``iterations``, counted from 1, and
        ``objectives`` after them; ``n_without``, the first iterations of each that have no
        objective; and ``scale``, "linear" or "log".
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves, one for each fit.
    span_ : matplotlib artist or None
        The shade over the iterations in which no fit has an objective, if there are any.

    See Also
    --------
    MatrixCompletionDisplay : The course of a completion, with errors on hidden entries.
    VariationalTrainingDisplay : Losses of circuits, and any curves.
    skmatrix.decomposition.FunBaT : An estimator with an objective.
    skmatrix.linear_model.KroneckerSBL : Another one, whose objective is the log evidence.

    Notes
    -----
    With ``scale="log"`` a curve is the distance of each value from the best that its own fit
    reached, the largest or the smallest by whether the objective has risen or fallen from its first
    value to its last. An error that shrinks by the same factor in every iteration is a straight
    line. Of the best value only so much is known as the fit has reached: distances are too small,
    the more so near the end, where curves bend down. The last value and any other without a
    distance are left out.

    A curve that still climbs at its end has not converged, whatever its estimator says. Starts that
    end at different heights are in different optima: that is for the linear scale, as every curve
    of the other has its own best value.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmatrix.datasets import make_functional_tensor
    >>> from skmatrix.decomposition import FunBaT
    >>> from skmatrix.inspection import ConvergenceDisplay
    >>> X, y, _ = make_functional_tensor(300, random_state=0)
    >>> starts = [FunBaT(rank=2, tol=1e-2, random_state=seed).fit(X, y) for seed in range(3)]
    >>> display = ConvergenceDisplay.from_estimator(starts)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, *, kind="objective", scale="linear", ax=None, name=None, line_kwargs=None
    ):
        """Plot the objective of a fitted estimator, or of several.

        Parameters
        ----------
        estimator : estimator, list of estimator or dict of str to estimator
            What was fitted, with ``objective_history_`` and ``n_iter_``, or with the ``scores_`` of
            a Bayesian regression whose `compute_score` is set: several starts, or several settings
            with their names.
        kind : {"objective", "noise"}, default="objective"
            What to draw: the objective, or the noise variance of an estimator that keeps it, in
            ``noise_history_``.
        scale : {"linear", "log"}, default="linear"
            Whether to draw the objective, or the logarithm of its distance from the best value. A
            noise variance is drawn as it is, on this scale.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimators.
        line_kwargs : dict, default=None
            Keywords of the curves.

        Returns
        -------
        display : ConvergenceDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If an estimator keeps no objective.
        ValueError
            If there is no estimator, `kind` or `scale` is unknown, a fit has no iteration with an
            objective, or ``scale="log"`` and no objective has changed.
        """
        if scale not in _SCALES:
            raise ValueError(f"scale must be 'linear' or 'log'. Got {scale!r}.")
        if kind not in _KINDS:
            raise ValueError(f"kind must be 'objective' or 'noise'. Got {kind!r}.")
        fits = _named(estimator)
        histories = [_history(fit, kind) for fit in fits.values()]
        data = {
            "names": list(fits),
            "iterations": [first + np.arange(1, values.size + 1) for first, values in histories],
            "objectives": [values for _, values in histories],
            "n_without": [first for first, _ in histories],
            "scale": scale,
            "kind": kind,
        }
        flat = not any(_distance(values).size for values in data["objectives"])
        if scale == "log" and kind == "objective" and flat:
            raise ValueError(
                "scale='log' draws distances from the best objective, and there are none: no"
                " objective has changed. Take scale='linear'."
            )
        if name is None:
            name = ", ".join(dict.fromkeys(type(fit).__name__ for fit in fits.values()))
        return cls(data=data, estimator_name=name).plot(ax, line_kwargs=line_kwargs)

    def plot(self, ax=None, *, name=None, line_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        line_kwargs : dict, default=None
            Keywords of the curves.

        Returns
        -------
        display : ConvergenceDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = take_ax(type(self).__name__, ax, _SIZE)
        self.ax_, self.figure_, self.lines_, self.span_ = ax, ax.figure, [], None
        is_log, names = self.data["scale"] == "log", self.data["names"]
        label_y = _KINDS[self.data["kind"]]
        is_distance = is_log and self.data["kind"] == "objective"
        curves = zip(names, self.data["iterations"], self.data["objectives"], strict=True)
        for label, iterations, values in curves:
            last = f"{label}: {values[-1]:.6g}" if len(names) > 1 else f"Last: {values[-1]:.6g}"
            if is_distance:
                distance = _distance(values)
                iterations, values = iterations[: distance.size], distance
            style = {"marker": ".", "lw": 1.5, "label": last, **(line_kwargs or {})}
            self.lines_ += ax.plot(iterations, values, **style)
        n_without = min(self.data["n_without"])
        if n_without:
            self.span_ = ax.axvspan(
                0.5, n_without + 0.5, color="0.9", lw=0, zorder=0, label="Warm-up, no objective"
            )
        ax.set_xlim(left=0.5)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="Iteration", ylabel=_DISTANCE if is_distance else label_y)
        if is_log:
            ax.set_yscale("log")
        ax.legend(fontsize="small", ncols=-(-len(names) // _PER_COLUMN))
        set_title([ax], self.estimator_name if name is None else name)
        return self


def _named(estimator):
    """Estimators and their names."""
    if isinstance(estimator, dict):
        fits = {str(name): fit for name, fit in estimator.items()}
    elif isinstance(estimator, (list, tuple)):
        fits = {f"Start {i + 1}": fit for i, fit in enumerate(estimator)}
    else:
        fits = {"": estimator}
    if not fits:
        raise ValueError("estimator must be an estimator, or some in a list or dict. Got none.")
    return fits


def _history(estimator, kind):
    """Iterations before the first value, and the values."""
    check_is_fitted(estimator)
    # A regressor that completes a matrix keeps the completion.
    model = getattr(estimator, "completion_", estimator)
    if kind == "noise" and hasattr(model, "noise_history_"):
        kept = model.noise_history_
    else:
        kept = _kept(model) if kind == "objective" else None
    kind = type(estimator).__name__
    if kept is None or not hasattr(model, "n_iter_"):
        advice = "of a pipeline or a search pass the fitted estimator within."
        if hasattr(model, "compute_score"):
            advice = "fit it with compute_score=True."
        raise TypeError(
            "estimator must have kept its objective, in objective_history_ or scores_, and n_iter_,"
            " or, for kind='noise', noise_history_."
            f" Got a {kind}; {advice}"
        )
    values = np.ravel(to_numpy(kept)).astype(np.float64)
    if not values.size and hasattr(model, "compute_score"):
        raise ValueError(
            f"The fit of the {kind} has no objective: either its solver has none, or the data were"
            " nothing but noise."
        )
    if not values.size:
        raise ValueError(
            f"No iteration of the {kind} has an objective: all {model.n_iter_} were warm-up. Raise"
            " max_iter, or lower the number of warm-up iterations."
        )
    # A history that went on from an earlier fit is longer than the iterations of the last.
    return max(0, int(model.n_iter_) - values.size), values


def _kept(model):
    """Objectives that a fit has kept, None without."""
    if hasattr(model, "objective_history_"):
        return model.objective_history_
    # The name that scikit-learn's Bayesian regressions have for it; elsewhere scores are others.
    return getattr(model, "scores_", None) if getattr(model, "compute_score", False) else None


def _distance(values):
    """Distances from the best value, NaN where there is none, without those at the end."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return finite
    best = finite.max() if finite[-1] > finite[0] else finite.min()
    distance = np.abs(values - best)
    distance[(distance == 0) | ~np.isfinite(distance)] = np.nan
    distance[-1] = np.nan
    known = np.flatnonzero(np.isfinite(distance))
    return distance[: known[-1] + 1] if known.size else finite[:0]
