"""Plots of delay embeddings: how order and lag were chosen, and what the matrices hold."""

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy

_KINDS = ("matrix", "difference", "spectrum")
# Width and height in inches of a panel with curves or a matrix, and panels side by side, at most.
_PANEL, _MAP = (4.0, 3.6), (4.8, 4.8)
_COLUMNS = 3
# Cells in which scores are printed, and rows that are named, at most.
_PRINTED, _NAMED = 144, 64
# Frequencies of a spectrum.
_POINTS = 400
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
        self.ax_, self.figure_ = _axes(type(self).__name__, ax, len(panels), ", ".join(panels))
        self.lines_ = []
        for axis, panel in zip(self.ax_, panels, strict=True):
            getattr(self, f"_plot_{panel}")(axis, line_kwargs or {})
        _title(self.ax_, self.estimator_name if name is None else name)
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
        plt = _pyplot(type(self).__name__)
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


class AugmentedCovarianceDisplay:
    """Mean augmented covariance of each class, or the spectrum that it implies.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    kind : {"matrix", "difference", "spectrum"}
        What is shown.
    data : dict
        What is drawn: for "matrix" and "difference" ``panels``, the titles, ``matrices`` of shape
        (n_panels, D, D), ``delays`` and ``channel_names``; for "spectrum" ``labels``,
        ``frequencies``, ``spectra`` of shape (n_classes, n_panels, n_frequencies), ``panels`` and
        ``unit`` of the frequencies.
    estimator_name : str, default=None
        Title of the figure.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The axes: one for each class or difference, or for each channel of a spectrum.
    figure_ : matplotlib Figure
        The figure.
    images_ : list of matplotlib AxesImage
        The matrices; empty for "spectrum".
    lines_ : list of matplotlib Line2D
        The spectra, class by class for one channel after the other; empty for "matrix".

    See Also
    --------
    skmatrix.covariance.AugmentedCovariance : The matrices.
    skmatrix.covariance.var_coefficients : The autoregression behind a matrix.

    Notes
    -----
    Matrices are arithmetic means over the trials of a class, in units of the standard deviations of
    the channels: the diagonal is 1 on average over the classes, and less in a class of less power.
    Blocks on one diagonal have the same delay between their copies, and are nearly equal: all that
    counts is in the first column of blocks.

    With the coefficients ``A_k`` and the innovation covariance of the autoregression that a mean
    implies, the spectral matrix is ``H S H^*`` with ``H = (I - sum_k A_k exp(-2 i pi f k))^-1``. It
    is twice that over the sampling rate of the copies, for frequencies from 0 to half of it, so
    that its integral is the variance. With a lag above 1 what is faster is folded back.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skmatrix.covariance import AugmentedCovariance
    >>> from skmatrix.datasets import make_var_process
    >>> from skmatrix.inspection import AugmentedCovarianceDisplay
    >>> A = np.array([[[0.6, 0.0], [0.3, 0.5]]])
    >>> parts = [make_var_process(20, c * A, 200, random_state=0)[0] for c in (1, -1)]
    >>> X, y = np.concatenate(parts), np.repeat(["slow", "fast"], 20)
    >>> model = AugmentedCovariance(order=3, lag=1).fit(X)
    >>> display = AugmentedCovarianceDisplay.from_estimator(model, X, y)
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
        X,
        y=None,
        *,
        kind="matrix",
        channel_names=None,
        channels=None,
        sampling_rate=None,
        ax=None,
        name=None,
        image_kwargs=None,
        line_kwargs=None,
    ):
        """Plot what a fitted estimator makes of trials.

        Parameters
        ----------
        estimator : AugmentedCovariance or AugmentedCovarianceClassifier
            The fitted estimator, whose order and lag are used.
        X : array-like of shape (n_trials, n_channels, n_times)
            Trials.
        y : array-like of shape (n_trials,), default=None
            Classes; None takes all trials together.
        kind : {"matrix", "difference", "spectrum"}, default="matrix"
            What to show: the mean matrices; what sets them apart, that is the first minus the
            second, or with more classes each minus the mean of all; or the power spectra of the
            autoregressions that they imply, of one order less.
        channel_names : list of str, default=None
            Names of the channels; None counts them from 0.
        channels : list of str or int, default=None
            Channels whose spectra are shown, each in a panel of its own; None shows the mean over
            all channels.
        sampling_rate : float, default=None
            Samples per second, for frequencies in Hz; None shows them per sample.
        ax : ndarray of matplotlib Axes, default=None
            As many axes as there are panels; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        image_kwargs : dict, default=None
            Keywords of the matrices.
        line_kwargs : dict, default=None
            Keywords of the spectra.

        Returns
        -------
        display : AugmentedCovarianceDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `kind`, a channel or the number of names is wrong; for "difference", if there is one
            class; for "spectrum", if the order is 1 or the delays are not evenly spaced.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, _KINDS))}. Got {kind!r}.")
        check_is_fitted(estimator)
        names = _channel_names(channel_names, estimator.n_channels_in_)
        if kind == "spectrum":
            _check_has_spectrum(estimator)
        labels, matrices = _class_means(estimator, X, y)
        if kind == "spectrum":
            data = _spectra(estimator, matrices, names, channels, sampling_rate)
            data["labels"] = labels
        else:
            if kind == "difference":
                labels, matrices = _differences(labels, matrices)
            data = {"panels": labels, "matrices": matrices}
            data |= {"delays": estimator.delays_, "channel_names": names}
        name = type(estimator).__name__ if name is None else name
        display = cls(kind=kind, data=data, estimator_name=name)
        return display.plot(ax, image_kwargs=image_kwargs, line_kwargs=line_kwargs)

    def plot(self, ax=None, *, name=None, image_kwargs=None, line_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : ndarray of matplotlib Axes, default=None
            As many axes as there are panels; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        image_kwargs : dict, default=None
            Keywords of the matrices.
        line_kwargs : dict, default=None
            Keywords of the spectra.

        Returns
        -------
        display : AugmentedCovarianceDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` has not as many axes as there are panels.
        """
        panels, spectrum = self.data["panels"], self.kind == "spectrum"
        what, size = ", ".join(panels), _PANEL if spectrum else _MAP
        self.ax_, self.figure_ = _axes(type(self).__name__, ax, len(panels), what, size)
        self.images_, self.lines_ = [], []
        if spectrum:
            self._plot_spectra(line_kwargs or {})
        else:
            self._plot_matrices(image_kwargs or {})
        _title(self.ax_, self.estimator_name if name is None else name)
        return self

    def _plot_matrices(self, keywords):
        """A panel for each class or difference, on one scale."""
        matrices, names, delays = (self.data[k] for k in ("matrices", "channel_names", "delays"))
        n_channels, size = len(names), matrices.shape[1]
        bound = np.abs(matrices).max()
        style = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound, **keywords}
        borders = np.arange(n_channels, size, n_channels) - 0.5
        centers = np.arange(len(delays)) * n_channels + (n_channels - 1) / 2
        blocks = [f"+{delay}" if delay else "$t$" for delay in delays]
        for ax, label, matrix in zip(self.ax_, self.data["panels"], matrices, strict=True):
            self.images_.append(ax.imshow(matrix, interpolation="nearest", **style))
            for border in borders:
                ax.axhline(border, color="k", lw=1)
                ax.axvline(border, color="k", lw=1)
            ax.set_title(label)
            ax.set_xticks(centers, blocks)
            ax.set_xlabel("Delay of the copy in samples")
            ax.tick_params(length=0)
            ax.set_yticks(centers, blocks)
        if size <= _NAMED:
            first = self.ax_[0]
            first.set_yticks(range(size), [*names] * len(delays))
            first.tick_params(axis="y", labelsize=min(8, max(4, 220 / size)))
        else:
            self.ax_[0].set_ylabel("Delay of the copy in samples")
        self.figure_.colorbar(
            self.images_[0],
            ax=list(self.ax_),
            label="Covariance" if self.kind == "matrix" else "Difference of covariances",
            shrink=0.8,
        )

    def _plot_spectra(self, keywords):
        """A panel for each channel, with a line for each class."""
        frequencies, spectra = self.data["frequencies"], self.data["spectra"]
        for i, (ax, panel) in enumerate(zip(self.ax_, self.data["panels"], strict=True)):
            for j, label in enumerate(self.data["labels"]):
                style = {"color": f"C{j}", "label": label, **keywords}
                self.lines_ += ax.plot(frequencies, spectra[j, i], **style)
            ax.set(xlabel=f"Frequency ({self.data['unit']})", yscale="log", title=panel)
            ax.set_xlim(frequencies[0], frequencies[-1])
        per = "Hz" if self.data["unit"] == "Hz" else "cycle per sample"
        self.ax_[0].set_ylabel(f"Power per {per}")
        self.ax_[0].legend()


def _pyplot(name):
    """``matplotlib.pyplot``, or an error that says how to install it."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{name} needs matplotlib. Install it with `pip install matplotlib`."
        ) from error
    return plt


def _axes(name, ax, n_panels, what, panel=_PANEL):
    """Array of so many axes, and their figure."""
    plt = _pyplot(name)
    if ax is None:
        n_columns = min(n_panels, _COLUMNS)
        n_rows = -(-n_panels // n_columns)
        size = (panel[0] * n_columns + 0.6, panel[1] * n_rows)
        _, ax = plt.subplots(n_rows, n_columns, figsize=size, layout="constrained", squeeze=False)
        for unused in ax.ravel()[n_panels:]:
            unused.remove()
        ax = ax.ravel()[:n_panels]
    ax = np.ravel(ax)
    if ax.size != n_panels:
        raise ValueError(f"ax must have {n_panels} axes, for {what}. Got {ax.size}.")
    return ax, ax[0].figure


def _title(axes, title):
    """Title of the figure where it is the display's own, else of the first axes."""
    if title is None:
        return
    figure = axes[0].figure
    if set(axes) >= {a for a in figure.axes if a.get_label() != "<colorbar>"}:
        figure.suptitle(title)
    else:
        own = axes[0].get_title()
        axes[0].set_title(f"{title}: {own}" if own else title)


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


def _channel_names(names, n_channels):
    """Names of the channels, as strings."""
    if names is None:
        return [str(i) for i in range(n_channels)]
    if len(names) != n_channels:
        raise ValueError(
            f"channel_names has {len(names)} entries, but the estimator was fitted on"
            f" {n_channels} channels."
        )
    return [str(name) for name in names]


def _class_means(estimator, X, y):
    """Labels, and mean matrices in units of the standard deviations over all trials."""
    transformer = getattr(estimator, "covariance_", estimator)
    matrices = to_numpy(transformer.transform(X)).astype(np.float64)
    if y is None:
        labels, means = ["All trials"], matrices.mean(axis=0)[None]
    else:
        y = to_numpy(y)
        check_consistent_length(matrices, y)
        classes = np.unique(y)
        labels = [str(label) for label in classes]
        means = np.stack([matrices[y == label].mean(axis=0) for label in classes])
    # One deviation for each channel, whatever the copy: blocks keep their structure.
    variances = np.diagonal(means.mean(axis=0)).reshape(len(transformer.delays_), -1).mean(axis=0)
    scale = np.tile(np.sqrt(variances), len(transformer.delays_))
    return labels, means / np.outer(scale, scale)


def _differences(labels, means):
    """First minus second matrix, or each minus the mean of all if there are more."""
    if len(labels) < 2:
        raise ValueError("kind='difference' needs y with 2 classes or more. Got 1 class.")
    if len(labels) == 2:
        return [f"{labels[0]} minus {labels[1]}"], means[:1] - means[1:]
    return [f"{label} minus mean" for label in labels], means - means.mean(axis=0)


def _check_has_spectrum(estimator):
    """Refuse embeddings that imply no autoregression."""
    if estimator.lag_ is None or estimator.order_ < 2:
        raise ValueError(
            "kind='spectrum' needs an order of 2 or more, and a lag that is a number. Got"
            f" order_={estimator.order_}, lag_={estimator.lag_}. Fit AugmentedCovariance(order=8,"
            " lag=1) on the same trials, for instance."
        )


def _spectra(estimator, matrices, names, channels, sampling_rate):
    """Spectra of channels, or their mean, by class."""
    order, n_channels = estimator.order_, len(names)
    steps = np.linspace(0, 0.5, _POINTS)  # cycles per lag
    rate = (1.0 if sampling_rate is None else float(sampling_rate)) / estimator.lag_
    power = np.stack([_power(matrix, order - 1, steps) for matrix in matrices]) * 2 / rate
    if channels is None:
        panels, power = [f"Mean of {n_channels} channels"], power.mean(axis=1, keepdims=True)
    else:
        places = [_place(channel, names) for channel in channels]
        panels, power = [names[place] for place in places], power[:, places]
    return {
        "frequencies": steps * rate,
        "spectra": power,
        "panels": panels,
        "unit": "per sample" if sampling_rate is None else "Hz",
    }


def _place(channel, names):
    """Position of a channel that is named or counted."""
    if channel in names:
        return names.index(channel)
    if isinstance(channel, str) or channel not in range(len(names)):
        raise ValueError(
            f"channels has {channel!r}, which is neither the name of a channel nor a position below"
            f" {len(names)}."
        )
    return int(channel)


def _power(matrix, order, steps):
    """Diagonal of the spectral matrix of an autoregression, of shape (n_channels, n_steps)."""
    from ..covariance import var_coefficients

    coefficients, innovation = var_coefficients(matrix, order)
    waves = np.exp(-2j * np.pi * np.outer(steps, np.arange(1, order + 1)))
    identity = np.eye(innovation.shape[0])
    transfer = np.linalg.inv(identity - np.einsum("fk,kij->fij", waves, coefficients))
    spectral = transfer @ innovation @ transfer.conj().transpose(0, 2, 1)
    return np.diagonal(spectral, axis1=1, axis2=2).real.T
