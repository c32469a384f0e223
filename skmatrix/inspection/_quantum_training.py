"""Plots of how quantum models were trained: the bandwidth, and the losses of circuits."""

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import get_backend, to_numpy
from .._sklearn import _check_sample_weight
from ..svm._quantum_bandwidth import alignment_path, bandwidth_grid, chosen_samples
from ..svm._quantum_encoding import Encoding
from ._panels import set_title, take_ax
from ._quantum import class_codes

_SIZE = (6.0, 4.2)
_LOSSES = {"empirical_risk": "Empirical risk", "cross_entropy": "Cross-entropy"}


class BandwidthDisplay:
    """Alignment of a quantum kernel with the classes, against the bandwidth.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn: ``bandwidths``, their ``scores``, the ``bandwidth`` of the estimator and its
        ``score``, ``is_auto``, whether it was chosen by the estimator, and ``has_classes``, whether
        scores are alignments or, without classes, standard deviations.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    line_ : matplotlib Line2D
        The curve.
    mark_ : matplotlib Line2D
        The bandwidth of the estimator.

    See Also
    --------
    QuantumKernelDisplay : The kernel at the bandwidth of the estimator.
    skmatrix.metrics.kernel_alignment : The score.

    Notes
    -----
    Scores are those of the exact kernel, at the given samples. An estimator with
    ``bandwidth="auto"`` has tried eight powers of two and taken the best; if the curve has its top
    at an end of the grid, or well above the mark, give the bandwidth of the top. A low curve all
    over says that the feature map does not suit the classes at any bandwidth.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from skmatrix.inspection import BandwidthDisplay
    >>> from skmatrix.svm import QuantumKernelSVC
    >>> X, y = load_iris(return_X_y=True)
    >>> model = QuantumKernelSVC().fit(scale(X), y)
    >>> display = BandwidthDisplay.from_estimator(model, scale(X), y)
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
        y=None,
        *,
        bandwidths=None,
        sample_weight=None,
        random_state=None,
        ax=None,
        name=None,
        line_kwargs=None,
    ):
        """Plot the path of a fitted estimator.

        Parameters
        ----------
        estimator : QuantumKernelSVC, QuantumFeatureMap or VariationalQuantumClassifier
            The fitted estimator.
        X : array-like of shape (n_samples, n_features)
            Samples; of more than 1000 a sample of 1000 is taken.
        y : array-like of shape (n_samples,), default=None
            Classes; without them the spread of the kernel is shown, which QuantumFeatureMap chooses
            by if it has no classes.
        bandwidths : array-like of shape (n_bandwidths,), default=None
            Bandwidths; None takes half octaves from a quarter of the lowest to twice the highest
            that "auto" tries. That of the estimator is added.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        random_state : int, RandomState instance or None, default=None
            Source of the sample of 1000.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the curve.

        Returns
        -------
        display : BandwidthDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `bandwidths` are not positive, or `y` has one class only.
        TypeError
            If it is another estimator.
        """
        check_is_fitted(estimator)
        encoding = getattr(estimator, "_encoding", None)
        if not isinstance(encoding, Encoding):
            raise TypeError(
                "estimator must be a QuantumKernelSVC, a QuantumFeatureMap or a"
                f" VariationalQuantumClassifier. Got a {type(estimator).__name__}; of a pipeline"
                " pass the last step, and as X what the steps before it make of the data."
            )
        be = get_backend(estimator.backend, X)
        y, sample_weight = be.follow(y, sample_weight)
        X = validate_data(estimator, X, reset=False, dtype=be.float_dtypes, order="C")
        weight = to_numpy(_check_sample_weight(sample_weight, X, ensure_non_negative=True))
        X = to_numpy(X).astype(np.float64, copy=False)
        codes = _codes(X, y)
        used = chosen_samples(codes, weight, random_state)
        X, weight, codes = X[used], weight[used], None if codes is None else codes[used]
        grid = _checked_bandwidths(bandwidths, X, weight)
        grid = np.union1d(grid, estimator.bandwidth_)
        scores = alignment_path(estimator, encoding, be, X, codes, weight, grid)
        data = {
            "bandwidths": grid,
            "scores": scores,
            "bandwidth": estimator.bandwidth_,
            "score": float(scores[np.searchsorted(grid, estimator.bandwidth_)]),
            "is_auto": estimator.bandwidth == "auto",
            "has_classes": codes is not None,
        }
        name = type(estimator).__name__ if name is None else name
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
            Keywords of the curve.

        Returns
        -------
        display : BandwidthDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = take_ax(type(self).__name__, ax, _SIZE)
        self.figure_ = ax.figure
        data = self.data
        style = {"color": "#0072B2", "marker": "o", "ms": 4, **(line_kwargs or {})}
        (self.line_,) = ax.plot(data["bandwidths"], data["scores"], **style)
        (self.mark_,) = ax.plot(
            data["bandwidth"],
            data["score"],
            ls="",
            marker="D",
            ms=9,
            mfc="none",
            mec="#D55E00",
            mew=2,
            label=f"{'Chosen' if data['is_auto'] else 'Given'}: {_number(data['bandwidth'])}",
        )
        ax.axvline(data["bandwidth"], color="#D55E00", lw=1, ls="--", zorder=1)
        ax.set_xscale("log", base=2)
        measure = "Standard deviation of the kernel"
        if data["has_classes"]:
            measure = "Centred kernel-target alignment"
        ax.set(xlabel="Bandwidth (factor of the data)", ylabel=measure)
        ax.legend()
        set_title([ax], self.estimator_name if name is None else name)
        return self


class VariationalTrainingDisplay:
    """Loss of a variational circuit against the iterations, for all starts.

    Make one with :meth:`from_estimator` or :meth:`from_curves`; the constructor takes what they
    find.

    Parameters
    ----------
    data : dict
        What is drawn: ``curves``, the losses of each start, ``best``, the position of the best,
        and ``loss``, the name of the loss.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves, one for each start.

    See Also
    --------
    skmatrix.svm.VariationalQuantumClassifier : The estimator.

    Notes
    -----
    The loss of a circuit has many local minima. If the starts end far from each other and few
    near the best, more of them may find a better one; if all go down still at the end, raise
    `max_iter`.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmatrix.inspection import VariationalTrainingDisplay
    >>> curves = [[0.5, 0.4, 0.35], [0.6, 0.3, 0.2, 0.19]]
    >>> display = VariationalTrainingDisplay.from_curves(curves)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, line_kwargs=None):
        """Plot the losses of a fitted estimator.

        Parameters
        ----------
        estimator : VariationalQuantumClassifier
            The fitted estimator.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the curve of the best start.

        Returns
        -------
        display : VariationalTrainingDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If it is another estimator.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "loss_curves_"):
            raise TypeError(
                "estimator must be a VariationalQuantumClassifier. Got a"
                f" {type(estimator).__name__}; of a pipeline pass the last step."
            )
        curves = [to_numpy(curve) for curve in estimator.loss_curves_]
        chosen = to_numpy(estimator.loss_curve_)
        best = next(i for i, curve in enumerate(curves) if np.array_equal(curve, chosen))
        # The empirical risk is one of two classes.
        loss = estimator.loss if len(estimator.classes_) == 2 else "cross_entropy"
        data = {"curves": curves, "best": best, "loss": _LOSSES[loss]}
        name = type(estimator).__name__ if name is None else name
        return cls(data=data, estimator_name=name).plot(ax, line_kwargs=line_kwargs)

    @classmethod
    def from_curves(cls, curves, *, best=None, loss="Loss", ax=None, name=None, line_kwargs=None):
        """Plot losses that were kept, of any optimisation.

        Parameters
        ----------
        curves : list of array-like of shape (n_iterations,)
            Losses of each start, which may differ in length.
        best : int, default=None
            Position of the curve to highlight; None takes that of the lowest last loss.
        loss : str, default="Loss"
            Name of the loss.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title.
        line_kwargs : dict, default=None
            Keywords of the curve of the best start.

        Returns
        -------
        display : VariationalTrainingDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there is no curve, or one is empty or not one-dimensional, or `best` is the position
            of none.
        """
        curves = [np.asarray(to_numpy(curve), dtype=np.float64) for curve in curves]
        if not curves or any(curve.ndim != 1 or curve.size == 0 for curve in curves):
            shapes = [curve.shape for curve in curves]
            raise ValueError(
                "curves must be one-dimensional arrays of at least one loss, one for each start."
                f" Got the shapes {shapes}."
            )
        if best is None:
            best = int(np.argmin([curve[-1] for curve in curves]))
        if best not in range(len(curves)):
            raise ValueError(f"best must be a position below {len(curves)}. Got {best!r}.")
        data = {"curves": curves, "best": best, "loss": loss}
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
            Keywords of the curve of the best start.

        Returns
        -------
        display : VariationalTrainingDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_ = ax = take_ax(type(self).__name__, ax, _SIZE)
        self.figure_ = ax.figure
        curves, best = self.data["curves"], self.data["best"]
        self.lines_ = []
        for i, curve in enumerate(curves):
            # Dots at the ends, which are local minima or where the iterations ran out.
            style = {"color": "0.6", "lw": 1, "marker": ".", "markevery": [-1]}
            if i == best:
                label = f"Best of {len(curves)} starts: {curve[-1]:.3g}"
                style |= {"color": "#0072B2", "lw": 2.5, "ms": 12, "zorder": 3, "label": label}
                style |= line_kwargs or {}
            self.lines_ += ax.plot(np.arange(curve.size), curve, **style)
        others = [line for i, line in enumerate(self.lines_) if i != best]
        if others:
            others[0].set_label("Other starts")
        else:
            self.lines_[0].set_label(f"Last: {curves[0][-1]:.3g}")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="Iteration", ylabel=self.data["loss"])
        ax.legend()
        set_title([ax], self.estimator_name if name is None else name)
        return self


def _number(value):
    """A number, as a fraction if it is the inverse of a power of two."""
    inverse = 1 / value
    if 2 <= inverse < 1e4 and inverse == 2.0 ** np.round(np.log2(inverse)):
        return f"1/{inverse:.0f}"
    return f"{value:.3g}"


def _codes(X, y):
    """Positions of the classes of samples, or None."""
    if y is None:
        return None
    classes, codes = class_codes(X, y)
    if classes.size < 2:
        raise ValueError(
            f"y must have at least two classes. Got one: {classes.tolist()[0]!r}. Without y, the"
            " spread of the kernel is shown."
        )
    return codes


def _checked_bandwidths(bandwidths, X, weight):
    """The given bandwidths, or half octaves around those that "auto" tries."""
    if bandwidths is None:
        low, high = np.log2(bandwidth_grid(X, weight)[[0, -1]])
        return 2.0 ** np.arange(low - 2, high + 1.25, 0.5)
    grid = np.ravel(np.asarray(bandwidths, dtype=np.float64))
    if grid.size == 0 or not np.all(np.isfinite(grid) & (grid > 0)):
        raise ValueError(f"bandwidths must be positive numbers. Got {bandwidths!r}.")
    return grid
