"""Plots of how order and lag of a delay embedding were chosen."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._panels import load_pyplot, set_title, take_axes

# Cells in which scores are printed, at most.
_PRINTED = 144
_INVERSE_E = float(np.exp(-1))
# Curves by panel: the abscissa, and what is drawn over it.
_PANELS = {
    "mutual_information": ("lags", ("mutual_information",)),
    "autocorrelation": ("lags", ("autocorrelation",)),
    "mdop": ("mdop_delays", ("mdop_beta",)),
    "fnn": ("dimensions", ("fnn",)),
    "cao": ("dimensions", ("cao_e1", "cao_e2")),
    "criteria": ("orders", ("aic", "hq", "bic")),
}


class EmbeddingDisplay:
    """The curves from which order and lag of a delay embedding were read.

    Make one with :meth:`from_estimator` or :meth:`from_embedding`; the constructor takes what they
    find.

    Parameters
    ----------
    data : dict
        What is drawn: ``order``, ``lag`` (None for given delays) and ``curves``, as the attributes
        of :class:`~skmatrix.covariance.Embedding`.
    estimator_name : str, default=None
        Title of the figure.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The axes, one for each kind of curve that there is.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib artists
        Curves, bounds and marks, panel by panel in the order of the legends.

    See Also
    --------
    skmatrix.covariance.select_embedding : Choose order and lag alone.
    EmbeddingGridDisplay : Scores over order and lag.

    Notes
    -----
    The panels, as far as the rules left their curves: mutual information and autocorrelation
    against the lag; beta of MDOP against the delay; the share of false neighbours, E1 and E2 of
    Cao, and the information criteria against the order. A vertical line is at what was chosen in
    the end. It can be elsewhere than the rule has it: an order is lowered until the copies have no
    more rows than samples, and a classifier chooses between rules.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skmatrix.covariance import AugmentedCovariance
    >>> from skmatrix.inspection import EmbeddingDisplay
    >>> noise = np.random.default_rng(0).standard_normal((10, 2, 300))
    >>> X = np.cumsum(noise, axis=2)
    >>> display = EmbeddingDisplay.from_estimator(AugmentedCovariance().fit(X))
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, line_kwargs=None):
        """Plot the curves that a fit has left.

        Parameters
        ----------
        estimator : AugmentedCovariance or AugmentedCovarianceClassifier
            The fitted estimator.
        ax : ndarray of matplotlib Axes, default=None
            As many axes as there are panels; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the curves.

        Returns
        -------
        display : EmbeddingDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there are no curves, because nothing was read from the signals.
        """
        check_is_fitted(estimator)
        name = type(estimator).__name__ if name is None else name
        return cls.from_embedding(estimator.embedding_, ax=ax, name=name, line_kwargs=line_kwargs)

    @classmethod
    def from_embedding(cls, embedding, *, ax=None, name=None, line_kwargs=None):
        """Plot the curves of an embedding.

        Parameters
        ----------
        embedding : Embedding
            What :func:`~skmatrix.covariance.select_embedding` returns, or one whose dict of curves
            is put together from several.
        ax : ndarray of matplotlib Axes, default=None
            As many axes as there are panels; None makes new ones.
        name : str, default=None
            Title; None leaves it out.
        line_kwargs : dict, default=None
            Keywords of the curves.

        Returns
        -------
        display : EmbeddingDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there are no curves, because nothing was read from the signals.
        """
        data = {key: getattr(embedding, key) for key in ("order", "lag", "curves")}
        if not _present(data["curves"]):
            raise ValueError(
                f"There are no curves: order={data['order']} and lag={data['lag']} were given, or"
                " judged by cross-validation alone. Fit with order='fnn' or 'bic' and lag='mi', or"
                " pass select_embedding(X) to EmbeddingDisplay.from_embedding."
            )
        return cls(data=data, estimator_name=name).plot(ax, line_kwargs=line_kwargs)

    def plot(self, ax=None, *, name=None, line_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : ndarray of matplotlib Axes, default=None
            As many axes as there are panels; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        line_kwargs : dict, default=None
            Keywords of the curves.

        Returns
        -------
        display : EmbeddingDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` has not as many axes as there are panels.
        """
        panels = _present(self.data["curves"])
        self.ax_, self.figure_ = take_axes(type(self).__name__, ax, len(panels), ", ".join(panels))
        self.lines_ = []
        for axis, panel in zip(self.ax_, panels, strict=True):
            getattr(self, f"_plot_{panel}")(axis, line_kwargs or {})
        set_title(self.ax_, self.estimator_name if name is None else name)
        return self

    def _curve(self, ax, panel, key, *, start=0, **style):
        """A curve from one place of the abscissa on."""
        curves = self.data["curves"]
        values = np.asarray(curves[key])
        # Where curves of two rules are put together, their dimensions differ in number alone.
        x = curves[_PANELS[panel][0]][0] + np.arange(values.size)
        self.lines_ += ax.plot(x[start:], values[start:], **style)
        ax.xaxis.get_major_locator().set_params(integer=True)
        return x, values

    def _choice(self, ax, key, note=""):
        """Vertical line at the order or the lag that was chosen."""
        value = self.data[key]
        if value is not None:
            style = {"color": "k", "ls": "--", "lw": 1.5}
            self.lines_.append(ax.axvline(value, label=f"Chosen {key}: {value}{note}", **style))

    def _bound(self, ax, value, label):
        """Horizontal line at a bound."""
        self.lines_.append(ax.axhline(value, color="0.5", ls=":", lw=1.5, label=label))

    def _plot_mutual_information(self, ax, keywords):
        """Information by lag, from 1 on: at 0 it tells the number of bins alone."""
        style = {"color": "C0", "marker": ".", "label": "Mutual information", **keywords}
        _, values = self._curve(ax, "mutual_information", "mutual_information", start=1, **style)
        self._bound(ax, values[0] * _INVERSE_E, "1/e of that at lag 0")
        without = not self.data["curves"].get("mi_has_minimum", True)
        self._choice(ax, "lag", " (no minimum)" if without else "")
        ax.set(xlabel="Lag in samples", ylabel="Mutual information (nats)")
        ax.set_ylim(bottom=0)
        ax.legend()

    def _plot_autocorrelation(self, ax, keywords):
        """Correlation by lag."""
        style = {"color": "C0", "marker": ".", "label": "Autocorrelation", **keywords}
        self._curve(ax, "autocorrelation", "autocorrelation", **style)
        self._bound(ax, _INVERSE_E, "1/e")
        self._choice(ax, "lag")
        ax.axhline(0, color="0.8", lw=1, zorder=0)
        ax.set(xlabel="Lag in samples", ylabel="Autocorrelation")
        ax.legend()

    def _plot_mdop(self, ax, keywords):
        """Largest derivative on the projection by delay, of the first cycle."""
        style = {"color": "C0", "marker": ".", "label": "Best channels", **keywords}
        self._curve(ax, "mdop", "mdop_beta", **style)
        self._choice(ax, "lag")
        orders = self.data["curves"].get("mdop_orders")
        if orders is not None:
            label = f"Delays of a trial: {np.min(orders)} to {np.max(orders)}"
            self.lines_ += ax.plot([], [], " ", label=label)
        ax.set(xlabel="First delay in samples", ylabel=r"MDOP, mean of log10 derivatives ($\beta$)")
        ax.legend()

    def _plot_fnn(self, ax, keywords):
        """Share of false neighbours by dimension."""
        style = {"color": "C0", "marker": "o", "ms": 4, "label": "False neighbours", **keywords}
        _, values = self._curve(ax, "fnn", "fnn", **style)
        self._bound(ax, 0.05, "5 %")
        self._choice(ax, "order")
        ax.set(xlabel="Order (embedding dimension)", ylabel="Share of false neighbours")
        ax.set_ylim(0, max(1.05 * np.nanmax(values), 0.06))
        ax.legend()

    def _plot_cao(self, ax, keywords):
        """E1 and E2 by dimension."""
        for key, label, color in (("cao_e1", "E1", "C0"), ("cao_e2", "E2, 1 for noise", "C1")):
            style = {"color": color, "marker": "o", "ms": 4, "label": label, **keywords}
            self._curve(ax, "cao", key, **style)
        self._bound(ax, 0.9, "0.9")
        self._choice(ax, "order")
        ax.set(xlabel="Order (embedding dimension)", ylabel="Cao's E1 and E2")
        ax.set_ylim(bottom=0)
        ax.legend()

    def _plot_criteria(self, ax, keywords):
        """Information criteria by order, each with its minimum."""
        for key, label, color in (("aic", "AIC", "C0"), ("hq", "HQ", "C1"), ("bic", "BIC", "C2")):
            if key not in self.data["curves"]:
                continue
            style = {"color": color, "label": label, **keywords}
            x, values = self._curve(ax, "criteria", key, **style)
            least = int(np.argmin(values))
            ax.plot(x[least], values[least], "o", color=self.lines_[-1].get_color())
        self._choice(ax, "order")
        ax.set(xlabel="Order of the autoregression", ylabel="Criterion per sample (dot: minimum)")
        ax.legend()


class EmbeddingGridDisplay:
    """Scores of cross-validation over order and lag.

    Make one with :meth:`from_estimator`; the constructor takes what it finds.

    Parameters
    ----------
    data : dict
        What is drawn: ``orders``, ``lags``, ``scores`` of shape (n_orders, n_lags) with NaN for
        what was not judged, ``order`` and ``lag`` that were chosen, ``n_channels``, ``n_times`` and
        ``scoring``.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    image_ : matplotlib QuadMesh
        The heat map.
    colorbar_ : matplotlib Colorbar
        Its scale.
    frontier_ : matplotlib StepPatch or None
        Border beyond which the matrix has more rows than there are samples; None if it is not
        within the grid.
    choice_ : matplotlib Line2D
        Mark of the pair that was chosen.

    See Also
    --------
    skmatrix.covariance.AugmentedCovarianceClassifier : The estimator.

    Notes
    -----
    A score is the mean over the folds, and the best over the other settings of the classifier. An
    order of 1 has no lag, and its score is repeated. Neighbouring cells differ by chance: with n
    trials the standard error of an accuracy a is about the root of a (1 - a) / n, and the best of a
    hundred cells is better than it would be on other trials.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skmatrix.covariance import AugmentedCovarianceClassifier
    >>> from skmatrix.inspection import EmbeddingGridDisplay
    >>> noise = np.random.default_rng(0).standard_normal((40, 2, 101))
    >>> y = np.repeat([0, 1], 20)
    >>> sign = np.where(y == 0, 1, -1)[:, None, None]
    >>> X = noise[:, :, 1:] + sign * noise[:, :, :-1]
    >>> model = AugmentedCovarianceClassifier(
    ...     "grid", "grid", orders=range(1, 4), lags=range(1, 4), random_state=0
    ... )
    >>> display = EmbeddingGridDisplay.from_estimator(model.fit(X, y))
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, image_kwargs=None):
        """Plot the scores of a fitted classifier.

        Parameters
        ----------
        estimator : AugmentedCovarianceClassifier
            The fitted estimator.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        image_kwargs : dict, default=None
            Keywords of the heat map, ``cmap`` for instance.

        Returns
        -------
        display : EmbeddingGridDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If no pairs of order and lag were judged.
        """
        check_is_fitted(estimator)
        results = getattr(estimator, "cv_results_", None)
        if results is None or estimator.lag_ is None:
            raise ValueError(
                "There are no scores over order and lag: both were given. Fit an"
                " AugmentedCovarianceClassifier with order='grid' and lag='grid', or with 'auto'."
            )
        data = {
            **_scores(estimator, results),
            "order": estimator.order_,
            "lag": estimator.lag_,
            "n_channels": estimator.n_channels_in_,
            "n_times": estimator.n_times_in_,
            "scoring": estimator.scoring if isinstance(estimator.scoring, str) else None,
        }
        if estimator.scoring is None:
            data["scoring"] = "accuracy"
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
        display : EmbeddingGridDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        orders, lags, scores = (self.data[key] for key in ("orders", "lags", "scores"))
        plt = load_pyplot(type(self).__name__)
        if ax is None:
            size = (max(2.4 + 0.45 * len(lags), 5.4), max(2 + 0.4 * len(orders), 4.0))
            _, ax = plt.subplots(figsize=size, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        ax.set_facecolor("0.92")
        style = {"cmap": "viridis", "edgecolors": "w", "linewidth": 0.5, **(image_kwargs or {})}
        edges = [np.arange(n + 1) - 0.5 for n in scores.shape[::-1]]
        self.image_ = ax.pcolormesh(*edges, np.ma.masked_invalid(scores), **style)
        label = "score" if self.data["scoring"] is None else self.data["scoring"]
        self.colorbar_ = self.figure_.colorbar(self.image_, ax=ax, label=f"Mean {label} of folds")
        if scores.size <= _PRINTED:
            self._print(ax, scores)
        self.frontier_ = self._draw_frontier(ax)
        at = np.searchsorted(lags, self.data["lag"]), np.searchsorted(orders, self.data["order"])
        label = f"Chosen: order {self.data['order']}, lag {self.data['lag']}"
        mark = {"marker": "s", "ms": 17, "mfc": "none", "mec": "#D55E00", "mew": 2.5, "ls": ""}
        (self.choice_,) = ax.plot(*at, label=label, **mark)
        ax.set_xticks(range(len(lags)), lags)
        ax.set_yticks(range(len(orders)), orders)
        ax.set(xlabel="Lag in samples", ylabel="Order")
        ax.set(xlim=edges[0][[0, -1]], ylim=edges[1][[0, -1]])
        # Below the label of the axis: inside it would hide cells.
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "borderaxespad": 4}
        ax.legend(**below, frameon=False, markerscale=0.6)
        title = self.estimator_name if name is None else name
        if title is not None:
            ax.set_title(title)
        return self

    def _print(self, ax, scores):
        """The scores in their cells, without the leading 0."""
        for i, j in np.argwhere(np.isfinite(scores)):
            red, green, blue, _ = self.image_.cmap(self.image_.norm(scores[i, j]))
            color = "k" if 0.3 * red + 0.6 * green + 0.1 * blue > 0.5 else "w"
            text = f"{scores[i, j]:.2f}"
            text = text[1:] if text.startswith("0.") else text
            ax.text(j, i, text, ha="center", va="center", color=color, fontsize=8)

    def _draw_frontier(self, ax):
        """Staircase above the pairs with p C rows at most and as many samples."""
        orders, lags = (np.asarray(self.data[key]) for key in ("orders", "lags"))
        length = self.data["n_times"] - (orders[:, None] - 1) * lags
        allowed = orders[:, None] * self.data["n_channels"] <= length
        allowed[orders == 1] = True
        if allowed.all():
            return None
        label = "Above: more rows than samples ($p\\,C > L$)"
        height = allowed.sum(axis=0) - 0.5
        edges = np.arange(len(lags) + 1) - 0.5
        style = {"baseline": None, "color": "k", "lw": 2.5}
        return ax.stairs(height, edges, label=label, **style)


def _present(curves):
    """Panels all of whose main curves are there."""
    return [p for p, (x, keys) in _PANELS.items() if x in curves and any(k in curves for k in keys)]


def _scores(estimator, results):
    """Orders, lags, and the best mean score of each pair."""
    pairs = np.array([results["param_order"], results["param_lag"]], dtype=np.int64).T
    asked = [
        getattr(estimator, f"{name}s") if getattr(estimator, name) == "grid" else pairs[:, k]
        for k, name in enumerate(("order", "lag"))
    ]
    orders, lags = (np.unique(np.asarray(values, dtype=np.int64)) for values in asked)
    lags = np.union1d(lags, estimator.lag_)
    scores = np.full((orders.size, lags.size), np.nan)
    for (order, lag), score in zip(pairs.tolist(), results["mean_test_score"], strict=True):
        row = np.searchsorted(orders, order)
        columns = slice(None) if order == 1 else np.searchsorted(lags, lag)
        scores[row, columns] = np.fmax(scores[row, columns], score)
    return {"orders": orders, "lags": lags, "scores": scores}
