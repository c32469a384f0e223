"""How many groups, from which start, and how good: what a clustering was chosen by."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import set_title, take_ax

_SIZE = (5.6, 4.0)
_CRITERIA = ("icl", "bic", "aic")
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vP"
# Relative gap of a proof, and the smallest that is drawn: zero has no logarithm.
_PROOF, _FLOOR = 1e-6, 1e-16


class CriterionDisplay:
    """Information criteria of a mixture against the number of its groups.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn: ``curves``, for each criterion a pair of the numbers of groups and its
        values, infinite for fits that have collapsed.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        A curve for each criterion.
    minima_ : list of matplotlib Line2D
        A ring around the least value of each.
    collapsed_ : matplotlib Line2D or None
        Crosses for the numbers of groups without a value, if there are any.

    See Also
    --------
    CertificateDisplay : How far from the best a partition can be.
    skmatrix.cluster.ILASDPClustering : The estimator; its ``n_clusters="auto"``.

    Notes
    -----
    Smaller is better. BIC asks for the groups that describe the density, and takes two normal
    groups for one that is not normal. ICL adds twice the entropy of the memberships, and so prefers
    groups that are apart. Where the two choose differently, groups overlap or are not normal.

    A minimum is worth as much as it is deep: a difference of 10 is a great deal under the model,
    and nothing where the model is wrong. Values of different fits are comparable for the same data
    in the same units alone.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import make_blobs
    >>> from skmatrix.cluster import ILASDPClustering
    >>> from skmatrix.inspection import CriterionDisplay
    >>> X, _ = make_blobs(90, centers=[[0, 0], [9, 0], [0, 9]], random_state=0)
    >>> fits = [ILASDPClustering(k, n_init=1, random_state=0).fit(X) for k in (1, 2, 3, 4)]
    >>> display = CriterionDisplay.from_estimator(fits)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, X=None, *, criteria=None, ax=None, name=None, line_kwargs=None
    ):
        """Plot the criteria of an estimator that chose its number of groups, or of several fits.

        Parameters
        ----------
        estimator : estimator or list of estimator
            An ILASDPClustering that was fitted with ``n_clusters="auto"``, or fits of different
            numbers of groups, of it or of a mixture of scikit-learn. Of several fits of one number
            the least value counts.
        X : array-like of shape (n_samples, n_features), default=None
            Data to judge by; None takes what the fits have kept. Mixtures of scikit-learn need it.
        criteria : list of {"icl", "bic", "aic"}, default=None
            What to draw of a list of fits; None takes BIC, and ICL if all have it. With
            ``n_clusters="auto"`` it is the one that was minimised.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimators.
        line_kwargs : dict, default=None
            Keywords of the curves.

        Returns
        -------
        display : CriterionDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If an estimator has no criteria.
        ValueError
            If there is nothing to compare, or a criterion is unknown.
        """
        fits = list(estimator) if isinstance(estimator, (list, tuple)) else [estimator]
        if not fits:
            raise ValueError("estimator must be an estimator, or some in a list. Got none.")
        for fit in fits:
            check_is_fitted(fit)
        if isinstance(estimator, (list, tuple)):
            curves = _curves(fits, X, criteria)
        else:
            path = getattr(estimator, "criterion_path_", None)
            if path is None:
                raise ValueError(
                    f"The {type(estimator).__name__} was fitted for one number of groups. Fit it"
                    ' with n_clusters="auto", or pass a list of fits.'
                )
            values = to_numpy(path).astype(np.float64)
            curves = {estimator.criterion: (np.arange(1, values.size + 1), values)}
        if name is None:
            name = ", ".join(dict.fromkeys(type(fit).__name__ for fit in fits))
        display = cls(data={"curves": curves}, estimator_name=name)
        return display.plot(ax, line_kwargs=line_kwargs)

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
        display : CriterionDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = take_ax(type(self).__name__, ax, _SIZE)
        self.figure_, self.lines_, self.minima_, self.collapsed_ = ax.figure, [], [], None
        without: set = set()
        for i, (key, (numbers, values)) in enumerate(self.data["curves"].items()):
            known = np.isfinite(values)
            without.update(numbers[~known].tolist())
            label, style = key.upper(), {"color": _COLORS[i], "marker": _MARKERS[i], "ms": 5}
            if known.any():
                least = int(np.argmin(values))
                label = f"{label}, least at {numbers[least]}"
                ring = {"marker": "o", "ms": 14, "mfc": "none", "mew": 2, "mec": _COLORS[i]}
                self.minima_ += ax.plot(numbers[least], values[least], ls="none", **ring)
            style |= {"label": label, **(line_kwargs or {})}
            self.lines_ += ax.plot(numbers[known], values[known], **style)
        if without:
            places = sorted(without)
            style = {"color": "0.4", "marker": "x", "ls": "none", "label": "A group collapses"}
            (self.collapsed_,) = ax.plot(
                places, [0.97] * len(places), transform=ax.get_xaxis_transform(), **style
            )
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="Number of groups", ylabel="Criterion (smaller is better)")
        ax.legend(fontsize="small")
        set_title([ax], self.estimator_name if name is None else name)
        return self


class ClusteringStartsDisplay:
    """Likelihood of each start of a clustering, and whether it agrees with the best one.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn, of each start and the likeliest first: ``names``, where it came from;
        ``log_likelihoods``; ``agreements`` with the best; ``discarded``; and ``n_failed``, the
        number of starts without a partition, which are not among them.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    points_ : dict of str to matplotlib PathCollection
        The starts, by where they came from.
    discarded_ : matplotlib Line2D or None
        Crosses on those with a group that has collapsed, if there are any.
    colorbar_ : matplotlib Colorbar
        Scale of the agreement.

    See Also
    --------
    ConvergenceDisplay : The objective against the iterations.
    skmatrix.cluster.ILASDPClustering : The estimator.

    Notes
    -----
    Agreement is the adjusted Rand index with the partition that was kept. If the first starts are
    as likely as each other and agree, more starts will not help. If one is alone at the top, there
    may be a better one that was not found: raise `n_init`. Starts of the same likelihood that do
    not agree are partitions between which the data do not decide.

    A start that is likelier than the one kept, and crossed out, has a group of too few points,
    whose likelihood has no bound.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skmatrix.cluster import ILASDPClustering
    >>> from skmatrix.inspection import ClusteringStartsDisplay
    >>> model = ILASDPClustering(3, n_init=3, random_state=0).fit(load_iris().data)
    >>> display = ClusteringStartsDisplay.from_estimator(model)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, scatter_kwargs=None):
        """Plot the starts of a fitted estimator.

        Parameters
        ----------
        estimator : ILASDPClustering
            The fitted estimator.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        scatter_kwargs : dict, default=None
            Keywords of the points.

        Returns
        -------
        display : ClusteringStartsDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If it is another estimator.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "init_results_"):
            raise TypeError(
                f"estimator must be an ILASDPClustering. Got a {type(estimator).__name__}; of a"
                " pipeline pass the last step."
            )
        results = estimator.init_results_
        values = np.asarray(results["log_likelihood"], dtype=np.float64)
        order = np.argsort(-values, kind="stable")
        order = order[np.isfinite(values[order])]
        data = {
            "names": [results["init"][i] for i in order],
            "log_likelihoods": values[order],
            "agreements": np.asarray(results["ari"])[order],
            "discarded": np.asarray(results["discarded"])[order],
            "n_failed": int(values.size - order.size),
        }
        name = type(estimator).__name__ if name is None else name
        return cls(data=data, estimator_name=name).plot(ax, scatter_kwargs=scatter_kwargs)

    def plot(self, ax=None, *, name=None, scatter_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        scatter_kwargs : dict, default=None
            Keywords of the points.

        Returns
        -------
        display : ClusteringStartsDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = take_ax(type(self).__name__, ax, _SIZE)
        self.figure_, self.points_, self.discarded_ = ax.figure, {}, None
        values, discarded = self.data["log_likelihoods"], self.data["discarded"]
        names = np.array(self.data["names"])
        ranks = np.arange(1, values.size + 1)
        ax.plot(ranks, values, color="0.7", lw=1, zorder=0)
        colors = {"c": self.data["agreements"], "cmap": "viridis", "vmin": 0.0, "vmax": 1.0}
        for i, source in enumerate(dict.fromkeys(self.data["names"])):
            own = names == source
            style = colors | {"c": colors["c"][own], "marker": _MARKERS[i % len(_MARKERS)]}
            style |= {"s": 60, "edgecolors": "0.3", "lw": 0.7, "label": f"From {source}"}
            style |= scatter_kwargs or {}
            self.points_[source] = ax.scatter(ranks[own], values[own], **style)
        if discarded.any():
            style = {"ls": "none", "marker": "x", "ms": 11, "mew": 2, "color": "#D55E00"}
            (self.discarded_,) = ax.plot(
                ranks[discarded], values[discarded], label="A group collapses", **style
            )
        if self.data["n_failed"]:
            ax.plot([], [], " ", label=f"Failed: {self.data['n_failed']}")
        drawn = next(iter(self.points_.values()))
        label = "Agreement with the best (ARI)"
        self.colorbar_ = self.figure_.colorbar(drawn, ax=ax, label=label)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="Start, by likelihood", ylabel="Classification log-likelihood")
        ax.legend(fontsize="small")
        set_title([ax], self.estimator_name if name is None else name)
        return self


class CertificateDisplay:
    """Relative duality gap of partitions against what makes them hard, or easy, to find.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn: ``names`` of the curves, and for each of them ``values``, the abscissa,
        ``gaps``, and ``certified``, whether there is a proof; ``label`` of the abscissa.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    points_ : list of matplotlib Line2D
        The fits of each curve with a proof, filled.
    open_ : list of matplotlib Line2D
        Those without, hollow.
    lines_ : list of matplotlib Line2D
        Median of each curve at each value.
    limit_ : matplotlib Line2D
        The gap below which a partition counts as proven.

    See Also
    --------
    MembershipMatrixDisplay : What was found before it was rounded.
    skmatrix.cluster.SDPKMeans : Proofs about all partitions.
    skmatrix.cluster.ILASDPClustering : Proofs at given covariances.

    Notes
    -----
    No partition is better by more than the gap: in units of the inertia of the partition for
    :class:`~skmatrix.cluster.SDPKMeans`, of the absolute objective and the number of points for
    :class:`~skmatrix.cluster.ILASDPClustering`, where that is said of its covariances only. A gap
    that is not small says *nothing is proven*, and not that the partition is bad. The bound is that
    of the convex program, which can be above all partitions where groups overlap; or it was not
    found.

    Gaps below 1e-16, and zero, are drawn at 1e-16.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import make_blobs
    >>> from skmatrix.cluster import SDPKMeans
    >>> from skmatrix.inspection import CertificateDisplay
    >>> distances, fits = [3, 6, 9], []
    >>> for d in distances:
    ...     X, _ = make_blobs(60, centers=[[0, 0], [d, 0]], random_state=0)
    ...     fits.append(SDPKMeans(2, certify=True, random_state=0).fit(X))
    >>> display = CertificateDisplay.from_estimator(fits, distances)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        values=None,
        *,
        label="Separation in standard deviations",
        ax=None,
        name=None,
        line_kwargs=None,
    ):
        """Plot the certificates of fitted estimators.

        Parameters
        ----------
        estimator : list of estimator or dict of str to list of estimator
            Fits with ``certificate_``, of one curve or of several with their names.
        values : array-like of shape (n_fits,), default=None
            Abscissa of each fit, equal for several fits of one setting; None numbers them.
        label : str, default="Separation in standard deviations"
            What `values` are.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimators.
        line_kwargs : dict, default=None
            Keywords of the lines through the medians.

        Returns
        -------
        display : CertificateDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If a fit has no certificate.
        ValueError
            If there is no fit, or `values` do not go with them.
        """
        curves = dict(estimator) if isinstance(estimator, dict) else {"": estimator}
        curves = {str(key): _as_list(fits) for key, fits in curves.items()}
        fits = [fit for some in curves.values() for fit in some]
        if not fits or not all(curves.values()):
            raise ValueError("estimator must be fitted estimators in a list, or lists. Got none.")
        if values is None:
            label = "Fit"
        found = {key: [_certificate(fit) for fit in some] for key, some in curves.items()}
        data = {
            "names": list(found),
            "values": [_abscissa(values, len(some)) for some in found.values()],
            "gaps": [np.array([c["rel_gap"] for c in some]) for some in found.values()],
            "certified": [np.array([c["certified"] for c in some]) for some in found.values()],
            "label": label,
        }
        if name is None:
            name = ", ".join(dict.fromkeys(type(fit).__name__ for fit in fits))
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
            Keywords of the lines through the medians.

        Returns
        -------
        display : CertificateDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = take_ax(type(self).__name__, ax, _SIZE)
        self.figure_, self.points_, self.open_, self.lines_ = ax.figure, [], [], []
        ax.set_yscale("log")
        highest = max(np.max(gaps) for gaps in self.data["gaps"])
        ax.set_ylim(_FLOOR / 3, 10 * max(highest, _PROOF))
        columns = (self.data[key] for key in ("names", "values", "gaps", "certified"))
        for i, (key, x, gaps, proven) in enumerate(zip(*columns, strict=True)):
            heights = np.maximum(gaps, _FLOOR)
            color = _COLORS[i % len(_COLORS)]
            settings = np.unique(x)
            # Of an even number the larger: a mean of proofs and others would be neither.
            medians = [np.quantile(heights[x == value], 0.5, method="higher") for value in settings]
            style = {"color": color, "lw": 1.5} | (line_kwargs or {})
            self.lines_ += ax.plot(settings, medians, **style)
            dots = {"ls": "none", "marker": _MARKERS[i % len(_MARKERS)], "color": color, "ms": 6}
            label = f"{key}: {proven.sum()} of {proven.size} proven"
            label = label.removeprefix(": ")
            self.points_ += ax.plot(x[proven], heights[proven], label=label, **dots)
            self.open_ += ax.plot(x[~proven], heights[~proven], mfc="w", **dots)
        text = f"Proof: gap below {_PROOF:g}"
        self.limit_ = ax.axhline(_PROOF, color="0.4", ls=":", lw=1.5, label=text)
        ax.axhspan(_FLOOR / 10, _PROOF, color="0.94", lw=0, zorder=0)
        ax.set(xlabel=self.data["label"], ylabel="Relative gap")
        ax.legend(fontsize="small")
        set_title([ax], self.estimator_name if name is None else name)
        return self


def _curves(fits, X, criteria):
    """Numbers of groups and values of each criterion of a list of fits."""
    if criteria is None:
        has_icl = all(hasattr(fit, "icl") for fit in fits)
        criteria = ["icl", "bic"] if has_icl else ["bic"]
    criteria = [criteria] if isinstance(criteria, str) else list(criteria)
    unknown = [key for key in criteria if key not in _CRITERIA]
    if unknown or not criteria:
        raise ValueError(f"criteria must be among {list(_CRITERIA)}. Got {unknown or criteria}.")
    for fit in fits:
        if not hasattr(fit, "weights_") or not hasattr(fit, "bic"):
            raise TypeError(
                f"estimator must be mixtures with information criteria. Got a {type(fit).__name__}."
            )
    sizes = np.array([len(fit.weights_) for fit in fits])
    numbers = np.unique(sizes)
    curves = {}
    for key in criteria:
        values = np.array([_value(fit, key, X) for fit in fits])
        curves[key] = numbers, np.array([values[sizes == k].min() for k in numbers])
    return curves


def _value(fit, key, X):
    """A criterion of a fit, on X or as it was kept."""
    if X is not None:
        if not hasattr(fit, key):
            raise TypeError(f"The {type(fit).__name__} has no {key.upper()}.")
        return float(getattr(fit, key)(X))
    if not hasattr(fit, f"{key}_"):
        raise ValueError(f"The {type(fit).__name__} has not kept its {key.upper()}. Pass X.")
    return float(getattr(fit, f"{key}_"))


def _as_list(fits):
    """Fits of a curve."""
    return list(fits) if isinstance(fits, (list, tuple)) else [fits]


def _certificate(fit):
    """The certificate of a fit."""
    check_is_fitted(fit)
    found = getattr(fit, "certificate_", None)
    if found is None:
        raise TypeError(
            f"The {type(fit).__name__} has no certificate. Fit an SDPKMeans or an ILASDPClustering"
            " with certify=True."
        )
    return found


def _abscissa(values, n_fits):
    """A finite number for each fit."""
    if values is None:
        return np.arange(1, n_fits + 1)
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (n_fits,) or not np.isfinite(found).all():
        raise ValueError(
            f"values must be a finite number for each of the {n_fits} fits. Got shape"
            f" {found.shape}."
        )
    return found
