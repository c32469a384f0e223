"""Diagnostic plots of a matrix completion."""

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import set_title, take_ax

_KINDS = ("path", "spectrum", "cold_start", "hidden")
_ENTRY_KINDS = ("cold_start", "hidden")
# Most groups of rows in the cold-start curve.
_GROUPS = 10


class MatrixCompletionDisplay:
    """How a matrix completion converged, what it holds, and how well it predicts.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`; the constructor takes what
    they compute.

    Parameters
    ----------
    kind : {"path", "spectrum", "cold_start", "hidden"}
        What is shown.
    data : dict of str to ndarray
        The curves: for "path" ``x``, ``objective``, ``validation`` and ``steps``; for "spectrum"
        ``singular_values``, ``ranks`` and ``scores``; for "cold_start" and "hidden" ``y_true``,
        ``y_pred`` and ``counts``.
    x_label : str, default="Epoch"
        Meaning of ``x`` for "path".
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib artists
        Curves and points, in the order of the legend.

    See Also
    --------
    ConvergenceDisplay : The objectives of several fits.
    skmatrix.impute.MatrixCompletion : The estimator.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmatrix.datasets import make_low_rank_matrix_completion
    >>> from skmatrix.impute import MatrixCompletion
    >>> from skmatrix.inspection import MatrixCompletionDisplay
    >>> X, _ = make_low_rank_matrix_completion(noise=0.1, random_state=0)
    >>> completion = MatrixCompletion(5, random_state=0).fit(X)
    >>> display = MatrixCompletionDisplay.from_estimator(completion, kind="path")
    >>> plt.show()
    """

    def __init__(self, *, kind, data, x_label="Epoch", estimator_name=None):
        self.kind = kind
        self.data = data
        self.x_label = x_label
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, X=None, *, kind="path", x="epoch", ax=None, name=None, line_kwargs=None
    ):
        """Plot a fitted completion.

        Parameters
        ----------
        estimator : MatrixCompletion or MatrixCompletionRegressor
            The fitted estimator.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows for "cold_start" and "hidden", of which a share ``score_fraction`` is hidden and
            predicted from the rest; not used by the others, nor for a regressor, whose pairs go
            to :meth:`from_predictions`. Pass rows that `fit` has not seen:
            the columns know the entries of those that it has.
        kind : {"path", "spectrum", "cold_start", "hidden"}, default="path"
            What to show: "path", the objective, the error on held-out entries and the inner steps
            by epoch; "spectrum", the singular values of the model and the ranks that were tried;
            "cold_start", the error by the number of entries that a row is folded in from;
            "hidden", hidden values against predicted ones.
        x : {"epoch", "seconds"}, default="epoch"
            Horizontal axis of "path".
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the main curve, or of the points.

        Returns
        -------
        display : MatrixCompletionDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `kind` or `x` is unknown, or `X` is needed and missing.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, _KINDS))}. Got {kind!r}.")
        if x not in ("epoch", "seconds"):
            raise ValueError(f"x must be 'epoch' or 'seconds'. Got {x!r}.")
        check_is_fitted(estimator)
        model = getattr(estimator, "completion_", estimator)
        if model is not estimator and kind in _ENTRY_KINDS:
            raise ValueError(
                f"kind={kind!r} hides entries of a matrix; {type(estimator).__name__} has pairs."
                " Pass its predictions for pairs that it has not seen to from_predictions."
            )
        if kind == "path":
            data = _path(model, x)
        elif kind == "spectrum":
            data = _spectrum(model)
        elif X is None:
            raise ValueError(f"kind={kind!r} needs X, the rows to hide entries of.")
        else:
            y_true, y_pred, counts = model._predict_hidden(X, f"kind={kind!r}")
            data = {"y_true": y_true, "y_pred": y_pred, "counts": counts}
        display = cls(
            kind=kind,
            data=data,
            x_label={"epoch": "Epoch", "seconds": "Time (s)"}[x],
            estimator_name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax, line_kwargs=line_kwargs)

    @classmethod
    def from_predictions(
        cls, y_true, y_pred, *, counts=None, kind="hidden", ax=None, name=None, line_kwargs=None
    ):
        """Plot predictions of hidden entries.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n,)
            Hidden values and their predictions.
        counts : array-like of shape (n,), default=None
            Observed entries of the row of each; needed by "cold_start".
        kind : {"hidden", "cold_start"}, default="hidden"
            What to show, as in :meth:`from_estimator`.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title.
        line_kwargs : dict, default=None
            Keywords of the main curve, or of the points.

        Returns
        -------
        display : MatrixCompletionDisplay
            The display, plotted.
        """
        if kind not in _ENTRY_KINDS:
            raise ValueError(f"kind must be 'hidden' or 'cold_start'. Got {kind!r}.")
        if kind == "cold_start" and counts is None:
            raise ValueError("kind='cold_start' needs counts, the observed entries of each row.")
        data = {"y_true": y_true, "y_pred": y_pred}
        if counts is not None:
            data["counts"] = counts
        data = {key: column_or_1d(to_numpy(a)).astype(np.float64) for key, a in data.items()}
        check_consistent_length(*data.values())
        return cls(kind=kind, data=data, estimator_name=name).plot(ax, line_kwargs=line_kwargs)

    def plot(self, ax=None, *, name=None, line_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        line_kwargs : dict, default=None
            Keywords of the main curve, or of the points.

        Returns
        -------
        display : MatrixCompletionDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = take_ax(type(self).__name__, ax)
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        draw = {
            "path": self._plot_path,
            "spectrum": self._plot_spectrum,
            "cold_start": self._plot_cold_start,
            "hidden": self._plot_hidden,
        }
        draw[self.kind](ax, {} if line_kwargs is None else line_kwargs)
        set_title([ax], self.estimator_name if name is None else name)
        return self

    def _plot_path(self, ax, keywords):
        """Objective and held-out error on the left, inner steps on the right."""
        x, objective = self.data["x"], self.data["objective"]
        self.lines_ += ax.plot(
            x, objective, **{"color": "C0", "marker": "o", "label": "Objective", **keywords}
        )
        ax.set(xlabel=self.x_label, ylabel="Objective", yscale=_scale_for(objective))
        if self.x_label == "Epoch":
            ax.xaxis.get_major_locator().set_params(integer=True)
        right = ax.twinx()
        if self.data["validation"].size:
            self.lines_ += right.plot(
                x, self.data["validation"], color="C1", marker="s", label="Held-out error"
            )
            right.set_ylabel("Root mean square error on held-out entries")
        else:
            for steps, side, marker in zip(
                self.data["steps"].T, ("rows", "columns"), "^v", strict=True
            ):
                self.lines_ += right.plot(
                    x, steps, color="0.6", marker=marker, ms=4, lw=1, label=f"Steps of {side}"
                )
            right.set_ylabel("Conjugate gradient steps")
            right.set_ylim(0, 1.5 * self.data["steps"].max())  # leaves room for the legend
        ax.legend(handles=self.lines_, loc="upper right")

    def _plot_spectrum(self, ax, keywords):
        """Singular values, with the score of each rank tried if there are any."""
        values = self.data["singular_values"]
        self.lines_ += ax.plot(
            np.arange(1, values.size + 1),
            values,
            **{"color": "C0", "marker": "o", "label": "Singular values", **keywords},
        )
        ax.set(xlabel="Component", ylabel="Singular value", yscale=_scale_for(values))
        ax.xaxis.get_major_locator().set_params(integer=True)
        if self.data["ranks"].size:
            order = np.argsort(self.data["ranks"])
            right = ax.twinx()
            self.lines_ += right.plot(
                self.data["ranks"][order],
                self.data["scores"][order],
                color="C1",
                marker="s",
                label="Score of the rank",
            )
            right.set_ylabel("Held-out error, or sign-flip ratio")
            ax.set_xlabel("Component, or number of components")
            ax.legend(handles=self.lines_)

    def _plot_cold_start(self, ax, keywords):
        """Error by the number of entries a row was folded in from."""
        counts, squares = self.data["counts"], (self.data["y_pred"] - self.data["y_true"]) ** 2
        bounds = np.unique(np.quantile(counts, np.linspace(0, 1, _GROUPS + 1)))
        group = np.clip(np.searchsorted(bounds, counts, side="right") - 1, 0, len(bounds) - 2)
        group = np.maximum(group, 0)
        size = np.bincount(group)
        filled = size > 0
        mean_count = np.bincount(group, counts)[filled] / size[filled]
        error = np.sqrt(np.bincount(group, squares)[filled] / size[filled])
        self.lines_ += ax.plot(
            mean_count, error, **{"color": "C0", "marker": "o", "label": "By row", **keywords}
        )
        overall = float(np.sqrt(squares.mean()))
        self.lines_.append(ax.axhline(overall, color="0.5", ls="--", label=f"All: {overall:.3g}"))
        ax.set(
            xlabel="Observed entries of the row", ylabel="Root mean square error on hidden entries"
        )
        if mean_count.min() > 0:
            ax.set_xscale("log")
        ax.legend()

    def _plot_hidden(self, ax, keywords):
        """Hidden values against predicted ones, with the diagonal."""
        true, predicted = self.data["y_true"], self.data["y_pred"]
        low = min(true.min(), predicted.min())
        self.lines_.append(ax.axline((low, low), slope=1, color="0.5", ls="--", label="Equal"))
        points = {"color": "C0", "marker": ".", "ls": "", "alpha": 0.3, "rasterized": True}
        error = float(np.sqrt(np.mean((true - predicted) ** 2)))
        label = {"label": f"Hidden entries, error {error:.3g}"}
        self.lines_ += ax.plot(predicted, true, **{**points, **label, **keywords})
        ax.set(xlabel="Predicted value", ylabel="Hidden value")
        ax.legend()


def _scale_for(values):
    """A logarithmic axis where positive values spread over a factor of ten, else a linear one."""
    spread = values.size and values.min() > 0 and values.max() > 10 * values.min()
    return "log" if spread else "linear"


def _path(model, x):
    """Histories of a fitted completion."""
    n = model.n_iter_
    return {
        "x": np.arange(1, n + 1) if x == "epoch" else to_numpy(model.elapsed_history_),
        "objective": to_numpy(model.objective_history_),
        "validation": to_numpy(model.validation_history_),
        "steps": to_numpy(model.inner_iter_history_),
    }


def _spectrum(model):
    """Singular values, and the ranks tried with their scores."""
    path = np.asarray(model.rank_path_, dtype=np.float64).reshape(-1, 2)
    return {
        "singular_values": to_numpy(model.singular_values_),
        "ranks": path[:, 0],
        "scores": path[:, 1],
    }
