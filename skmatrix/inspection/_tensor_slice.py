"""Predictions over two columns of X, with the others fixed."""

from inspect import Parameter, signature
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .._backend import get_backend, to_numpy
from ._columns import Columns
from ._panels import set_title, take_axes

_PANEL = (5.0, 3.8)
# Fixed columns whose values are in the title, at most.
_NAMED = 4
# Observed points that are drawn large, at most.
_FEW = 400
# Coordinates of a mode without order that have a label each, at most.
_LABELS = 12


class TensorSliceDisplay:
    """Predicted mean and standard deviation over two columns of X, the others fixed.

    Make one with :meth:`from_estimator`; the constructor takes what it computes.

    Parameters
    ----------
    data : dict
        What is drawn: ``names`` of the two columns, and whether they are ``ordered``; ``x`` and
        ``y``, the coordinates of the map, ``mean`` and ``std`` of shape (n_y, n_x); ``fixed``, the
        values of the other columns by name; and ``points``, None or the array of those near the
        slice, of two columns, or of three with what was observed there.
    estimator_name : str, default=None
        Title of the figure.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The axes: mean, and standard deviation.
    figure_ : matplotlib Figure
        The figure.
    mean_ : matplotlib QuadMesh
        Map of the mean.
    std_ : matplotlib QuadMesh
        Map of the standard deviation.
    points_ : list of matplotlib PathCollection
        Points near the slice, on each map; empty without `X`.

    See Also
    --------
    FactorFunctionDisplay : Functions behind the predictions.
    IntervalCalibrationDisplay : Whether the error bars of predictions hold.
    sklearn.inspection.PartialDependenceDisplay : Averages over the other columns.
    skmatrix.decomposition.FunBaT : An estimator that predicts standard deviations.

    Notes
    -----
    Colours of the points are those of the map, to which the colour bar belongs: a point that does
    not stand out agrees with it. Its ends are those of the mean; it has arrows where points lie
    beyond. Points are near the slice but not on it: with a wide slab, some differ because other
    columns do.

    Standard deviations are those that `predict` returns, for FunBaT of measurements: with
    ``predict_params={"include_noise": False}`` they are those of the values behind the noise, and
    the map has more contrast.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmatrix.datasets import make_functional_tensor
    >>> from skmatrix.decomposition import FunBaT
    >>> from skmatrix.inspection import TensorSliceDisplay
    >>> X, y, _ = make_functional_tensor(500, random_state=0)
    >>> model = FunBaT(rank=2, kernel="matern32", tol=1e-2, random_state=0).fit(X, y)
    >>> display = TensorSliceDisplay.from_estimator(model, (0, 2), fixed={1: 0.3}, X=X, y=y)
    >>> plt.show()
    """

    def __init__(self, *, data, estimator_name=None):
        self.data = data
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        modes=(0, 1),
        *,
        fixed=None,
        grid=100,
        X=None,
        y=None,
        width=0.05,
        predict_params=None,
        ax=None,
        name=None,
        image_kwargs=None,
        point_kwargs=None,
    ):
        """Plot the predictions of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted regressor whose `predict` has `return_std`: a FunBaT, or for instance a
            GaussianProcessRegressor.
        modes : pair of int or str, default=(0, 1)
            Columns of X along the horizontal and the vertical axis: positions, or names if the
            estimator was fitted with names.
        fixed : dict of int or str to float, default=None
            Values of other columns. Those that are not given take the median of the distinct
            training coordinates, the lower of the two in the middle of an even number.
        grid : int or pair of array-like, default=100
            Coordinates of the map: how many, evenly over the training coordinates, or which. Modes
            without order have their training coordinates instead of evenly spaced ones.
        X : array-like of shape (n_samples, n_features), default=None
            Samples, of which those near the slice are drawn. Estimators other than FunBaT need
            them, unless `grid` is a pair and `fixed` has all other columns.
        y : array-like of shape (n_samples,), default=None
            What was observed there.
        width : float, default=0.05
            Width of the slab of samples near the slice, as a share of the range of each fixed
            column. Of modes without order only the same coordinate is near.
        predict_params : dict, default=None
            Further parameters of `predict`.
        ax : ndarray of matplotlib Axes, default=None
            Two axes; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        image_kwargs : dict, default=None
            Keywords of the maps.
        point_kwargs : dict, default=None
            Keywords of the points.

        Returns
        -------
        display : TensorSliceDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If the estimator predicts no standard deviations.
        ValueError
            If columns are unknown or not distinct, a value, `grid` or `width` is out of range,
            training coordinates are needed and not known, or X and y do not fit.
        """
        check_is_fitted(estimator)
        _check_predicts_std(estimator)
        if not isinstance(width, Real) or not float(width) >= 0:
            raise ValueError(f"width={width!r} must be a number of at least 0.")
        samples, observed = _samples(X, y)
        columns = Columns.of(estimator, samples)
        shown = _shown(modes, columns)
        values = columns.fixed_values(fixed, shown)
        across, up = _grids(grid, shown, columns)
        queries = np.empty((up.size * across.size, len(columns.names)))
        queries[:, list(values)] = list(values.values())
        queries[:, shown[0]], queries[:, shown[1]] = (
            np.tile(across, up.size),
            up.repeat(across.size),
        )
        mean, std = estimator.predict(
            _as_fitted(estimator, queries), return_std=True, **(predict_params or {})
        )
        points = None
        if samples is not None:
            near = columns.near(samples, values, width)
            points = np.column_stack([samples[:, shown], *observed])[near]
        data = {
            "names": [columns.names[k] for k in shown],
            "ordered": [columns.ordered[k] for k in shown],
            "x": across,
            "y": up,
            "mean": to_numpy(mean).astype(np.float64).reshape(up.size, -1),
            "std": to_numpy(std).astype(np.float64).reshape(up.size, -1),
            "fixed": {columns.names[k]: value for k, value in values.items()},
            "points": points,
        }
        name = type(estimator).__name__ if name is None else name
        display = cls(data=data, estimator_name=name)
        return display.plot(ax, image_kwargs=image_kwargs, point_kwargs=point_kwargs)

    def plot(self, ax=None, *, name=None, image_kwargs=None, point_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : ndarray of matplotlib Axes, default=None
            Two axes; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        image_kwargs : dict, default=None
            Keywords of the maps.
        point_kwargs : dict, default=None
            Keywords of the points.

        Returns
        -------
        display : TensorSliceDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` has not two axes.
        """
        what = "mean and standard deviation"
        self.ax_, self.figure_ = take_axes(type(self).__name__, ax, 2, what, _PANEL)
        across, up, points = (self.data[key] for key in ("x", "y", "points"))
        maps, self.points_ = [], []
        for axes, key, cmap in zip(self.ax_, ("mean", "std"), ("viridis", "magma_r"), strict=True):
            style = {"cmap": cmap, "shading": "nearest", "rasterized": True, **(image_kwargs or {})}
            maps.append(axes.pcolormesh(across, up, self.data[key], **style))
            # Points beyond the map do not change its limits.
            axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim(), xlabel=self.data["names"][0])
            axes.locator_params(nbins=6)
            for side, marks, ordered in zip("xy", (across, up), self.data["ordered"], strict=True):
                if not ordered and marks.size <= _LABELS:
                    axes.set(**{f"{side}ticks": marks})
        self.mean_, self.std_ = maps
        if points is not None:
            self._plot_points(point_kwargs or {})
        self.figure_.colorbar(self.mean_, ax=self.ax_[0], extend=self._ends())
        self.figure_.colorbar(self.std_, ax=self.ax_[1])
        self.ax_[0].set_ylabel(self.data["names"][1])
        self.ax_[0].set_title(self._heading(), fontsize="medium")
        self.ax_[1].set_title("Standard deviation", fontsize="medium")
        set_title(self.ax_, self.estimator_name if name is None else name)
        return self

    def _plot_points(self, keywords):
        """Observed points, in the colours of the mean if their values are known."""
        points = self.data["points"]
        few = len(points) <= _FEW
        style = {"s": 22 if few else 8, "ec": "k", "lw": 0.5 if few else 0.2, "rasterized": not few}
        colors = {"color": "w"}
        if points.shape[1] == 3:
            colors = {"c": points[:, 2], "cmap": self.mean_.cmap, "norm": self.mean_.norm}
        above = self.ax_[0].scatter(*points[:, :2].T, **style | colors | keywords)
        style = {"s": 6 if few else 2, "color": "k", "alpha": 0.5, "lw": 0, "rasterized": not few}
        beside = self.ax_[1].scatter(*points[:, :2].T, **style)
        self.points_ = [above, beside]

    def _ends(self):
        """Ends of the colour bar beyond which there are points."""
        points = self.data["points"]
        if points is None or points.shape[1] < 3 or not len(points):
            return "neither"
        low, high = self.mean_.get_clim()
        below, above = points[:, 2].min() < low, points[:, 2].max() > high
        return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[below, above]

    def _heading(self):
        """What the map of the mean shows."""
        fixed, points = self.data["fixed"], self.data["points"]
        parts = [f"{name} = {value:.6g}" for name, value in list(fixed.items())[:_NAMED]]
        if len(fixed) > _NAMED:
            parts.append(f"{len(fixed) - _NAMED} more")
        heading = "Mean"
        if points is not None:
            what = "observed value" if points.shape[1] == 3 else "sample"
            heading += f", {len(points)} {what}{'s' * (len(points) != 1)}"
            heading += " nearby" if fixed else ""
        return "\n".join([heading, *([", ".join(parts)] if parts else [])])


def _check_predicts_std(estimator):
    """Raise where predictions have no standard deviations."""
    parameters = signature(estimator.predict).parameters
    takes_any = any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())
    if "return_std" not in parameters and not takes_any:
        raise TypeError(
            f"estimator must predict standard deviations: predict of {type(estimator).__name__} has"
            " no return_std."
        )


def _samples(X, y):
    """Samples, and a list of what was observed there."""
    if X is None:
        if y is not None:
            raise ValueError("y has values of samples, and X is None: pass both.")
        return None, []
    samples = check_array(X if hasattr(X, "iloc") else to_numpy(X), dtype=np.float64)
    if y is None:
        return samples, []
    observed = column_or_1d(to_numpy(y)).astype(np.float64)
    check_consistent_length(samples, observed)
    return samples, [observed]


def _shown(modes, columns):
    """Positions of the two columns of the map."""
    pair = [] if isinstance(modes, str) or np.ndim(modes) != 1 else list(modes)
    if len(pair) != 2:
        raise ValueError(f"modes must be a pair of columns of X. Got {modes!r}.")
    pair = [columns.position(key, "modes") for key in pair]
    if pair[0] == pair[1]:
        raise ValueError(f"modes must be two different columns of X. Got {modes!r}.")
    return pair


def _grids(grid, shown, columns):
    """Coordinates of the map along both of its axes."""
    if isinstance(grid, Integral):
        if grid < 2:
            raise ValueError(f"grid={grid} must be at least 2.")
        return [_spread(grid, k, columns) for k in shown]
    pair = [] if isinstance(grid, (str, Real)) or grid is None else list(grid)
    if len(pair) != 2:
        raise ValueError(f"grid must be an integer, or a pair of arrays. Got {grid!r}.")
    found = []
    for k, points in zip(shown, pair, strict=True):
        points = np.asarray(to_numpy(points), dtype=np.float64)
        rising = points.ndim == 1 and points.size > 1 and np.all(np.diff(points) > 0)
        if not rising or not np.isfinite(points).all():
            raise ValueError(
                f"grid must have at least two finite, rising coordinates of {columns.names[k]}."
            )
        found.append(points)
    return found


def _spread(n, k, columns):
    """Evenly spaced coordinates of a column, or its own where it has no order."""
    points = columns.known(k, "pass X, or a pair of arrays as grid")
    if points.size < 2:
        raise ValueError(
            f"{columns.names[k]} has one training coordinate only: it is no axis of a map."
        )
    return np.linspace(points[0], points[-1], n) if columns.ordered[k] else points


def _as_fitted(estimator, queries):
    """Queries as a data frame, or in the array library, that the estimator was fitted to."""
    if hasattr(estimator, "feature_names_in_"):
        try:
            import pandas as pd
        except ImportError:
            return queries
        return pd.DataFrame(queries, columns=estimator.feature_names_in_)
    fitted = getattr(estimator, "length_scale_", queries)
    return get_backend("auto", fitted).unload(queries)
