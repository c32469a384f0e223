"""Plots of what augmented covariances hold."""

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import PANEL, set_title, take_axes

_KINDS = ("matrix", "difference", "spectrum")
# Width and height in inches of a matrix, and rows that are named, at most.
_MAP, _NAMED = (4.8, 4.8), 64
# Frequencies of a spectrum.
_POINTS = 400


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
        what, size = ", ".join(panels), PANEL if spectrum else _MAP
        self.ax_, self.figure_ = take_axes(type(self).__name__, ax, len(panels), what, size)
        self.images_, self.lines_ = [], []
        if spectrum:
            self._plot_spectra(line_kwargs or {})
        else:
            self._plot_matrices(image_kwargs or {})
        set_title(self.ax_, self.estimator_name if name is None else name)
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
    polynomial = identity - np.einsum("fk,kij->fij", waves, coefficients)
    # P^-1 S P^-H is the square of P^-1 L, with S = L L^T.
    root = np.broadcast_to(np.linalg.cholesky(innovation), polynomial.shape)
    return np.sum(np.abs(np.linalg.solve(polynomial, root)) ** 2, axis=2).T
