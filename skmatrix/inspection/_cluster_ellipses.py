"""Groups in the plane, each with the ellipse of its normal distribution."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import check_array, check_is_fitted

from .._backend import to_numpy
from ._panels import set_title, take_ax

_SIZE = (5.6, 4.4)
# Colours that can be told apart by all, in the order in which groups take them.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")


class ClusterEllipsesDisplay:
    r"""Points coloured by group, and the ellipse of each group, in two features or principal axes.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn: ``points`` of shape (n, 2) and their ``labels``; ``means`` of shape (K, 2)
        and ``covariances`` of shape (K, 2, 2) of the groups; ``mass``, the probability in an
        ellipse; ``axes``, the names of the two axes; ``colors`` of the groups.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    points_ : list of matplotlib PathCollection
        The points of each group.
    ellipses_ : list of matplotlib Ellipse
        The ellipse of each group.
    centers_ : matplotlib Line2D
        The means of the groups.

    See Also
    --------
    MembershipMatrixDisplay : Which points belong together.
    skmatrix.cluster.ILASDPClustering : Groups of different shapes.

    Notes
    -----
    An ellipse holds the share `mass` of the normal distribution of its group *in the plane of the
    picture*: of the marginal distribution there, which is normal again with the covariance
    :math:`V^T \Sigma_k V`, if V projects to the plane. Means are projected as the points are.

    K-means has no covariances. Its model are spheres of one variance, the inertia over the number
    of values, and that is what is drawn for it.

    Principal axes are those of all points and need not be the ones in which groups differ most:
    ellipses that overlap in the picture may be apart in other directions. Pass `features` to look
    at others.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skmatrix.cluster import ILASDPClustering
    >>> from skmatrix.inspection import ClusterEllipsesDisplay
    >>> X = load_iris().data
    >>> model = ILASDPClustering(3, n_init=1, random_state=0).fit(X)
    >>> display = ClusterEllipsesDisplay.from_estimator(model, X, labels=model.labels_)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        labels=None,
        features=None,
        mass=0.9,
        colors=None,
        ax=None,
        name=None,
        scatter_kwargs=None,
        ellipse_kwargs=None,
    ):
        """Plot points and the groups of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            What was fitted: an ILASDPClustering or a mixture of scikit-learn, with means and
            covariances, or an SDPKMeans or KMeans, with centres and inertia.
        X : array-like of shape (n_samples, n_features)
            Points.
        labels : array-like of shape (n_samples,), default=None
            Their groups, numbered from 0; None asks the estimator to predict them. For the points
            of the fit pass its ``labels_``.
        features : pair of int or str, default=None
            Columns of X to show, by position or name. None shows both of two, and else the two
            principal axes.
        mass : float, default=0.9
            Probability in an ellipse.
        colors : sequence of colors, default=None
            A colour for each group; None takes eight in turn.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        scatter_kwargs : dict, default=None
            Keywords of the points.
        ellipse_kwargs : dict, default=None
            Keywords of the ellipses.

        Returns
        -------
        display : ClusterEllipsesDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If the estimator has no groups with means.
        ValueError
            If there is but one feature, or `labels`, `features`, `mass` or `colors` are bad.
        """
        if not isinstance(mass, Real) or not 0 < float(mass) < 1:
            raise ValueError(f"mass must be a number between 0 and 1. Got {mass!r}.")
        check_is_fitted(estimator)
        means, covariances = _groups(estimator)
        values = check_array(to_numpy(X) if hasattr(X, "__array_namespace__") else X)
        values = np.asarray(values, dtype=np.float64)
        if values.shape[1] != means.shape[1] or values.shape[1] < 2:
            raise ValueError(
                f"X must have the {means.shape[1]} features of the fit, and two at least. Got"
                f" {values.shape[1]}."
            )
        labels = _labels(estimator, X, labels, values.shape[0], means.shape[0])
        origin, plane, axes = _plane(estimator, values, features)
        data = {
            "points": (values - origin) @ plane,
            "labels": labels,
            "means": (means - origin) @ plane,
            "covariances": plane.T @ covariances @ plane,
            "mass": float(mass),
            "axes": axes,
            "colors": _palette(colors, means.shape[0]),
        }
        name = type(estimator).__name__ if name is None else name
        return cls(data=data, estimator_name=name).plot(
            ax, scatter_kwargs=scatter_kwargs, ellipse_kwargs=ellipse_kwargs
        )

    def plot(self, ax=None, *, name=None, scatter_kwargs=None, ellipse_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        scatter_kwargs : dict, default=None
            Keywords of the points.
        ellipse_kwargs : dict, default=None
            Keywords of the ellipses.

        Returns
        -------
        display : ClusterEllipsesDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = take_ax(type(self).__name__, ax, _SIZE)
        from matplotlib.patches import Ellipse

        self.ax_, self.figure_, self.points_, self.ellipses_ = ax, ax.figure, [], []
        points, labels, means = (self.data[key] for key in ("points", "labels", "means"))
        for k, covariance in enumerate(self.data["covariances"]):
            color = self.data["colors"][k]
            style = {"s": 14, "color": color, "alpha": 0.6, "lw": 0} | (scatter_kwargs or {})
            self.points_.append(ax.scatter(*points[labels == k].T, **style))
            width, height, angle = _axes_of(covariance, self.data["mass"])
            style = {"facecolor": "none", "edgecolor": color, "lw": 2} | (ellipse_kwargs or {})
            ellipse = Ellipse(means[k], width, height, angle=angle, **style)
            self.ellipses_.append(ax.add_patch(ellipse))
        style = {"ls": "none", "marker": "X", "ms": 9, "mfc": "k", "mec": "w", "zorder": 3}
        (self.centers_,) = ax.plot(*means.T, **style)
        ax.autoscale_view()
        ax.set(xlabel=self.data["axes"][0], ylabel=self.data["axes"][1])
        set_title([ax], self.estimator_name if name is None else name)
        return self


def _groups(estimator):
    """Means and full covariances of the groups of an estimator."""
    if hasattr(estimator, "means_") and hasattr(estimator, "covariances_"):
        means = to_numpy(estimator.means_).astype(np.float64)
        found = to_numpy(estimator.covariances_).astype(np.float64)
        n_groups, p = means.shape
        kind = estimator.covariance_type
        if kind == "tied":
            found = np.broadcast_to(found, (n_groups, p, p))
        elif kind in ("diag", "spherical"):
            found = np.broadcast_to(found.reshape(n_groups, -1), (n_groups, p))
            found = found[:, :, None] * np.eye(p)
        return means, found
    if hasattr(estimator, "cluster_centers_") and hasattr(estimator, "inertia_"):
        means = to_numpy(estimator.cluster_centers_).astype(np.float64)
        p = means.shape[1]
        variance = float(estimator.inertia_) / (estimator.labels_.shape[0] * p)
        return means, np.broadcast_to(variance * np.eye(p), (means.shape[0], p, p))
    raise TypeError(
        "estimator must have means_ and covariances_, or cluster_centers_ and inertia_. Got a"
        f" {type(estimator).__name__}; of a pipeline pass the last step."
    )


def _palette(colors, n_groups):
    """A colour for each group."""
    if colors is None:
        return [_COLORS[k % len(_COLORS)] for k in range(n_groups)]
    if len(colors) != n_groups:
        raise ValueError(
            f"colors must have a colour for each of the {n_groups} groups. Got {len(colors)}."
        )
    return list(colors)


def _labels(estimator, X, labels, n, n_groups):
    """Group of each point."""
    found = to_numpy(estimator.predict(X) if labels is None else labels)
    is_integer = found.dtype.kind in "iu"
    if found.shape != (n,) or not is_integer or found.min() < 0 or found.max() >= n_groups:
        raise ValueError(
            f"labels must be {n} integers from 0 to {n_groups - 1}, one for each row of X. Got"
            f" shape {found.shape} and dtype {found.dtype}."
        )
    return found


def _plane(estimator, values, features):
    """Origin, basis of shape (p, 2) and names of the axes of the picture."""
    p = values.shape[1]
    names = getattr(estimator, "feature_names_in_", None)
    names = [f"Feature {k}" for k in range(p)] if names is None else list(map(str, names))
    if features is None and p > 2:
        origin = values.mean(axis=0)
        _, sizes, axes = np.linalg.svd(values - origin, full_matrices=False)
        if sizes.size < 2:
            raise ValueError("Principal axes need two points at least. Got one; pass features.")
        # Of the two directions of an axis, the one whose largest loading is positive.
        places = np.abs(axes).argmax(axis=1)
        axes = axes * np.where(axes[np.arange(len(axes)), places] < 0, -1.0, 1.0)[:, None]
        shares = sizes**2 / (np.sum(sizes**2) or 1.0)
        texts = [
            f"Principal axis {k + 1} ({100 * shares[k]:.0f} % of the variance)" for k in (0, 1)
        ]
        return origin, axes[:2].T, texts
    chosen = (0, 1) if features is None else tuple(features)
    places = [names.index(f) if isinstance(f, str) and f in names else f for f in chosen]
    known = all(isinstance(k, Integral) and 0 <= int(k) < p for k in places)
    if len(places) != 2 or not known or places[0] == places[1]:
        raise ValueError(
            f"features must be two of the columns of X, by position from 0 to {p - 1} or by name."
            f" Got {features!r}."
        )
    return np.zeros(p), np.eye(p)[:, places], [names[k] for k in places]


def _axes_of(covariance, mass):
    """Width, height and angle in degrees of the ellipse with this mass."""
    variances, directions = np.linalg.eigh(covariance)
    # The squared radius has the distribution of chi squared with two degrees of freedom.
    radii = np.sqrt(-2 * np.log1p(-mass) * np.maximum(variances, 0))
    x, y = directions[:, 1]
    return 2 * radii[1], 2 * radii[0], float(np.degrees(np.arctan2(y, x)))
