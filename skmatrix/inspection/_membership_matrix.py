"""Which points a semidefinite program puts together, as a matrix."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import set_title, take_ax

_SIZE = (5.4, 4.5)
# Labels of an axis, at most, and groups between which there are lines.
_LABELS, _GROUPS = 20, 60


class MembershipMatrixDisplay:
    r"""Solution of a clustering program as a matrix of pairs of points, ordered by group.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn: ``matrix``, the similarity of each pair; ``points``, the rows of X that its
        rows stand for; ``edges``, where groups begin, and the end; ``names`` of the groups; and
        ``share``, the mean share of its own group in a point.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    image_ : matplotlib AxesImage
        The heat map.
    colorbar_ : matplotlib Colorbar
        Its scale.
    lines_ : list of matplotlib Line2D
        Borders between the groups.

    See Also
    --------
    ClusterEllipsesDisplay : Groups in the plane.
    ClusteringStartsDisplay : Whether starts agree.
    skmatrix.cluster.ILASDPClustering : Groups of different shapes.
    skmatrix.cluster.SDPKMeans : Groups of one shape.

    Notes
    -----
    The program's solution is :math:`Z = \sum_k Z_k`, of which a partition is the case
    :math:`Z_{ij} = 1 / n_k` within groups and 0 between them. What is drawn is :math:`Z_{ij} /
    \sqrt{Z_{ii} Z_{jj}}`, which is 1 and 0 then, whatever the sizes.

    Blocks with sharp edges are groups that the program is sure of, before anything was rounded. In
    each block points come by the share of their group, so that points in doubt are at its end, and
    the stripe that they have in another block says what they could belong to. A block that is pale
    as a whole holds pairs that need not be together: a group that could be split.

    A stripe in the wrong block can still be rounded well. And a sharp picture is no proof: the
    program may be sure and wrong. `certificate_` is there for that.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import make_blobs
    >>> from skmatrix.cluster import SDPKMeans
    >>> from skmatrix.inspection import MembershipMatrixDisplay
    >>> X, y = make_blobs(90, centers=[[0, 0], [4, 0], [0, 4]], random_state=0)
    >>> model = SDPKMeans(3, random_state=0).fit(X)
    >>> display = MembershipMatrixDisplay.from_estimator(model, y)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, y=None, *, max_points=600, ax=None, name=None, image_kwargs=None
    ):
        """Plot the solution of a fitted estimator.

        Parameters
        ----------
        estimator : ILASDPClustering or SDPKMeans
            The fitted estimator.
        y : array-like of shape (n_samples,), default=None
            Groups to order the points by, true ones for instance; None takes the partition found.
        max_points : int, default=600
            Points that are drawn; of more, those at even distances in the order.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        image_kwargs : dict, default=None
            Keywords of the heat map, ``cmap`` for instance.

        Returns
        -------
        display : MembershipMatrixDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If it is another estimator.
        ValueError
            If `y` has not a group for each sample, or `max_points` is no positive integer.
        """
        if not isinstance(max_points, Integral) or max_points < 1:
            raise ValueError(f"max_points must be an integer of at least 1. Got {max_points!r}.")
        check_is_fitted(estimator)
        if not hasattr(estimator, "factor_") or not hasattr(estimator, "memberships_"):
            raise TypeError(
                "estimator must be an ILASDPClustering or an SDPKMeans. Got a"
                f" {type(estimator).__name__}; of a pipeline pass the last step."
            )
        factor = estimator.factor_
        parts = factor if isinstance(factor, list) else [factor]
        rows = np.concatenate([to_numpy(part).astype(np.float64) for part in parts], axis=1)
        points = estimator.sketch_indices_
        points = np.arange(rows.shape[0]) if points is None else to_numpy(points)
        names, groups = _groups(estimator, y)
        groups = groups[points]
        shares = _own_shares(rows, groups)
        order = np.lexsort((-shares, groups))
        if order.size > max_points:
            order = order[np.linspace(0, order.size - 1, max_points).round().astype(int)]
        lengths = np.sqrt(np.sum(rows * rows, axis=1, keepdims=True))
        directions = (rows / np.where(lengths > 0, lengths, 1.0))[order]
        data = {
            "matrix": directions @ directions.T,
            "points": points[order],
            "edges": np.searchsorted(groups[order], np.arange(len(names) + 1)),
            "names": names,
            "share": float(shares.mean()),
        }
        name = type(estimator).__name__ if name is None else name
        return cls(data=data, estimator_name=name).plot(ax, image_kwargs=image_kwargs)

    def plot(self, ax=None, *, name=None, image_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        image_kwargs : dict, default=None
            Keywords of the heat map.

        Returns
        -------
        display : MembershipMatrixDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = take_ax(type(self).__name__, ax, _SIZE)
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        edges, names = self.data["edges"], self.data["names"]
        n = self.data["matrix"].shape[0]
        style = {"cmap": "Blues", "vmin": 0.0, "vmax": 1.0, "interpolation": "nearest"}
        style |= {"extent": (0, n, n, 0)} | (image_kwargs or {})
        self.image_ = ax.imshow(self.data["matrix"], **style)
        label = "Together, by the program"
        self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, label=label)
        if len(names) <= _GROUPS:
            for edge in edges[1:-1]:
                for line in (ax.axhline, ax.axvline):
                    self.lines_.append(line(edge, color="0.4", lw=0.8))
        step = -(-len(names) // _LABELS)
        middles = (edges[:-1] + edges[1:])[::step] / 2
        ax.set_xticks(middles, names[::step])
        ax.set_yticks(middles, names[::step], rotation=90, va="center")
        ax.tick_params(length=0)
        ax.set_xlabel("Points, by group")
        share = 100 * self.data["share"]
        ax.set_title(f"{share:.1f} % of the weight within groups", fontsize="medium")
        set_title([ax], self.estimator_name if name is None else name)
        return self


def _groups(estimator, y):
    """Names of the groups, and the group of each sample."""
    labels = to_numpy(estimator.labels_)
    given = labels if y is None else to_numpy(y)
    if given.shape != labels.shape:
        raise ValueError(
            f"y must have a group for each of the {labels.size} samples. Got shape {given.shape}."
        )
    found, groups = np.unique(given, return_inverse=True)
    return [str(group) for group in found.tolist()], groups


def _own_shares(rows, groups):
    """Share of its own group in the row sum of each point."""
    sums = rows @ (rows.T @ np.eye(groups.max() + 1)[groups])
    totals = sums.sum(axis=1)
    return sums[np.arange(groups.size), groups] / np.where(totals > 0, totals, 1.0)
