"""Which coefficients of a sparse fit are where the true ones are."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import set_title, take_ax

# Colour and marker of each outcome: they can be told apart in grey too.
_STYLES = {
    "hit": ("Hits", "#0072B2", "s", "full"),
    "miss": ("Misses", "#E69F00", "s", "none"),
    "false alarm": ("False alarms", "#000000", "x", "full"),
}
# Inches of the axes, and points of a marker, at least and at most.
_SIZE = (6.4, 4.4)
_MARKER = (3.5, 10.0)
# Blocks between which there are lines, and labels of an axis, at most.
_BLOCKS, _LABELS = 60, 15


class SupportDisplay:
    """Recovered support of coefficients against the true one: hits, misses and false alarms.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`; the constructor takes what
    they compute.

    Parameters
    ----------
    data : dict
        What is drawn: ``shape`` of the tensor of coefficients; ``hit``, ``miss`` and
        ``false alarm``, masks of this shape; ``rate``, the share of hits among all three; ``rows``
        and ``columns``, the modes along each axis, of which the last varies fastest.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    marks_ : dict of str to matplotlib Line2D
        The marks of each outcome, by the names of the masks.

    See Also
    --------
    KroneckerSpectrumDisplay : Prior variances of the indices of each factor.
    skmatrix.linear_model.KroneckerSBL : Sparse regression with Kronecker factors.

    Notes
    -----
    A coefficient is found if its modulus is more than `threshold` times the largest one. A hit is
    found and truly not zero, a miss is not found, a false alarm is found but zero. Estimates that
    are exactly zero off their support ask for a small threshold; those of fits that only shrink,
    or with much noise, for a larger one.

    A tensor is unfolded: some of its modes go along the rows, the others along the columns, and the
    last of each varies fastest. If the support is a Kronecker product, marks form a grid, and a
    wrong index of a factor is a whole line of false alarms.

    Marks have a smallest size, so that a single coefficient among millions is still seen; false
    alarms lie above misses, and these above hits.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmatrix.datasets import make_kronecker_sparse
    >>> from skmatrix.inspection import SupportDisplay
    >>> from skmatrix.linear_model import KroneckerSBL
    >>> factors, y, truth = make_kronecker_sparse(random_state=2)
    >>> model = KroneckerSBL().fit(factors, y)
    >>> display = SupportDisplay.from_estimator(model, truth.coef)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, truth, *, threshold=1e-3, rows=None, ax=None, name=None, line_kwargs=None
    ):
        """Plot the support of the coefficients of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted linear model, with ``coef_``. Coefficients of
            :class:`~skmatrix.linear_model.KroneckerSBL` are a tensor; those of its snapshots share
            their support, and count by their norm over snapshots.
        truth : array-like
            True coefficients, or a mask of those that are not zero, with as many entries as
            ``coef_``, or as one snapshot.
        threshold : float, default=1e-3
            Share of the largest modulus above which a coefficient is found.
        rows : int or sequence of int, default=None
            Modes along the rows; None takes the first half of them.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the marks.

        Returns
        -------
        display : SupportDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If the estimator has no coefficients.
        ValueError
            If sizes do not go together, or `threshold` or `rows` are bad.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "coef_"):
            raise TypeError(
                f"estimator must have coefficients. Got a {type(estimator).__name__}; of a pipeline"
                " pass the last step."
            )
        coef = to_numpy(getattr(estimator, "coef_tensor_", estimator.coef_))
        truth = to_numpy(truth)
        if hasattr(estimator, "gamma_") and coef.ndim > len(estimator.gamma_):
            if truth.size == coef.size:
                truth = np.any(truth.reshape(coef.shape) != 0, axis=0)
            coef = np.sqrt(np.sum(np.abs(coef) ** 2, axis=0))
        return cls.from_predictions(
            coef,
            truth,
            threshold=threshold,
            shape=coef.shape,
            rows=rows,
            ax=ax,
            name=type(estimator).__name__ if name is None else name,
            line_kwargs=line_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        coef,
        truth,
        *,
        threshold=1e-3,
        shape=None,
        rows=None,
        ax=None,
        name=None,
        line_kwargs=None,
    ):
        """Plot the support of coefficients.

        Parameters
        ----------
        coef : array-like
            Estimated coefficients, real or complex.
        truth : array-like
            True coefficients, or a mask of those that are not zero, with as many entries.
        threshold : float, default=1e-3
            Share of the largest modulus of `coef` above which a coefficient is found.
        shape : tuple of int, default=None
            Shape of the tensor that both stand for, in C order; None is the shape of `coef`.
        rows : int or sequence of int, default=None
            Modes along the rows; None takes the first half of them.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None is none.
        line_kwargs : dict, default=None
            Keywords of the marks.

        Returns
        -------
        display : SupportDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If sizes do not go together, values are not finite, or `threshold` or `rows` are bad.
        """
        if not isinstance(threshold, Real) or not 0 <= float(threshold) < 1:
            raise ValueError(f"threshold must be a number in [0, 1). Got {threshold!r}.")
        coef, truth = to_numpy(coef), to_numpy(truth)
        shape = coef.shape if shape is None else tuple(shape)
        for what, values in (("coef", coef), ("truth", truth)):
            if values.size != math.prod(shape) or not shape or not values.size:
                raise ValueError(
                    f"{what} must have the {math.prod(shape)} entries of the shape {shape}. Got"
                    f" shape {values.shape}."
                )
            if not np.isfinite(values).all():
                raise ValueError(f"{what} contains NaN or infinity.")
        size, true = np.abs(coef).reshape(shape), (truth != 0).reshape(shape)
        found = size > threshold * size.max()
        rows = _row_modes(rows, len(shape))
        data = {
            "shape": shape,
            "hit": found & true,
            "miss": true & ~found,
            "false alarm": found & ~true,
            "rate": float(np.sum(found & true) / max(np.sum(found | true), 1)),
            "rows": rows,
            "columns": tuple(k for k in range(len(shape)) if k not in rows),
        }
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
            Keywords of the marks.

        Returns
        -------
        display : SupportDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = take_ax(type(self).__name__, ax, _SIZE)
        self.ax_, self.figure_, self.marks_ = ax, ax.figure, {}
        shape, rows, columns = (self.data[key] for key in ("shape", "rows", "columns"))
        row_sizes, column_sizes = [shape[k] for k in rows], [shape[k] for k in columns]
        n_rows, n_columns = math.prod(row_sizes), math.prod(column_sizes)
        box = ax.get_window_extent()
        cell = min(box.height / n_rows, box.width / n_columns) * 72 / self.figure_.dpi
        size = min(max(0.8 * cell, _MARKER[0]), _MARKER[1])
        for outcome, (label, color, marker, fill) in _STYLES.items():
            mask = np.transpose(self.data[outcome], (*rows, *columns)).reshape(n_rows, n_columns)
            i, j = np.nonzero(mask)
            style = {"color": color, "marker": marker, "fillstyle": fill, "markersize": size}
            style |= {"ls": "none", "label": f"{label}: {i.size}"} | (line_kwargs or {})
            (self.marks_[outcome],) = ax.plot(j, i, **style)
        ax.set(xlim=(-0.5, n_columns - 0.5), ylim=(n_rows - 0.5, -0.5))
        _label(ax.xaxis, ax.axvline, columns, column_sizes)
        _label(ax.yaxis, ax.axhline, rows, row_sizes)
        title = f"Hits among all marks: {100 * self.data['rate']:.0f} %"
        ax.legend(
            fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0), markerscale=6.0 / size
        )
        ax.set_title(title, fontsize="medium")
        set_title([ax], self.estimator_name if name is None else name)
        return self


def _row_modes(rows, n_modes):
    """Modes along the rows."""
    if rows is None:
        return tuple(range(n_modes // 2))
    given = (rows,) if isinstance(rows, Integral) else tuple(rows)
    known = all(isinstance(k, Integral) and 0 <= int(k) < n_modes for k in given)
    if not known or len(set(given)) < len(given):
        raise ValueError(
            f"rows must be one of the modes from 0 to {n_modes - 1}, or several of them. Got"
            f" {rows!r}."
        )
    return tuple(map(int, given))


def _label(axis, line, modes, sizes):
    """Indices of the first of the modes along an axis, and lines between its blocks."""
    if not modes:
        axis.set_ticks([])
        return
    inner = math.prod(sizes[1:])
    step = -(-sizes[0] // _LABELS)
    axis.set_ticks((inner - 1) / 2 + inner * np.arange(sizes[0])[::step])
    axis.set_ticklabels(np.arange(sizes[0])[::step])
    text = f"Index of mode {modes[0]}"
    if len(modes) > 1:
        text += f", each with those of {', '.join(map(str, modes[1:]))}"
        if sizes[0] <= _BLOCKS:
            for edge in range(inner, inner * sizes[0], inner):
                line(edge - 0.5, color="0.85", lw=0.8, zorder=0)
    axis.set_label_text(text)
