"""Prior variances of the indices of each factor of a Kronecker-structured regression."""

from numbers import Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import set_title, take_axes

_BLUE, _GREY = "#0072B2", "0.6"
_SCALES = ("linear", "log")
# Indices up to which stems have large markers, and labels of an axis, at most.
_FEW, _LABELS = 60, 30


class KroneckerSpectrumDisplay:
    """Prior variances of the indices of each factor, a panel of stems for each.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn. For each factor: ``names``; ``shares``, the prior variances in units of the
        largest of their factor; ``kept``, which indices were not dropped; ``positions`` of the
        stems; ``labels``, texts for them or None; ``remarks`` on couplings. And ``scale``, "linear"
        or "log".
    estimator_name : str, default=None
        Title of the figure.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The axes, one for each factor.
    figure_ : matplotlib Figure
        The figure.
    kept_ : list of matplotlib Line2D
        The indices that were kept.
    stems_ : list of matplotlib LineCollection
        Their stems.
    dropped_ : list of matplotlib Line2D
        The other indices, as crosses on the base line.

    See Also
    --------
    SupportDisplay : Which coefficients were recovered.
    ConvergenceDisplay : The log evidence against the iterations.
    skmatrix.linear_model.KroneckerSBL : The estimator.

    Notes
    -----
    The prior variance of a coefficient is the product of those of its indices. A factor of one of
    them may move to another unseen, so that a single one has no scale: they are drawn in units of
    the largest of their factor. So is the share below which an index is dropped.

    A few stems far above all others are a support that the data are sure of. Many small ones are a
    signal that is not sparse, noise that was fitted, or a fit that has not converged: variances of
    indices that do not matter go to zero slowly. Those can be told apart on the logarithmic scale,
    by what is left of them after more iterations, or with a larger `prune`.

    Couplings are said in the titles of the panels. Coupled indices share the sources of their
    variances, so that stems come in blocks with flanks.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmatrix.datasets import make_kronecker_sparse
    >>> from skmatrix.inspection import KroneckerSpectrumDisplay
    >>> from skmatrix.linear_model import KroneckerSBL
    >>> factors, y, _ = make_kronecker_sparse(random_state=2)
    >>> model = KroneckerSBL().fit(factors, y)
    >>> display = KroneckerSpectrumDisplay.from_estimator(model, scale="log")
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        scale="linear",
        factor_names=None,
        coordinates=None,
        ax=None,
        name=None,
        line_kwargs=None,
    ):
        """Plot the prior variances of a fitted estimator.

        Parameters
        ----------
        estimator : KroneckerSBL
            The fitted estimator.
        scale : {"linear", "log"}, default="linear"
            Scale of the variances.
        factor_names : sequence of str, default=None
            A name for each factor; None numbers them.
        coordinates : sequence, default=None
            What the indices of each factor stand for: None for themselves, finite numbers such as
            angles or frequencies, which place the stems, or texts, which label them. None is None
            for all factors, or the names of the columns of a matrix if the estimator knows them.
        ax : ndarray of matplotlib Axes, default=None
            Axes, one for each factor; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the markers of the stems.

        Returns
        -------
        display : KroneckerSpectrumDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If it is another estimator.
        ValueError
            If `scale` is unknown, or `factor_names` or `coordinates` do not go with the factors.
        """
        if scale not in _SCALES:
            raise ValueError(f"scale must be 'linear' or 'log'. Got {scale!r}.")
        check_is_fitted(estimator)
        if not hasattr(estimator, "gamma_") or not hasattr(estimator, "support_"):
            raise TypeError(
                f"estimator must be a KroneckerSBL. Got a {type(estimator).__name__}; of a pipeline"
                " pass the last step."
            )
        gammas = [to_numpy(gamma).astype(np.float64) for gamma in estimator.gamma_]
        kept = [
            np.isin(np.arange(gamma.size), to_numpy(support))
            for gamma, support in zip(gammas, estimator.support_, strict=True)
        ]
        if coordinates is None and len(gammas) == 1:
            coordinates = [getattr(estimator, "feature_names_in_", None)]
        positions, labels = _placed(coordinates, [gamma.size for gamma in gammas])
        data = {
            "names": _factor_names(factor_names, len(gammas)),
            "shares": [gamma / (gamma.max() or 1.0) for gamma in gammas],
            "kept": kept,
            "positions": positions,
            "labels": labels,
            "remarks": _couplings(estimator._record.coupling, len(gammas)),
            "scale": scale,
        }
        name = type(estimator).__name__ if name is None else name
        return cls(data=data, estimator_name=name).plot(ax, line_kwargs=line_kwargs)

    def plot(self, ax=None, *, name=None, line_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : ndarray of matplotlib Axes, default=None
            Axes, one for each factor; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        line_kwargs : dict, default=None
            Keywords of the markers of the stems.

        Returns
        -------
        display : KroneckerSpectrumDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` has not as many axes as there are factors.
        """
        n_panels = len(self.data["names"])
        self.ax_, self.figure_ = take_axes(type(self).__name__, ax, n_panels, "the factors")
        self.kept_, self.stems_, self.dropped_ = [], [], []
        for k, panel in enumerate(self.ax_):
            self._plot_factor(panel, k, line_kwargs or {})
        self.ax_[0].set_ylabel("Prior variance / largest of its factor")
        set_title(self.ax_, self.estimator_name if name is None else name)
        return self

    def _plot_factor(self, ax, k, keywords):
        """Stems of one factor."""
        places, labels, shares, kept = (
            self.data[key][k] for key in ("positions", "labels", "shares", "kept")
        )
        base, top = 0.0, 1.08
        if self.data["scale"] == "log":
            # Two decades at least, for ticks that can be read.
            base, top = min(0.01, shares[kept].min(initial=1.0) / 2), 2.0
            ax.set_yscale("log")
        size = 5 if places.size <= _FEW else 2.5
        style = {"color": _BLUE, "markersize": size, "label": f"Kept: {kept.sum()}"} | keywords
        (marks,) = ax.plot(places[kept], shares[kept], **{"ls": "none", "marker": "o"} | style)
        stems = ax.vlines(places[kept], base, shares[kept], color=marks.get_color(), lw=1.2)
        (dropped,) = ax.plot(
            places[~kept],
            np.full(np.sum(~kept), base),
            ls="none",
            marker="x",
            markersize=size,
            color=_GREY,
            # In full on the base line; without a point there is nothing that layouts could measure.
            clip_on=bool(kept.all()),
            label=f"Dropped: {np.sum(~kept)}",
        )
        self.kept_.append(marks)
        self.stems_.append(stems)
        self.dropped_.append(dropped)
        ax.set_ylim(base, top)
        remark = self.data["remarks"][k]
        name = self.data["names"][k]
        ax.set_title(f"{name}, {remark}" if remark else name, fontsize="medium")
        if labels is not None:
            step = -(-len(labels) // _LABELS)
            ax.set_xticks(places[::step], labels[::step], rotation=90)
        elif np.array_equal(places, np.arange(places.size)):
            ax.set_xlabel("Index")
            ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(handles=[marks, dropped], fontsize="small")


def _factor_names(names, n_factors):
    """A name for each factor."""
    if names is None:
        return [f"Factor {k}" for k in range(n_factors)]
    names = [names] if isinstance(names, str) else list(map(str, names))
    if len(names) != n_factors:
        raise ValueError(
            f"factor_names must have a name for each of the {n_factors} factors. Got {len(names)}."
        )
    return names


def _placed(coordinates, sizes):
    """Positions of the indices of each factor, and their labels if they have texts."""
    coordinates = [None] * len(sizes) if coordinates is None else list(coordinates)
    if len(coordinates) != len(sizes):
        raise ValueError(
            f"coordinates must have an item for each of the {len(sizes)} factors. Got"
            f" {len(coordinates)}."
        )
    positions: list = []
    labels: list = []
    for k, (item, n) in enumerate(zip(coordinates, sizes, strict=True)):
        positions.append(np.arange(n))
        labels.append(None)
        if item is None:
            continue
        values = to_numpy(item)
        if values.shape != (n,):
            raise ValueError(
                f"coordinates of factor {k} must be {n} numbers or texts. Got shape {values.shape}."
            )
        if values.dtype.kind in "UO":
            labels[k] = list(map(str, values))
        elif values.dtype.kind in "iuf" and np.isfinite(values).all():
            positions[k] = values
        else:
            raise ValueError(f"coordinates of factor {k} must be finite numbers, or texts.")
    return positions, labels


def _couplings(coupling, n_factors):
    """What is to be said of the coupling of each factor."""
    remarks = []
    for item in [None] * n_factors if coupling is None else coupling:
        if item is None or (isinstance(item, Real) and item == 0):
            remarks.append("")
        elif isinstance(item, Real):
            remarks.append(f"neighbours coupled by {float(item):g}")
        else:
            remarks.append("indices coupled")
    return remarks
