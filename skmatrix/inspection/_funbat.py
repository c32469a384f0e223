"""Plots of functional tensor regression: its functions, and whether its error bars hold."""

from inspect import Parameter, signature
from numbers import Integral

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtr, ndtri
from scipy.stats import binom
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import set_title, take_axes

# Evenly spaced coordinates of a curve, and training coordinates that are added to them, at most.
_POINTS, _KINKS = 400, 2000
# Intervals that are drawn one by one, at most.
_BARS = 150
# Bins of a histogram, and values in each on average, at least.
_BINS, _PER_BIN = 20, 20
_BAND = 0.95


class FactorFunctionDisplay:
    """Functions of the modes of a functional tensor regression, against the original axes.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn: ``modes``; for each of them ``names``, ``points`` (training coordinates),
        ``t`` (coordinates of the curves), ``mean`` and ``std`` of shape (n_points, n_shown),
        ``true``, an array of that shape or None, and ``ordered``, whether there are values between
        training coordinates; and ``components``, the functions that are shown, the same for all
        modes where the decomposition is CP.
    estimator_name : str, default=None
        Title of the figure.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The axes, one for each mode.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of list of matplotlib Line2D
        Means of the functions of each mode.
    bands_ : list of list of matplotlib artists
        Two standard deviations about them: areas, or bars for modes without order.
    true_lines_ : list of list of matplotlib Line2D
        True curves of each mode.
    rugs_ : list of matplotlib Line2D
        Training coordinates of each mode.

    See Also
    --------
    IntervalCalibrationDisplay : Whether the error bars of predictions hold.
    TensorStructureDisplay : Length scales of the modes, and weights of the components.
    TensorSliceDisplay : Predictions over two of the columns.
    skmatrix.decomposition.FunBaT : The estimator.

    Notes
    -----
    Only products of functions are seen in data. The functions of CP are unique up to their order,
    and to factors whose product over the modes is one; those of Tucker up to any change of basis,
    as the core undoes it, so that one function of a mode has no meaning of its own.

    True curves are therefore fitted to the functions before they are drawn. For CP, curves and
    functions are paired once for all modes, so that the product over the modes of their cosines is
    largest, and each is multiplied by the factor that brings it closest to its function. For
    Tucker, each function has the linear combination of the true curves of its mode that is closest
    to it: if that lies on the function, both span the same space.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skmatrix.decomposition import FunBaT
    >>> from skmatrix.inspection import FactorFunctionDisplay
    >>> X = np.random.default_rng(0).uniform(0, 1, (300, 2))
    >>> y = np.sin(6 * X[:, 0]) * np.cos(4 * X[:, 1])
    >>> model = FunBaT(rank=1, kernel="matern32", fit_intercept=False, random_state=0).fit(X, y)
    >>> display = FactorFunctionDisplay.from_estimator(
    ...     model, true_curves=[lambda t: np.sin(6 * t), lambda t: np.cos(4 * t)]
    ... )
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        mode=None,
        *,
        n_functions=4,
        true_curves=None,
        ax=None,
        name=None,
        line_kwargs=None,
        band_kwargs=None,
    ):
        """Plot the functions of a fitted estimator.

        Parameters
        ----------
        estimator : FunBaT
            The fitted estimator.
        mode : int, default=None
            The mode to show, a column of X; None shows all.
        n_functions : int or None, default=4
            Functions of a mode that are shown, those of most weight in the tensor; None shows all.
        true_curves : list of callable or None, default=None
            For each mode of the estimator, or only for `mode` if it is given, a function that
            returns the true curves at coordinates of shape (n,), as an array of shape (n,) or
            (n, n_curves); None where they are not known.
        ax : matplotlib Axes or ndarray of them, default=None
            As many axes as there are modes to show; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the means.
        band_kwargs : dict, default=None
            Keywords of the bands, or of the bars.

        Returns
        -------
        display : FactorFunctionDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If it is another estimator.
        ValueError
            If there is no such mode, or `n_functions` or the number or shape of true curves is
            wrong.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "predict_factors"):
            raise TypeError(
                f"estimator must be a FunBaT. Got a {type(estimator).__name__}; of a pipeline pass"
                " the last step."
            )
        n_modes = estimator.n_features_in_
        modes = _chosen_modes(mode, n_modes)
        counted = isinstance(n_functions, Integral) and int(n_functions) >= 1
        if n_functions is not None and not counted:
            raise ValueError(f"n_functions={n_functions!r} must be at least 1, or None.")
        curves = _true_curves(true_curves, mode, n_modes)
        data = {"modes": modes} | _functions(estimator, modes, n_functions, curves)
        name = type(estimator).__name__ if name is None else name
        display = cls(data=data, estimator_name=name)
        return display.plot(ax, line_kwargs=line_kwargs, band_kwargs=band_kwargs)

    def plot(self, ax=None, *, name=None, line_kwargs=None, band_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes or ndarray of them, default=None
            As many axes as there are modes to show; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        line_kwargs : dict, default=None
            Keywords of the means.
        band_kwargs : dict, default=None
            Keywords of the bands, or of the bars.

        Returns
        -------
        display : FactorFunctionDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` has not as many axes as there are modes.
        """
        names = self.data["names"]
        self.ax_, self.figure_ = take_axes(
            type(self).__name__, ax, len(names), ", ".join(map(str, names))
        )
        self.lines_: list = []
        self.bands_: list = []
        self.true_lines_: list = []
        self.rugs_: list = []
        for place, ax in enumerate(self.ax_):
            self._plot_mode(ax, place, line_kwargs or {}, band_kwargs or {})
        self.ax_[0].set_ylabel("Function, mean ± 2 sd")
        handles = [line for lines in self.lines_ for line in lines]
        if len(handles) > len(self.lines_) or any(self.true_lines_):
            self._add_legend()
        set_title(self.ax_, self.estimator_name if name is None else name)
        return self

    def _plot_mode(self, ax, place, line_keywords, band_keywords):
        """Functions of one mode."""
        t, mean, std, true = (self.data[key][place] for key in ("t", "mean", "std", "true"))
        ordered = self.data["ordered"][place]
        lines, bands, true_lines = [], [], []
        thin = float(np.clip(100 / t.size, 0.2, 1))
        for j, component in enumerate(self.data["components"][place]):
            color = f"C{component % 10}"
            style = {"color": color, "label": f"Function {component + 1}", "zorder": 3}
            style |= {"lw": 1.5} if ordered else {"ls": "", "marker": "o", "ms": 4 * thin}
            style |= line_keywords
            (line,) = ax.plot(t, mean[:, j], **style)
            lines.append(line)
            low, high = mean[:, j] - 2 * std[:, j], mean[:, j] + 2 * std[:, j]
            band = {"color": line.get_color(), "alpha": 0.25}
            if ordered:
                bands.append(ax.fill_between(t, low, high, **{"lw": 0, **band, **band_keywords}))
            else:
                band |= {"alpha": 0.5, "lw": 1.5 * thin, **band_keywords}
                bands.append(ax.vlines(t, low, high, **band))
            if true is not None and np.isfinite(true[:, j]).all():
                style = {"ls": "--", "lw": 1.2} if ordered else {"ls": "", "marker": "x", "ms": 5}
                true_lines += ax.plot(
                    t, true[:, j], color="k", zorder=4, label="True curve", **style
                )
        points = self.data["points"][place]
        (rug,) = ax.plot(
            points,
            np.zeros(points.size),
            ls="",
            marker="|",
            ms=8,
            color="k",
            alpha=0.4,
            transform=ax.get_xaxis_transform(),
            rasterized=points.size > _KINKS,
            label="_rug",
        )
        ax.set_xlabel(self.data["names"][place])
        for target, artists in (
            (self.lines_, lines),
            (self.bands_, bands),
            (self.true_lines_, true_lines),
            (self.rugs_, rug),
        ):
            target.append(artists)

    def _add_legend(self):
        """One entry for each function that is in any panel, in the first panel."""
        shown: dict = {}
        for lines in (*self.lines_, *self.true_lines_):
            for line in lines:
                shown.setdefault(line.get_label(), line)
        labels = sorted(shown, key=lambda label: (len(label), label))
        labels.sort(key=lambda label: label == "True curve")
        # Room above the curves.
        ax, n_columns = self.ax_[0], 2
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + (high - low) * 0.1 * -(-len(labels) // n_columns))
        handles = [shown[label] for label in labels]
        ax.legend(handles, labels, loc="upper right", ncols=n_columns, fontsize="small")


class IntervalCalibrationDisplay:
    """Whether predictive intervals hold as many observations as they claim.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`; the constructor takes what
    they compute.

    Parameters
    ----------
    data : dict
        What is drawn: ``y``, ``mean`` and ``std``, ``level`` of the intervals, ``inside``, which
        observations they hold, ``coverage``, the share of those, ``pit``, the predicted
        probabilities of values below each observation, and ``n_bins``.
    estimator_name : str, default=None
        Title of the figure.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The axes: observed against predicted values, and the histogram.
    figure_ : matplotlib Figure
        The figure.
    points_ : list of matplotlib Line2D
        Observations within and outside their intervals.
    intervals_ : matplotlib LineCollection or None
        The intervals, if there are few.
    bars_ : matplotlib BarContainer
        The histogram.
    band_ : matplotlib PolyCollection
        What bins of calibrated predictions would have.

    See Also
    --------
    FactorFunctionDisplay : Functions behind the predictions.
    skmatrix.decomposition.FunBaT : An estimator that predicts standard deviations.

    Notes
    -----
    The probability that a prediction gives to values below what is then observed, the probability
    integral transform, is uniform if predictions are calibrated. Histograms like a U have error
    bars that are too narrow, those like a hill too wide ones, and a slope is a bias. A hill between
    raised ends is that of errors with heavier tails than the normal distribution: the intervals may
    hold as many observations as they claim, and yet most are too wide.

    The grey band holds 95 % of the heights of a bin if predictions are calibrated and observations
    independent. Take observations that were not fitted: intervals about the others hold too many.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from skmatrix.decomposition import FunBaT
    >>> from skmatrix.inspection import IntervalCalibrationDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 1, (600, 2))
    >>> y = np.sin(6 * X[:, 0]) * np.cos(4 * X[:, 1]) + 0.1 * rng.standard_normal(600)
    >>> model = FunBaT(rank=1, kernel="matern32", tol=1e-3, random_state=0).fit(X[:400], y[:400])
    >>> display = IntervalCalibrationDisplay.from_estimator(model, X[400:], y[400:])
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
        y,
        *,
        level=0.95,
        n_bins=None,
        ax=None,
        name=None,
        point_kwargs=None,
        bar_kwargs=None,
    ):
        """Plot the calibration of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted regressor whose `predict` has `return_std`: a FunBaT, or for instance a
            GaussianProcessRegressor with a WhiteKernel. Standard deviations must be those of
            measurements, noise included.
        X : array-like of shape (n_samples, n_features)
            Samples that were not fitted.
        y : array-like of shape (n_samples,)
            What was observed there.
        level : float, default=0.95
            Probability of the intervals.
        n_bins : int, default=None
            Bins of the histogram; None takes 20, or fewer for less than 400 samples.
        ax : ndarray of matplotlib Axes, default=None
            Two axes; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        point_kwargs : dict, default=None
            Keywords of the observations.
        bar_kwargs : dict, default=None
            Keywords of the histogram.

        Returns
        -------
        display : IntervalCalibrationDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If the estimator predicts no standard deviations.
        """
        check_is_fitted(estimator)
        parameters = signature(estimator.predict).parameters
        if "return_std" not in parameters and not any(
            p.kind is Parameter.VAR_KEYWORD for p in parameters.values()
        ):
            raise TypeError(
                f"predict of {type(estimator).__name__} has no return_std: pass what it predicts to"
                " from_predictions."
            )
        mean, std = estimator.predict(X, return_std=True)
        return cls.from_predictions(
            y,
            mean,
            std,
            level=level,
            n_bins=n_bins,
            ax=ax,
            name=type(estimator).__name__ if name is None else name,
            point_kwargs=point_kwargs,
            bar_kwargs=bar_kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y,
        mean,
        std,
        *,
        level=0.95,
        n_bins=None,
        ax=None,
        name=None,
        point_kwargs=None,
        bar_kwargs=None,
    ):
        """Plot the calibration of normal predictions.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            What was observed.
        mean, std : array-like of shape (n_samples,)
            What was predicted, and its standard deviation.
        level : float, default=0.95
            Probability of the intervals.
        n_bins : int, default=None
            Bins of the histogram; None takes 20, or fewer for less than 400 samples.
        ax : ndarray of matplotlib Axes, default=None
            Two axes; None makes new ones.
        name : str, default=None
            Title.
        point_kwargs : dict, default=None
            Keywords of the observations.
        bar_kwargs : dict, default=None
            Keywords of the histogram.

        Returns
        -------
        display : IntervalCalibrationDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `level`, `n_bins`, or a standard deviation is out of range, values are not finite, or
            lengths differ.
        """
        if not 0 < level < 1:
            raise ValueError(f"level={level!r} must be between 0 and 1.")
        y, mean, std = (column_or_1d(to_numpy(a)).astype(np.float64) for a in (y, mean, std))
        check_consistent_length(y, mean, std)
        for label, values in (("y", y), ("mean", mean), ("std", std)):
            if not np.isfinite(values).all() or values.size == 0:
                raise ValueError(f"{label} must have finite values, one at least.")
        if std.min() < 0:
            raise ValueError(f"std must not be negative. Got {std.min():g}.")
        if n_bins is None:
            n_bins = int(np.clip(y.size // _PER_BIN, 4, _BINS))
        if not isinstance(n_bins, Integral) or n_bins < 2:
            raise ValueError(f"n_bins={n_bins!r} must be an integer of at least 2.")
        gap = y - mean
        # A prediction without doubt is right, too low or too high.
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(gap == 0, 0.0, gap / std)
        inside = np.abs(score) <= ndtri((1 + level) / 2)
        data = {
            "y": y,
            "mean": mean,
            "std": std,
            "level": float(level),
            "inside": inside,
            "coverage": float(inside.mean()),
            "pit": ndtr(score),
            "n_bins": n_bins,
        }
        display = cls(data=data, estimator_name=name)
        return display.plot(ax, point_kwargs=point_kwargs, bar_kwargs=bar_kwargs)

    def plot(self, ax=None, *, name=None, point_kwargs=None, bar_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : ndarray of matplotlib Axes, default=None
            Two axes; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        point_kwargs : dict, default=None
            Keywords of the observations.
        bar_kwargs : dict, default=None
            Keywords of the histogram.

        Returns
        -------
        display : IntervalCalibrationDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` has not two axes.
        """
        what = "observed values and the histogram"
        self.ax_, self.figure_ = take_axes(type(self).__name__, ax, 2, what, (4.4, 4.0))
        self._plot_observed(self.ax_[0], point_kwargs or {})
        self._plot_histogram(self.ax_[1], bar_kwargs or {})
        set_title(self.ax_, self.estimator_name if name is None else name)
        return self

    def _plot_observed(self, ax, keywords):
        """Observed against predicted values, those outside their intervals in another colour."""
        y, mean, std, inside = (self.data[key] for key in ("y", "mean", "std", "inside"))
        level, coverage = self.data["level"], self.data["coverage"]
        low = min(y.min(), mean.min())
        ax.axline((low, low), slope=1, color="0.5", ls="--", lw=1, zorder=1)
        self.intervals_ = None
        if y.size <= _BARS:
            reach = ndtri((1 + level) / 2) * std
            colors = np.where(inside, "#0072B2", "#D55E00")
            self.intervals_ = ax.vlines(
                mean, mean - reach, mean + reach, colors=colors, alpha=0.4, lw=1, zorder=2
            )
        self.points_ = []
        base = {"ls": "", "marker": ".", "rasterized": True}
        base["alpha"] = 0.8 if y.size <= _BARS else float(np.clip(600 / y.size, 0.15, 0.6))
        for part, color, label in (
            (inside, "#0072B2", f"Within: {100 * coverage:.1f} %"),
            (~inside, "#D55E00", f"Outside: {100 - 100 * coverage:.1f} %"),
        ):
            style = {**base, "color": color, "label": label, "zorder": 3, **keywords}
            self.points_ += ax.plot(mean[part], y[part], **style)
        ax.set(xlabel="Predicted value", ylabel="Observed value")
        legend = ax.legend(title=f"Intervals of {100 * level:g} %", loc="upper left")
        for handle in legend.legend_handles:
            handle.set(alpha=1, ms=8)

    def _plot_histogram(self, ax, keywords):
        """Histogram of the probabilities, and what it would be."""
        n, n_bins = self.data["pit"].size, self.data["n_bins"]
        density, edges = np.histogram(self.data["pit"], n_bins, range=(0, 1), density=True)
        tail = (1 - _BAND) / 2
        low, high = (binom.ppf(q, n, 1 / n_bins) * n_bins / n for q in (tail, 1 - tail))
        style = {"color": "#0072B2", "alpha": 0.7, "ec": "w", "align": "edge", **keywords}
        self.bars_ = ax.bar(edges[:-1], density, np.diff(edges), **style)
        label = f"Calibrated, {100 * _BAND:g} % of bins"
        self.band_ = ax.fill_between([0, 1], low, high, color="0.3", alpha=0.3, lw=0, label=label)
        ax.axhline(1, color="k", ls="--", lw=1)
        ax.set(xlabel="Predicted probability of lower values", ylabel="Density", xlim=(0, 1))
        # Above the bars, whatever their shape.
        ax.set_ylim(0, 1.25 * max(density.max(), high))
        ax.legend(loc="upper center")


def _chosen_modes(mode, n_modes):
    """Modes to show."""
    if mode is None:
        return list(range(n_modes))
    if not isinstance(mode, Integral) or not 0 <= int(mode) < n_modes:
        raise ValueError(f"mode={mode!r} must be an integer from 0 to {n_modes - 1}, or None.")
    return [int(mode)]


def _true_curves(curves, mode, n_modes):
    """True curves of each mode, None where there are none."""
    if curves is None:
        return [None] * n_modes
    if mode is not None and callable(curves):
        curves = [curves]
    expected = n_modes if mode is None else 1
    if callable(curves) or len(curves) != expected:
        found = "one" if callable(curves) else len(curves)
        raise ValueError(
            f"true_curves must be a list of {expected}, one for each mode. Got {found}."
        )
    if mode is None:
        return list(curves)
    return [curves[0] if k == mode else None for k in range(n_modes)]


def _functions(estimator, modes, n_functions, curves):
    """What is drawn of each mode."""
    n_modes = estimator.n_features_in_
    names = getattr(estimator, "feature_names_in_", [f"Coordinate {k}" for k in range(n_modes)])
    kernels = estimator.kernel
    kernels = [kernels] * n_modes if isinstance(kernels, str) else list(kernels)
    points = [np.asarray(to_numpy(x), dtype=np.float64) for x in estimator.indices_]
    shown = [_strongest(weight, n_functions) for weight in _weights(estimator)]
    found: dict = {key: [] for key in ("t", "mean", "std", "true")}
    true = [None] * n_modes
    whole = []
    for k in range(n_modes):
        t = _coordinates(points[k], kernels[k] != "iid")
        mean, cov = estimator.predict_factors(k, t, return_cov=True)
        std = np.sqrt(np.maximum(np.diagonal(cov, axis1=1, axis2=2), 0))
        if curves[k] is not None:
            true[k] = _checked_curves(curves[k], t, k)
        whole.append((t, mean, std))
    fitted = _aligned(estimator.decomposition_, [mean for _, mean, _ in whole], true)
    for k in modes:
        t, mean, std = whole[k]
        found["t"].append(t)
        found["mean"].append(mean[:, shown[k]])
        found["std"].append(std[:, shown[k]])
        found["true"].append(None if fitted[k] is None else fitted[k][:, shown[k]])
    return {
        **found,
        "names": [str(names[k]) for k in modes],
        "points": [points[k] for k in modes],
        "ordered": [kernels[k] != "iid" for k in modes],
        "components": [shown[k] for k in modes],
    }


def _weights(estimator):
    """Weight in the tensor of each function of each mode: root mean squares, times the core."""
    sizes = [np.sqrt(np.mean(to_numpy(mean) ** 2, axis=0)) for mean in estimator.factor_mean_]
    if estimator.decomposition_ == "cp":
        return [np.prod(sizes, axis=0)] * len(sizes)
    core = to_numpy(estimator.core_)
    for k, size in enumerate(sizes):
        core = core * size.reshape([-1 if i == k else 1 for i in range(core.ndim)])
    others = [tuple(i for i in range(core.ndim) if i != k) for k in range(core.ndim)]
    return [np.sqrt(np.sum(core**2, axis=rest)) for rest in others]


def _strongest(weights, n):
    """Positions of the largest weights, in ascending order."""
    return np.sort(np.argsort(-weights, kind="stable")[:n])


def _coordinates(points, ordered):
    """Where curves are drawn: evenly, and at training coordinates, where they may have kinks."""
    if not ordered:
        return points
    even = np.linspace(points[0], points[-1], _POINTS)
    return np.union1d(even, points) if points.size <= _KINKS else even


def _checked_curves(curve, t, mode):
    """True curves at coordinates: float64 (n, n_curves)."""
    values = np.asarray(curve(t), dtype=np.float64)
    if values.ndim not in (1, 2) or values.shape[0] != t.size:
        raise ValueError(
            f"true_curves[{mode}] must return an array of shape ({t.size},) or ({t.size}, n_curves)"
            f" for {t.size} coordinates. Got shape {values.shape}."
        )
    return values.reshape(t.size, -1)


def _aligned(decomposition, means, true):
    """True curves as close to the functions as what data cannot tell allows."""
    if decomposition == "tucker":
        return [
            None if curves is None else curves @ np.linalg.lstsq(curves, mean, rcond=None)[0]
            for mean, curves in zip(means, true, strict=True)
        ]
    known = [k for k, curves in enumerate(true) if curves is not None]
    counts = {true[k].shape[1] for k in known}
    if len(counts) > 1:
        raise ValueError(
            "true_curves must have as many curves for each mode, as components of CP do. Got"
            f" {', '.join(str(true[k].shape[1]) for k in known)}."
        )
    if not known:
        return true
    cosines = np.prod([np.abs(_unit(means[k]).T @ _unit(true[k])) for k in known], axis=0)
    functions, own = linear_sum_assignment(-cosines)
    fitted = list(true)
    for k in known:
        # Functions beyond the true ones have no curve.
        fitted[k] = np.full_like(means[k], np.nan)
        chosen = true[k][:, own]
        power = np.sum(chosen**2, axis=0)
        factor = np.sum(chosen * means[k][:, functions], axis=0) / np.where(power > 0, power, 1)
        fitted[k][:, functions] = factor * chosen
    return fitted


def _unit(a):
    """Columns of unit length, or of zeros."""
    length = np.linalg.norm(a, axis=0)
    return a / np.where(length > 0, length, 1)
