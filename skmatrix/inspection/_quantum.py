"""Plots of quantum kernels."""

from copy import copy

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .._backend import get_backend, to_numpy
from ..metrics._kernels import _checked_kernel
from ..svm import QuantumKernelSVC
from ..svm._quantum_bandwidth import projected_kernel
from ..svm._quantum_device import measured_bloch
from ..svm._quantum_kernel_matrix import QuantumKernel
from ..svm._quantum_measurement import repair
from ._panels import set_title, take_ax

_KINDS = ("matrix", "spectrum", "histogram")
_SIZES = {"matrix": (6.2, 4.6), "spectrum": (6.0, 4.2), "histogram": (6.0, 4.2)}
_BINS = 40
# A color that is not in that of the matrix.
_BORDER = "#D55E00"
# Letters of the names of all classes that have room side by side.
_LETTERS = 36
# Eigenvalues this far below zero, relative to the largest, are not due to rounding.
_ROUNDING = 1e-10
# Decades below the largest eigenvalue on the logarithmic part of the scale, about.
_DECADES = 6


class QuantumKernelDisplay:
    r"""Kernel matrix, its eigenvalues, or the values off its diagonal.

    Make one with :meth:`from_estimator` or :meth:`from_kernel`; the constructor takes what they
    compute.

    Parameters
    ----------
    kind : {"matrix", "spectrum", "histogram"}
        What is shown.
    data : dict
        What is drawn: for "matrix" ``kernel``, sorted by class, ``labels`` of the classes or None,
        and ``sizes`` of the classes; for "spectrum" the eigenvalues ``before`` the repair and
        ``after`` it, or None; for "histogram" ``groups``, a dict from the names of the groups to
        the values, and ``shots`` or None.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    image_ : matplotlib AxesImage or None
        The matrix.
    colorbar_ : matplotlib Colorbar or None
        Its scale.
    lines_ : list of matplotlib Line2D
        The spectra; empty for the other kinds.
    bars_ : list of matplotlib BarContainer
        The histograms; empty for the other kinds.
    band_ : matplotlib Rectangle or None
        What so many shots cannot tell from the mean of a histogram.

    See Also
    --------
    BandwidthDisplay : The choice of the bandwidth, on which all of this depends.
    skmatrix.svm.QuantumKernelSVC : The estimator.
    skmatrix.metrics.kernel_concentration : The spread of a kernel in numbers.

    Notes
    -----
    Look at the matrix and the histogram first. If the pairs of one class have about the values of
    the other pairs, the kernel knows nothing of the classes. If all values off the diagonal are
    near 0 or near 1, the bandwidth is too large or too small. A measured entry differs from the
    exact one by :math:`\sqrt{K (1 - K) / R}` for R shots, which is :math:`1 / (2 \sqrt R)` at most:
    a histogram that does not reach beyond :math:`\pm 1 / \sqrt R` is all noise on a device.

    The matrix and the histogram are those of the exact kernel with the fitted bandwidth. For the
    kernel that a device with noise and shots has measured, fit with ``store_kernel=True`` and pass
    ``kernel_matrix_`` to :meth:`from_kernel`. The spectrum is that of the kernel that was measured
    in `fit`: negative eigenvalues are the work of the shots, and with the repair the solver sees
    none.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skmatrix.inspection import QuantumKernelDisplay
    >>> from skmatrix.svm import QuantumKernelSVC
    >>> X, y = load_iris(return_X_y=True)
    >>> model = QuantumKernelSVC(shots=1000, random_state=0).fit(scale(X), y)
    >>> display = QuantumKernelDisplay.from_estimator(model, scale(X), y, kind="histogram")
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
        ax=None,
        name=None,
        image_kwargs=None,
        line_kwargs=None,
        bar_kwargs=None,
    ):
        """Plot the kernel of a fitted estimator.

        Parameters
        ----------
        estimator : QuantumKernelSVC
            The fitted estimator.
        X : array-like of shape (n_samples, n_features)
            Samples; for "spectrum" those that it was fitted on.
        y : array-like of shape (n_samples,), default=None
            Classes, by which the matrix is sorted and the histogram is split.
        kind : {"matrix", "spectrum", "histogram"}, default="matrix"
            What to show: the matrix; its eigenvalues as measured in `fit`, and as repaired; or the
            values of all pairs of different samples.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        image_kwargs : dict, default=None
            Keywords of the matrix, ``cmap`` for instance.
        line_kwargs : dict, default=None
            Keywords of the spectra.
        bar_kwargs : dict, default=None
            Keywords of the histograms.

        Returns
        -------
        display : QuantumKernelDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `kind` is unknown; for "spectrum", if the estimator was fitted on other samples; for
            "histogram", if there is one sample only.
        TypeError
            If it is another estimator.
        """
        _check_kind(kind)
        check_is_fitted(estimator)
        if not isinstance(estimator, QuantumKernelSVC):
            raise TypeError(
                f"estimator must be a QuantumKernelSVC. Got a {type(estimator).__name__}; of a"
                " pipeline pass the last step, and as X what the steps before it make of the data."
            )
        if kind == "spectrum":
            data = _spectra(*_kernels_of_fit(estimator, X))
        else:
            shots = estimator.shots if estimator.kernel == "fidelity" else None
            data = _described(_checked_kernel(estimator.kernel_matrix(X), "K"), y, kind, shots)
        name = type(estimator).__name__ if name is None else name
        display = cls(kind=kind, data=data, estimator_name=name)
        return display.plot(
            ax, image_kwargs=image_kwargs, line_kwargs=line_kwargs, bar_kwargs=bar_kwargs
        )

    @classmethod
    def from_kernel(
        cls,
        K,
        y=None,
        *,
        kind="matrix",
        repaired=None,
        shots=None,
        ax=None,
        name=None,
        image_kwargs=None,
        line_kwargs=None,
        bar_kwargs=None,
    ):
        """Plot any kernel matrix.

        Parameters
        ----------
        K : array-like of shape (n_samples, n_samples)
            Kernel matrix, symmetric.
        y : array-like of shape (n_samples,), default=None
            Classes, by which the matrix is sorted and the histogram is split.
        kind : {"matrix", "spectrum", "histogram"}, default="matrix"
            What to show: the matrix; its eigenvalues; or the values of all pairs of different
            samples.
        repaired : array-like of shape (n_samples, n_samples), default=None
            Another matrix, whose eigenvalues "spectrum" shows beside those of K.
        shots : int, default=None
            Measurements behind each entry, whose resolution "histogram" shows.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title.
        image_kwargs : dict, default=None
            Keywords of the matrix, ``cmap`` for instance.
        line_kwargs : dict, default=None
            Keywords of the spectra.
        bar_kwargs : dict, default=None
            Keywords of the histograms.

        Returns
        -------
        display : QuantumKernelDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `kind` is unknown, or a matrix is not symmetric; for "histogram", if there is one
            sample only.
        """
        _check_kind(kind)
        K = _checked_kernel(K, "K")
        if kind == "spectrum":
            data = _spectra(K, None if repaired is None else _checked_kernel(repaired, "repaired"))
        else:
            data = _described(K, y, kind, shots)
        return cls(kind=kind, data=data, estimator_name=name).plot(
            ax, image_kwargs=image_kwargs, line_kwargs=line_kwargs, bar_kwargs=bar_kwargs
        )

    def plot(self, ax=None, *, name=None, image_kwargs=None, line_kwargs=None, bar_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        image_kwargs : dict, default=None
            Keywords of the matrix.
        line_kwargs : dict, default=None
            Keywords of the spectra.
        bar_kwargs : dict, default=None
            Keywords of the histograms.

        Returns
        -------
        display : QuantumKernelDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = take_ax(type(self).__name__, ax, _SIZES[self.kind])
        self.ax_, self.figure_ = ax, ax.figure
        self.image_ = self.colorbar_ = self.band_ = None
        self.lines_, self.bars_ = [], []
        if self.kind == "matrix":
            self._plot_matrix(ax, image_kwargs or {})
        elif self.kind == "spectrum":
            self._plot_spectra(ax, line_kwargs or {})
        else:
            self._plot_histograms(ax, bar_kwargs or {})
        set_title([ax], self.estimator_name if name is None else name)
        return self

    def _plot_matrix(self, ax, keywords):
        """The matrix, with the classes side by side."""
        K = self.data["kernel"]
        self.image_ = ax.imshow(K, **{"cmap": "viridis", "vmin": 0, "vmax": 1, **keywords})
        low, high = self.image_.get_clim()
        beyond = {(True, True): "both", (True, False): "min", (False, True): "max"}
        self.colorbar_ = self.figure_.colorbar(
            self.image_,
            ax=ax,
            label="Kernel",
            # Rounding does not count.
            extend=beyond.get((K.min() < low - 1e-9, K.max() > high + 1e-9), "neither"),
        )
        labels, ends = self.data["labels"], np.cumsum(self.data["sizes"])
        if labels is None:
            ax.set(xlabel="Sample", ylabel="Sample")
            return
        for border in ends[:-1] - 0.5:
            ax.axhline(border, color=_BORDER, lw=1.2)
            ax.axvline(border, color=_BORDER, lw=1.2)
        centres = ends - self.data["sizes"] / 2 - 0.5
        slanted = len(labels) * max(map(len, labels)) > _LETTERS
        turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        ax.set_xticks(centres, labels, **turned)
        ax.set_yticks(centres, labels)
        ax.tick_params(length=0)
        ax.set(xlabel="Samples, by class", ylabel="Samples, by class")

    def _plot_spectra(self, ax, keywords):
        """Eigenvalues in decreasing order, on a scale that has room for negative ones."""
        before, after = self.data["before"], self.data["after"]
        curves = [(before, "Eigenvalues", "#0072B2", "o")]
        if after is not None:
            curves = [
                (before, "Before the repair", "#D55E00", "o"),
                (after, "After the repair", "#0072B2", "."),
            ]
        ax.axhline(0, color="0.5", lw=1)
        for values, label, color, marker in curves:
            count = int(np.sum(values < -_ROUNDING * max(1.0, values[0])))
            style = {"color": color, "marker": marker, "ms": 4, "lw": 1.2}
            style["label"] = f"{label}: {count if count else 'none'} negative"
            self.lines_ += ax.plot(np.arange(1, values.size + 1), values, **{**style, **keywords})
        linear = _linear_range(np.concatenate([values for values, *_ in curves]))
        if linear is not None:
            ax.set_yscale("symlog", linthresh=linear, linscale=0.5)
        ax.set(xlabel="Rank of the eigenvalue", ylabel="Eigenvalue of the kernel matrix")
        ax.legend()

    def _plot_histograms(self, ax, keywords):
        """Values of pairs, each histogram with a sum of 1."""
        groups, shots = self.data["groups"], self.data["shots"]
        values = np.concatenate(list(groups.values()))
        low, high = values.min(), values.max()
        if high - low < _ROUNDING:
            low, high = low - 0.01, high + 0.01
        if shots is not None:
            mean, width = values.mean(), shots**-0.5
            self.band_ = ax.axvspan(
                mean - width,
                mean + width,
                color="0.85",
                lw=0,
                zorder=0,
                label=rf"Mean $\pm\,1/\sqrt{{R}}$ for $R$ = {shots} shots",
            )
        bins = np.linspace(low, high, _BINS + 1)
        for (label, values), color in zip(groups.items(), ("#0072B2", "#E69F00"), strict=False):
            style = {"color": color, "alpha": 0.6, "edgecolor": "w", "linewidth": 0.3}
            style["label"] = f"{label}: {values.size} pairs"
            style["weights"] = np.full(values.size, 1 / values.size)
            self.bars_.append(ax.hist(values, bins=bins, **{**style, **keywords})[2])
        ax.set(xlabel="Kernel of two different samples", ylabel="Share of the pairs")
        # Room for the legend above the bars.
        ax.set_ylim(0, 1.4 * ax.get_ylim()[1])
        ax.legend(loc="upper right")


def _check_kind(kind):
    """Refuse other kinds."""
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, _KINDS))}. Got {kind!r}.")


def class_codes(X, y):
    """Classes, and the position of that of each sample."""
    y = column_or_1d(to_numpy(y))
    check_consistent_length(X, y)
    check_classification_targets(y)
    return np.unique(y, return_inverse=True)


def _described(K, y, kind, shots):
    """Data of a matrix or of a histogram."""
    labels, codes = None, np.zeros(K.shape[0], dtype=np.intp)
    if y is not None:
        classes, codes = class_codes(K, y)
        labels = [str(label) for label in classes]
    if kind == "matrix":
        order = np.argsort(codes, kind="stable")
        return {"kernel": K[np.ix_(order, order)], "labels": labels, "sizes": np.bincount(codes)}
    if K.shape[0] < 2:
        raise ValueError("kind='histogram' needs two samples or more. Got one.")
    rows, columns = np.triu_indices(K.shape[0], k=1)
    values, same = K[rows, columns], codes[rows] == codes[columns]
    if y is None:
        groups = {"All": values}
    else:
        groups = {"Same class": values[same], "Different classes": values[~same]}
    return {"groups": {k: group for k, group in groups.items() if group.size}, "shots": shots}


def _kernels_of_fit(estimator, X):
    """The kernel that `fit` has measured, and what the repair made of it or None."""
    be = get_backend(estimator.backend, X)
    X = validate_data(estimator, X, reset=False, dtype=be.float_dtypes, order="C")
    data = to_numpy(X)
    support, known = to_numpy(estimator.support_), to_numpy(estimator.support_vectors_)
    used = estimator._machine.used
    if data.shape[0] != used.size or not np.array_equal(data[support], known):
        raise ValueError(
            "kind='spectrum' needs the X that the estimator was fitted on: its shots are drawn"
            " again. For other samples, pass a kernel to from_kernel."
        )
    data = data[used].astype(np.float64, copy=False)
    rng = np.random.RandomState(estimator._seeds["train"])
    kernel = QuantumKernel.of(estimator, estimator._encoding, estimator.bandwidth_)
    if estimator._measurement is None:
        features = measured_bloch(kernel.bloch(be, data), estimator.noise, estimator.shots, rng)
        return projected_kernel(features, None, estimator.gamma_), None
    # A measurement leaves its diagonal behind, which predictions need as it was.
    device = copy(estimator._measurement)
    measured = device.measure(kernel.fidelity(be, data), rng)
    repaired = repair(measured, device.psd, measured=not device.is_exact).matrix
    return measured, None if repaired is measured else repaired


def _spectra(K, repaired):
    """Data of the spectrum."""
    spectra = [None if A is None else np.linalg.eigvalsh(A)[::-1] for A in (K, repaired)]
    return dict(zip(("before", "after"), spectra, strict=True))


def _linear_range(values):
    """Power of ten below which the scale of eigenvalues is linear, that has room for negative ones.

    None for a scale that is linear throughout, because all are of about one size.
    """
    lowest, largest = values.min(), values.max()
    if largest <= 0 or lowest > 0.01 * largest:
        return None
    least = -lowest / 10 if lowest < 0 else lowest
    return 10.0 ** np.ceil(np.log10(max(least, largest * 10.0**-_DECADES)))
