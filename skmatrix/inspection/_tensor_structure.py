"""What a functional tensor is made of: its length scales, and the weight of its components."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._columns import column_names, mode_kernels
from ._panels import set_title, take_axes
from ._tensor_energy import components

_PANEL = (5.0, 3.8)
_BLUE, _ORANGE = "#0072B2", "#D55E00"
# Share of the upper bound from which a length scale is at it: the search ends a little below.
_AT_BOUND = 0.95
# Share of the energy below which a mode does not matter.
_NEGLIGIBLE = 0.01
# Labels of components, letters of those of columns of the core, and rows and columns of a core
# whose elements have texts, at most.
_LABELS, _LETTERS, _TEXTS = 30, 40, 12


class TensorStructureDisplay:
    """Length scale of each mode of a functional tensor, and the strength of its components.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn. Of the modes: ``names``, ``length_scale``, NaN where it has no meaning,
        ``remarks``, the texts beside the bars, ``bounds`` of the search or None, ``at_bound``,
        which modes are at the upper one, and ``varying``, the share of the energy of the tensor
        that varies along each. ``decomposition``; ``total``, the root mean square of the tensor;
        for "cp" ``strengths``, largest first, and ``components``, which they are; for "tucker"
        ``core``, the magnitudes after orthogonalisation.
    estimator_name : str, default=None
        Title of the figure.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The axes: length scales, and components.
    figure_ : matplotlib Figure
        The figure.
    bars_ : matplotlib BarContainer
        Length scales.
    bounds_ : list of matplotlib Line2D
        Bounds of their search.
    remarks_ : list of matplotlib Text
        What is said beside the bars.
    strengths_ : matplotlib BarContainer or None
        Strengths of the components of CP.
    core_ : matplotlib AxesImage or None
        Heat map of the core of Tucker.

    See Also
    --------
    FactorFunctionDisplay : The functions themselves.
    TensorSliceDisplay : Predictions over two of the columns.
    skmatrix.decomposition.FunBaT : The estimator.

    Notes
    -----
    **Length scales** are in units of the axes, which are scaled to a length of one by default.
    Modes without order, and those of one coordinate, have none. Bounds are drawn if there was a
    search. A mode at the upper one, in another colour, is believed to be constant.

    Beside them is the share of the energy, the mean square, of the tensor that varies along the
    mode: that of its deviations from the mean over the mode. A mode at the upper bound with less
    than 1 % does not matter. There are others of no use: along a mode of noise, functions may have
    fitted some of it, of a short length scale and little energy.

    **Strengths** are of posterior means on the grid of all distinct training coordinates, without
    the intercept, in units of y. The r-th component of CP is the product of the r-th functions of
    all modes. A factor may move from one of them to another unseen: with functions that are scaled
    to a root mean square of one, all of it is in the strength, which is the root mean square of the
    component. Components are not orthogonal, and their energies need not add up: strengths far
    above that of the whole tensor are of components that cancel.

    **A single function of Tucker means nothing**, and neither does a single number of its core. Any
    invertible matrix that mixes the functions of a mode is undone by its inverse in the core. Two
    fits of the same tensor have functions that do not look alike. The core is therefore drawn after
    a higher-order singular value decomposition [1]_: functions are made orthonormal in the mean
    over the training coordinates of their mode and turned so that the slices of the core are
    orthogonal, the strongest first. What is left undetermined are signs, which are not drawn, and
    turns among slices of equal strength. Squares of the elements then add up to the energy of the
    tensor, of which texts and labels have the shares. Rows are functions of the first mode, columns
    combinations of those of the others, of which the last varies fastest.

    References
    ----------
    .. [1] Lieven De Lathauwer, Bart De Moor, Joos Vandewalle, "A Multilinear Singular Value
       Decomposition", SIAM Journal on Matrix Analysis and Applications 21, 2000.
       :doi:`10.1137/S0895479896305696`

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmatrix.datasets import make_functional_tensor
    >>> from skmatrix.decomposition import FunBaT
    >>> from skmatrix.inspection import TensorStructureDisplay
    >>> X, y, _ = make_functional_tensor(500, random_state=0)
    >>> model = FunBaT(rank=2, kernel="matern32", tol=1e-2, random_state=0).fit(X, y)
    >>> display = TensorStructureDisplay.from_estimator(model)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, bar_kwargs=None, image_kwargs=None):
        """Plot the structure of a fitted estimator.

        Parameters
        ----------
        estimator : FunBaT
            The fitted estimator.
        ax : ndarray of matplotlib Axes, default=None
            Two axes; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        bar_kwargs : dict, default=None
            Keywords of the bars, of length scales and of strengths.
        image_kwargs : dict, default=None
            Keywords of the heat map.

        Returns
        -------
        display : TensorStructureDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If it is another estimator.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "predict_factors"):
            raise TypeError(
                f"estimator must be a FunBaT. Got a {type(estimator).__name__}; of a pipeline pass"
                " the last step."
            )
        data = components(estimator)
        data |= _length_scales(estimator, data["varying"])
        name = type(estimator).__name__ if name is None else name
        display = cls(data=data, estimator_name=name)
        return display.plot(ax, bar_kwargs=bar_kwargs, image_kwargs=image_kwargs)

    def plot(self, ax=None, *, name=None, bar_kwargs=None, image_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : ndarray of matplotlib Axes, default=None
            Two axes; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        bar_kwargs : dict, default=None
            Keywords of the bars, of length scales and of strengths.
        image_kwargs : dict, default=None
            Keywords of the heat map.

        Returns
        -------
        display : TensorStructureDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` has not two axes.
        """
        what = "length scales and components"
        self.ax_, self.figure_ = take_axes(type(self).__name__, ax, 2, what, _PANEL)
        self.strengths_ = self.core_ = None
        self._plot_length_scales(self.ax_[0], bar_kwargs or {})
        if self.data["decomposition"] == "cp":
            self._plot_strengths(self.ax_[1], bar_kwargs or {})
        else:
            self._plot_core(self.ax_[1], image_kwargs or {})
        set_title(self.ax_, self.estimator_name if name is None else name)
        return self

    def _plot_length_scales(self, ax, keywords):
        """A bar for each mode, the first above."""
        lengths, bounds = self.data["length_scale"], self.data["bounds"]
        places = np.arange(lengths.size)
        known = lengths[np.isfinite(lengths)]
        ends = [*known, *(bounds or ())] or [1.0]
        # Two decades at least, for ticks that can be read.
        margin = 1.5 if bounds else 12
        low, high = min(ends) / margin, max(ends) * margin
        ax.set(xscale="log", xlim=(low, high), ylim=(lengths.size - 0.4, -0.6))
        widths = np.where(np.isfinite(lengths), lengths - low, 0)
        colors = np.where(self.data["at_bound"], _ORANGE, _BLUE)
        self.bars_ = ax.barh(
            places, widths, **{"left": low, "height": 0.4, "color": colors} | keywords
        )
        self.bounds_ = [ax.axvline(bound, color="k", ls="--", lw=1) for bound in bounds or ()]
        # Above the bars, where there is room whatever their length.
        begin = 1.15 * (bounds[0] if bounds else low)
        self.remarks_ = [
            ax.text(begin, place - 0.25, remark, fontsize="small")
            for place, remark in zip(places, self.data["remarks"], strict=True)
        ]
        ax.set_yticks(places, self.data["names"])
        ax.set_xlabel("Length scale (dashed: bounds of the search)" if bounds else "Length scale")

    def _plot_strengths(self, ax, keywords):
        """A bar for each component of CP, the strongest first."""
        strengths, total = self.data["strengths"], self.data["total"]
        places = np.arange(strengths.size)
        self.strengths_ = ax.bar(places, strengths, **{"color": _BLUE} | keywords)
        label = f"Whole tensor: {total:.3g}"
        ax.axhline(total, color="k", ls="--", lw=1, label=label)
        step = -(-strengths.size // _LABELS)
        ax.set_xticks(places[::step], self.data["components"][::step] + 1)
        ax.set_ylim(0, 1.15 * max(total, strengths.max()) or 1)
        ax.set(xlabel="Component", ylabel="Root mean square, in units of y")
        ax.legend(loc="upper right")

    def _plot_core(self, ax, keywords):
        """The core of Tucker, the first mode against all others."""
        core, total, names = (self.data[key] for key in ("core", "total", "names"))
        ranks = core.shape
        matrix = core.reshape(ranks[0], -1)
        share = 100 * (matrix / (total or 1)) ** 2
        style = {"cmap": "Blues", "aspect": "auto", "vmin": 0, "interpolation": "nearest"}
        self.core_ = ax.imshow(matrix, **style | keywords)
        self.figure_.colorbar(self.core_, ax=ax, label="Root mean square, in units of y")
        if max(matrix.shape) <= _TEXTS:
            _write_shares(ax, self.core_, share)
        rows = [f"{r + 1} ({_percent(part)})" for r, part in enumerate(share.sum(axis=1))]
        step = -(-ranks[0] // _LABELS)
        ax.set_yticks(range(0, ranks[0], step), rows[::step])
        ax.set_ylabel(f"Function of {names[0]}")
        _label_columns(ax, ranks[1:], names[1:])
        ax.set_title("Core, orthogonalised, and shares of energy", fontsize="medium")


def _write_shares(ax, image, share):
    """Shares of the energy in the elements that have one."""
    for place, part in np.ndenumerate(share):
        if part < 0.5:
            continue
        red, green, blue, _ = image.cmap(image.norm(image.get_array()[place]))
        dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
        style = {"color": "w" if dark else "k", "fontsize": "x-small"}
        ax.text(*place[::-1], _percent(part), ha="center", va="center", **style)


def _label_columns(ax, ranks, names):
    """Functions of the other modes: all of them, or those of the first of them."""
    # Modes of a single function say nothing.
    modes = [(rank, name) for rank, name in zip(ranks, names, strict=True) if rank > 1]
    if not modes:
        ax.set_xticks([])
        return
    ranks, names = zip(*modes, strict=True)
    n_columns = int(np.prod(ranks))
    inner = n_columns // ranks[0]
    if inner > 1:
        for edge in range(inner, n_columns, inner):
            ax.axvline(edge - 0.5, color="0.6", lw=0.8)
    labels = [",".join(str(r + 1) for r in place) for place in np.ndindex(*ranks)]
    if sum(map(len, labels)) <= _LETTERS:
        ax.set_xticks(range(n_columns), labels)
        ax.set_xlabel(f"Function of {', '.join(names)}")
        return
    centres, step = (inner - 1) / 2 + inner * np.arange(ranks[0]), -(-ranks[0] // _LABELS)
    ax.set_xticks(centres[::step], np.arange(1, ranks[0] + 1)[::step])
    rest = f", each with those of {', '.join(names[1:])}" if inner > 1 else ""
    ax.set_xlabel(f"Function of {names[0]}{rest}")


def _percent(share):
    """A share in per cent as a text."""
    return f"{share:.0f} %" if share >= 1 else f"{share:.1g} %" if share >= 1e-3 else "0 %"


def _length_scales(estimator, varying):
    """Length scales of the modes, and what is to be said of them."""
    names = column_names(estimator, estimator.n_features_in_)
    lengths = to_numpy(estimator.length_scale_).astype(np.float64)
    bounds = None
    if estimator.optimize_length_scale:
        bounds = tuple(float(bound) for bound in estimator.length_scale_bounds)
    at_bound = np.zeros(lengths.size, dtype=bool)
    remarks = []
    for k, kernel in enumerate(mode_kernels(estimator)):
        energy = f"{_percent(100 * varying[k])} of energy varies"
        if kernel == "iid" or to_numpy(estimator.indices_[k]).size == 1:
            lengths[k] = np.nan
            remarks.append(f"no order (iid); {energy}" if kernel == "iid" else "one coordinate")
            continue
        at_bound[k] = bounds is not None and lengths[k] >= _AT_BOUND * bounds[1]
        remark = f"{lengths[k]:.2g}; {energy}"
        if at_bound[k]:
            negligible = varying[k] < _NEGLIGIBLE
            remark += ": does not matter" if negligible else ", though at the upper bound"
        remarks.append(remark)
    found = {"names": names, "length_scale": lengths, "remarks": remarks}
    return found | {"bounds": bounds, "at_bound": at_bound}
