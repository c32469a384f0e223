"""Diagnostic plots of a kernel density estimate."""

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ..neighbors._kde import KDE
from ..neighbors._kde_profiles import log_profile
from ..neighbors._kde_theory import glass_bandwidth, kl_bandwidth
from ._panels import load_pyplot, set_title

_KINDS = ("path", "diagnostics", "phase", "weights", "distance")
_QUERY_KINDS = ("diagnostics", "weights", "distance")
# Weights of a query that are shown, the largest.
_RANKS = 30
# Draws from which the expected weights are averaged, and terms that are drawn for each.
_DRAWS, _TERMS = 2000, 400
# Points of a curve.
_POINTS = 60
_BINS = 30

# Regimes: name, color of its area. The names stand in the areas.
_REGIMES = (("extreme", "#D55E00"), ("stable", "#F0E442"), ("clt", "#56B4E9"))


class KDEDisplay:
    """How a density was fitted, and where it can be trusted.

    Make one with :meth:`from_estimator`; the constructor takes what it computes. There is no
    ``from_predictions``: no kind can be drawn from log-densities alone.

    Parameters
    ----------
    kind : {"path", "diagnostics", "phase", "weights", "distance"}
        What is shown.
    data : dict
        What is drawn: for "path" ``bandwidths``, ``log_likelihood``, ``bandwidth``, ``h_nn``,
        ``h_opt``, ``h_g`` and ``h_clt``; for "diagnostics" ``n_effective`` and ``stable_index``;
        for "phase" ``alphas``, the curves ``h_g``, ``h_clt`` and ``h_opt``, ``alpha``,
        ``bandwidth``, ``h_g_spacings``, all but the first and fourth in units of the spread, and
        ``n_features``; for "weights" ``weights``, ``expected`` and ``stable_index``; for
        "distance" ``nearest_distance``, ``log_density`` and ``alone``.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        The axes; two for "diagnostics".
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib artists
        Curves, points and bars, in the order of the legend.

    See Also
    --------
    skmatrix.neighbors.KDE : The estimator.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skmatrix.inspection import KDEDisplay
    >>> from skmatrix.neighbors import KDE
    >>> X = np.random.default_rng(0).standard_normal((500, 5))
    >>> display = KDEDisplay.from_estimator(KDE().fit(X), kind="path")
    >>> plt.show()
    """

    def __init__(self, *, kind, data, estimator_name=None):
        self.kind = kind
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        kind="path",
        bandwidths=None,
        ax=None,
        name=None,
        line_kwargs=None,
    ):
        """Plot a fitted density.

        Parameters
        ----------
        estimator : KDE or KDEOutlierDetector
            The fitted estimator.
        X : array-like of shape (n_queries, n_features), default=None
            Queries of "diagnostics", "weights" and "distance". Pass points that `fit` has not
            seen: each of those that it has is carried by itself.
        kind : {"path", "diagnostics", "phase", "weights", "distance"}, default="path"
            What to show: "path", the likelihood of left-out points against the bandwidth, with the
            bandwidths that the theory names; "diagnostics", how many points carry the estimate at
            the queries, and the index of the tail of their weights; "phase", where the estimator
            lies among the three regimes; "weights", the largest weights of the queries, averaged by
            rank, and what the law of Poisson and Dirichlet expects of them; "distance", the
            log-density of the queries against their distance to the nearest point.
        bandwidths : array-like of shape (n_bandwidths,), default=None
            Bandwidths of "path"; None takes those that the method `bandwidth_path` takes.
        ax : matplotlib Axes, default=None
            Axes to plot on, two of them for "diagnostics"; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the main curve, of the points or of the bars.

        Returns
        -------
        display : KDEDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `kind` is unknown, `X` is needed and missing, or "phase" is asked for and the theory
            does not cover the estimator.
        TypeError
            If it is another estimator, or "weights" is asked for and the points are in a dask
            array.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, _KINDS))}. Got {kind!r}.")
        check_is_fitted(estimator)
        density = getattr(estimator, "density_", estimator)
        if not isinstance(density, KDE):
            raise TypeError(
                "estimator must be a KDE or a KDEOutlierDetector. Got a"
                f" {type(estimator).__name__}; of a KDEClassifier pass one of estimators_."
            )
        if kind in _QUERY_KINDS and X is None:
            raise ValueError(f"kind={kind!r} needs X, points to ask for the density at.")
        if kind == "path":
            data = _path(density, bandwidths)
        elif kind == "phase":
            data = _phase(density)
        else:
            compute = {"diagnostics": _diagnostics, "weights": _weights, "distance": _distance}
            data = compute[kind](density, X)
        name = type(estimator).__name__ if name is None else name
        return cls(kind=kind, data=data, estimator_name=name).plot(ax, line_kwargs=line_kwargs)

    def plot(self, ax=None, *, name=None, line_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on, two of them for "diagnostics"; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        line_kwargs : dict, default=None
            Keywords of the main curve, of the points or of the bars.

        Returns
        -------
        display : KDEDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If "diagnostics" is not given two axes.
        """
        plt = load_pyplot(type(self).__name__)
        pair = self.kind == "diagnostics"
        if ax is None:
            size = (10, 4) if pair else None
            _, ax = plt.subplots(1, 1 + pair, figsize=size, layout="constrained")
        if pair and np.size(ax) != 2:
            raise ValueError(f"kind='diagnostics' needs ax with two axes. Got {ax!r}.")
        self.ax_, self.lines_ = (np.ravel(ax) if pair else ax), []
        first = self.ax_[0] if pair else ax
        self.figure_ = first.figure
        getattr(self, f"_plot_{self.kind}")(self.ax_, {} if line_kwargs is None else line_kwargs)
        set_title(np.ravel(self.ax_), self.estimator_name if name is None else name)
        return self

    def _plot_path(self, ax, keywords):
        """Likelihood of left-out points, regimes and named bandwidths."""
        h, values = self.data["bandwidths"], self.data["log_likelihood"]
        ax.set(xlabel="Bandwidth", ylabel="Mean log-density of left-out points")
        _logarithmic(ax.xaxis)
        self.lines_ += ax.plot(
            h, values, **{"color": "k", "marker": "o", "ms": 4, "label": "Left out", **keywords}
        )
        self._limit_path(ax, h, values)
        if self.data["h_g"] is not None:
            _shade(ax, (self.data["h_g"], self.data["h_clt"]))
        marks = (
            ("bandwidth", "bandwidth_", "-", "#0072B2"),
            ("h_nn", r"$h_{nn}$, nearest points", ":", "k"),
            ("h_opt", r"$h_{opt}$ of Gaussian data", "-.", "#CC79A7"),
            ("h_g", r"$h_G$", "--", "#D55E00"),
            ("h_clt", r"$h_{CLT}$", (0, (6, 2)), "#009E73"),
        )
        for key, label, style, color in marks:
            if self.data[key] is not None:
                text = f"{label} = {self.data[key]:.3g}"
                self.lines_.append(
                    ax.axvline(self.data[key], ls=style, lw=2, color=color, label=text)
                )
        ax.legend(handles=self.lines_, loc="lower right", fontsize="small", framealpha=0.9)

    def _limit_path(self, ax, h, values):
        """Show where the curve is not far below its top: it falls without a bound to the left."""
        finite = np.isfinite(values)
        if not finite.any():
            return
        top, right, least = values[finite].max(), values[-1], values[finite].min()
        low = max(least, top - 1.5 * (top - right)) if top > right else least
        # Below the curve there is room for the legend.
        ax.set_ylim(low - 0.35 * (top - low), top + 0.15 * (top - low) + 1e-9)
        named = [self.data[key] for key in ("bandwidth", "h_nn", "h_opt", "h_g", "h_clt")]
        shown = [*h[values >= low], *(value for value in named if value is not None)]
        ax.set_xlim(min(shown) / 1.2, max(shown) * 1.2)

    def _plot_diagnostics(self, axes, keywords):
        """Histograms of the effective number of points and of the index."""
        bars = {"color": "0.55", "edgecolor": "w", **keywords}
        left, right = axes
        for ax, key, label in (
            (left, "n_effective", "Points that carry the estimate, $n_{eff}$"),
            (right, "stable_index", r"Index of the tail of the weights, $\mu$"),
        ):
            values = self.data[key]
            inside = values[(values > 0) & np.isfinite(values)]
            ax.set(xlabel=label, ylabel="Queries")
            _logarithmic(ax.xaxis)
            if inside.size:
                low, high = inside.min(), inside.max()
                if high < 1.05 * low:
                    low, high = low / 1.05, high * 1.05
                bins = np.geomspace(low * (1 - 1e-9), high * (1 + 1e-9), _BINS)
                self.lines_.append(ax.hist(inside, bins=bins, **bars)[2])
                median = float(np.median(values))
                self.lines_.append(
                    ax.axvline(median, color="k", ls="--", label=f"Median {median:.3g}")
                )
            n_out = values.size - inside.size
            if n_out:
                ax.plot([], [], " ", label=f"{n_out} queries at 0 or infinity")
            ax.set_ylim(0, 1.3 * ax.get_ylim()[1])
        right.set_xlim(min(right.get_xlim()[0], 0.5), max(right.get_xlim()[1], 4))
        _shade(right, (1.0, 2.0))
        left.legend(loc="upper right")
        # Below the names of the regimes.
        right.legend(loc="upper left", bbox_to_anchor=(0, 0.94))

    def _plot_phase(self, ax, keywords):
        """Regimes by the number of points and the bandwidth, and the estimator among them."""
        data = self.data
        alphas = data["alphas"]
        values = [data["bandwidth"], data["h_g_spacings"], *data["h_clt"], *data["h_opt"]]
        values = [v for v in values if v is not None]
        low, high = min(values) / 1.3, max(values) * 1.3
        ax.set(
            xlabel=r"$\alpha$ = log(number of points) / number of features",
            ylabel="Bandwidth / standard deviation of the data",
            xlim=(alphas[0], alphas[-1]),
        )
        _logarithmic(ax.yaxis)
        ax.set_ylim(low, high)
        edges = (np.full_like(alphas, low), data["h_g"], data["h_clt"], np.full_like(alphas, high))
        for i, (regime, color) in enumerate(_REGIMES):
            ax.fill_between(alphas, edges[i], edges[i + 1], color=color, alpha=0.2, lw=0)
            # At a fifth of the width, in the middle of the area.
            at = alphas.size // 5
            middle = math.sqrt(edges[i][at] * edges[i + 1][at])
            ax.text(alphas[at], middle, regime, ha="center", va="center", fontsize="small")
        for key, label, style, color in (
            ("h_clt", r"$h_{CLT}$", (0, (6, 2)), "#009E73"),
            ("h_g", r"$h_G$", "--", "#D55E00"),
            ("h_opt", r"$h_{opt}$, likeliest", "-.", "#CC79A7"),
        ):
            self.lines_ += ax.plot(alphas, data[key], ls=style, lw=2, color=color, label=label)
        point = {"color": "#0072B2", "marker": "o", "ms": 9, "ls": "", "label": "bandwidth_"}
        self.lines_ += ax.plot(data["alpha"], data["bandwidth"], **{**point, **keywords})
        if data["h_g_spacings"] is not None:
            open_point = {"mfc": "none", "mec": "#D55E00", "mew": 2, "marker": "s", "ms": 8}
            self.lines_ += ax.plot(
                data["alpha"], data["h_g_spacings"], ls="", label=r"$h_G$ of the data", **open_point
            )
        d = data["n_features"]
        top = ax.secondary_xaxis("top", functions=(lambda a: a * d / math.log(10), _back(d)))
        top.set_xlabel("log10(number of points)")
        ax.legend(handles=self.lines_, loc="upper right", fontsize="small", framealpha=0.9)

    def _plot_weights(self, ax, keywords):
        """Mean weights by rank."""
        weights = self.data["weights"]
        ranks = np.arange(1, weights.shape[1] + 1)
        line = {"color": "#0072B2", "marker": "o", "ms": 4, "label": "Weights, mean by rank"}
        if weights.shape[0] == 1:
            line["label"] = "Weights"
        self.lines_ += ax.plot(ranks, weights.mean(axis=0), **{**line, **keywords})
        if weights.shape[0] > 1:
            low, high = np.quantile(weights, [0.1, 0.9], axis=0)
            self.lines_.append(
                ax.fill_between(
                    ranks, low, high, color="#0072B2", alpha=0.2, lw=0, label="80 % of the queries"
                )
            )
        mu = self.data["stable_index"]
        if self.data["expected"] is not None:
            label = rf"Poisson-Dirichlet, $\mu$ = {mu:.2f}"
            self.lines_ += ax.plot(
                ranks, self.data["expected"], color="#D55E00", ls="--", lw=2, label=label
            )
        else:
            note = rf"$\mu$ = {mu:.2f}: no limit law of single weights"
            self.lines_ += ax.plot([], [], " ", label=note)
        floor = 1e-6 * max(float(weights.max()), 1e-300)
        ax.set(xlabel="Rank of the point", ylabel="Share of the density")
        mean = weights.mean(axis=0)
        if mean[0] > 3 * mean[-1]:
            ax.set_yscale("log")
            ax.set_ylim(bottom=max(ax.get_ylim()[0], floor))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(handles=self.lines_)

    def _plot_distance(self, ax, keywords):
        """Log-density against the distance to the nearest point, and those out of reach."""
        distance, values = self.data["nearest_distance"], self.data["log_density"]
        there = np.isfinite(values)
        points = {"color": "#0072B2", "marker": ".", "ls": "", "alpha": 0.4, "rasterized": True}
        self.lines_ += ax.plot(
            distance[there], values[there], **{**points, "label": "Queries", **keywords}
        )
        ax.set(xlabel="Distance to the nearest point", ylabel="Log-density")
        if self.data["alone"] is not None:
            order = np.argsort(distance[there])
            self.lines_ += ax.plot(
                distance[there][order],
                self.data["alone"][there][order],
                color="#D55E00",
                ls="--",
                label="Its nearest point alone",
            )
        n_out = int(np.sum(~there))
        if n_out:
            self.lines_ += ax.plot(
                distance[~there],
                np.full(n_out, 0.02),
                transform=ax.get_xaxis_transform(),
                color="k",
                marker="|",
                ms=12,
                ls="",
                label=f"{n_out} out of reach: minus infinity",
            )
        ax.legend(handles=self.lines_)


def _back(d):
    """Function that takes the logarithm of a number of points to alpha."""
    return lambda digits: digits * math.log(10) / d


def _logarithmic(axis):
    """A logarithmic axis with plain numbers at 1, 2, 5, 10, ..."""
    from matplotlib.ticker import LogLocator, NullFormatter

    scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    scale("log")
    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axis.set_major_formatter(lambda value, position: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def _shade(ax, borders):
    """Areas of the three regimes, with their names at the upper edge."""
    low, high = ax.get_xlim()
    edges = np.clip([low, *borders, high], low, high)
    for (regime, color), begin, end in zip(_REGIMES, edges[:-1], edges[1:], strict=True):
        if end <= begin:
            continue
        ax.axvspan(begin, end, color=color, alpha=0.2, lw=0, zorder=0)
        # A name needs about a fifteenth of the width.
        if math.log(end / begin) > math.log(high / low) / 15:
            ax.text(
                math.sqrt(begin * end),
                0.98,
                regime,
                transform=ax.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize="small",
            )
    ax.set_xlim(low, high)


def _path(density, bandwidths):
    """Likelihood of left-out points, and the bandwidths to mark."""
    if density.n_distinct_ < 2:
        raise ValueError("kind='path' needs at least 2 distinct samples. Got n_samples=1.")
    h, values, nearest = density._path(bandwidths)
    scalar = isinstance(density.bandwidth_, float)
    theory = density.thresholds() if scalar and density.kernel == "gaussian" else {}
    return {
        "bandwidths": h,
        "log_likelihood": values,
        "bandwidth": density.bandwidth_ if scalar else None,
        "h_nn": nearest,
        "h_opt": theory.get("h_opt"),
        "h_g": theory.get("h_g"),
        "h_clt": theory.get("h_clt"),
    }


def _phase(density):
    """Curves of the theory for the spectrum of the data, and the estimator."""
    alpha = density.thresholds()["alpha"]
    spectrum = density._metric.spectrum
    if not np.any(spectrum > 0):
        raise ValueError("kind='phase' needs data with a variance.")
    d = density.n_features_in_
    spread = density._metric.unit
    alphas = np.linspace(math.log(5) / d, max(2 * alpha, math.log(100) / d), _POINTS)
    glass = np.array([glass_bandwidth(spectrum, math.exp(a * d)) for a in alphas])
    likeliest = np.array([kl_bandwidth(spectrum, math.exp(a * d)) for a in alphas])
    return {
        "alphas": alphas,
        "h_g": glass / spread,
        "h_clt": math.sqrt(2) * glass / spread,
        "h_opt": likeliest / spread,
        "alpha": alpha,
        "bandwidth": density.bandwidth_ / spread,
        "h_g_spacings": None if density.h_g_ is None else density.h_g_ / spread,
        "n_features": d,
    }


def _diagnostics(density, X):
    """Effective numbers of points, and indices."""
    found = density.query_diagnostics(X)
    return {"n_effective": found.n_effective, "stable_index": found.stable_index}


def _weights(density, X):
    """Largest weights of each query, in order, and their expectation."""
    if density._blocks is not None:
        raise TypeError("kind='weights' needs points in memory; these are in a dask array.")
    be, _, Z = density._open(X, "score_samples")
    points, h = density._with_engine(be), to_numpy(density.bandwidth_)
    log_total = points.sums(Z, h)[0]
    reached = np.isfinite(log_total)
    if not reached.any():
        raise ValueError("kind='weights' needs a query that a point is within reach of.")
    n_shown = min(_RANKS, points.n_points)
    weights = np.empty((int(reached.sum()), n_shown))
    for row, x, total in zip(weights, Z[reached], log_total[reached], strict=True):
        squares = np.sum(((points.Z - x) / h) ** 2, axis=1)
        with np.errstate(divide="ignore"):
            logs = log_profile(np, squares, density.kernel, (density.df, Z.shape[1]))
        logs = logs + np.log(points.weight) - total
        row[:] = np.exp(-np.sort(-logs)[:n_shown])
    mu = density.query_diagnostics(X).stable_index
    with np.errstate(divide="ignore"):
        pooled = float(1 / np.mean(1 / mu))
    if density.h_g_ is not None:
        pooled = (density.bandwidth_ / density.h_g_) ** 2
    expected = poisson_dirichlet(pooled, n_shown) if 0 < pooled < 1 else None
    return {"weights": weights, "expected": expected, "stable_index": pooled}


def _distance(density, X):
    """Log-densities, distances to the nearest point, and what it would give alone."""
    found = density.query_diagnostics(X)
    alone = None
    weight = to_numpy(density.weight_fit_)
    if isinstance(density.bandwidth_, float) and np.all(weight == weight[0]):
        squares = (found.nearest_distance / density.bandwidth_) ** 2
        with np.errstate(divide="ignore"):
            alone = log_profile(np, squares, density.kernel, (density.df, density.n_features_in_))
        alone = alone + math.log(weight[0]) + density.log_norm_
    return {
        "nearest_distance": found.nearest_distance,
        "log_density": found.log_density,
        "alone": alone,
    }


def poisson_dirichlet(mu, n_ranks):
    """Expected weights by rank under the law of Poisson and Dirichlet of index mu.

    The weights are ``G_k^{-1/mu}`` over their sum, with G the times of a Poisson process. Their
    mean over draws from a fixed seed is taken, the sum of what is not drawn by its mean.

    Parameters
    ----------
    mu : float
        Index, between 0 and 1.
    n_ranks : int
        Number of weights.

    Returns
    -------
    weights : ndarray of shape (n_ranks,)
        Their expectation, falling.
    """
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.exponential(size=(_DRAWS, max(_TERMS, n_ranks))), axis=1)
    # In units of the largest: small indices leave the range of floating point.
    terms = np.exp(-(np.log(times) - np.log(times[:, :1])) / mu)
    rest = terms[:, -1] * times[:, -1] * mu / (1 - mu)
    return np.mean(terms[:, :n_ranks] / (terms.sum(axis=1) + rest)[:, None], axis=0)
