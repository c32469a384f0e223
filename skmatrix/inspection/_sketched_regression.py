"""Diagnostic plots of a sketched regression."""

import math
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._backend import to_numpy
from ._panels import load_pyplot, set_title

_KINDS = ("coef", "spectrum", "convergence", "leverage")
# Coefficients that are shown unless others are asked for.
_SHOWN = 20
# Points of a curve of sorted rows, however many rows there are.
_POINTS = 2000
# Height of a coefficient in inches, and that of the rest of the figure.
_LINE, _MARGIN = 0.24, 1.9


class SketchedRegressionDisplay:
    """Coefficients with their sketching error, and how well the sketch has worked.

    Make one with :meth:`from_estimator` or :meth:`from_sketch_sizes`; the constructor takes what
    they compute.

    Parameters
    ----------
    kind : {"coef", "spectrum", "convergence", "leverage", "sketch_sizes"}
        What is shown.
    data : dict
        What is drawn: for "coef" ``names``, ``coef``, ``interval``, ``reference``, ``level``
        and ``scaled``; for "spectrum" ``singular_values`` and ``distortion``; for "convergence"
        ``history``, ``rate``, ``tol`` and ``refine``; for "leverage" ``leverage`` and ``mean``;
        for "sketch_sizes" ``sketch_sizes``, ``errors``, ``bounds``, ``guarantee`` and ``delta``.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib artists
        Curves, points and bars, in the order of the legend.

    See Also
    --------
    skmatrix.linear_model.SketchedRegression : The estimator.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skmatrix.datasets import make_tall_regression
    >>> from skmatrix.inspection import SketchedRegressionDisplay
    >>> from skmatrix.linear_model import SketchedRegression
    >>> X, y, coef = make_tall_regression(20_000, 10, residual_norm=100.0, random_state=0)
    >>> quick = SketchedRegression(solver="sketch", random_state=0).fit(X, y)
    >>> display = SketchedRegressionDisplay.from_estimator(quick, reference=coef)
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
        kind="coef",
        features=None,
        feature_names=None,
        reference=None,
        scale=None,
        target=0,
        level=0.95,
        simultaneous=False,
        ax=None,
        name=None,
        line_kwargs=None,
        reference_kwargs=None,
    ):
        """Plot a fitted regression.

        Parameters
        ----------
        estimator : SketchedRegression
            The fitted estimator.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows whose leverage is shown; for "leverage" only.
        kind : {"coef", "spectrum", "convergence", "leverage"}, default="coef"
            What to show: "coef", the coefficients, with their intervals if the answer is a sketched
            one; "spectrum", the singular values of the preconditioned rows, of a fit by
            ``solver="direct"`` with ``certify=True``; "convergence", the gradient after each step
            of ``solver="iterative"``; "leverage", how unequally the rows carry the fit.
        features : int, list of str or int, or None, default=None
            Coefficients to show: so many of the largest, or those of the given names or positions
            in that order. None shows the 20 largest, which are too large more often than too
            small where the intervals are wide.
        feature_names : list of str, default=None
            Names of all features; None takes ``feature_names_in_``, or else x0, x1, ...
        reference : estimator or array-like of the shape of `coef_`, default=None
            Coefficients to compare with, such as those of an exact fit.
        scale : array-like of shape (n_features,), default=None
            Factors of the coefficients. With the standard deviations of the features, what is
            shown is the change of the prediction when a feature changes by one of them.
        target : int, default=0
            Position of the target whose coefficients are shown, if there are several.
        level : float, default=0.95
            Probability that an interval holds.
        simultaneous : bool, default=False
            Whether `level` is for the intervals of all features together. Errors of features that
            are almost collinear go together, so that single intervals fail many at a time.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.
        line_kwargs : dict, default=None
            Keywords of the main curve, or of the points.
        reference_kwargs : dict, default=None
            Keywords of what it is compared with: the reference, or what theory expects.

        Returns
        -------
        display : SketchedRegressionDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `kind` is unknown, the estimator was not fitted in a way that gives what it
            shows, or an argument does not fit the estimator.
        """
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, _KINDS))}. Got {kind!r}.")
        check_is_fitted(estimator)
        if kind == "coef":
            chosen = _coefficients(estimator, target, scale, reference, level, simultaneous)
            data = _shown(chosen, features, _names(estimator, feature_names))
        elif kind == "leverage":
            data = _leverage(estimator, X)
        else:
            data = {"spectrum": _spectrum, "convergence": _convergence}[kind](estimator)
        name = type(estimator).__name__ if name is None else name
        display = cls(kind=kind, data=data, estimator_name=name)
        return display.plot(ax, line_kwargs=line_kwargs, reference_kwargs=reference_kwargs)

    @classmethod
    def from_sketch_sizes(
        cls,
        estimator,
        X,
        y,
        sketch_sizes,
        *,
        sample_weight=None,
        n_repeats=5,
        target=0,
        ax=None,
        name=None,
        line_kwargs=None,
        reference_kwargs=None,
    ):
        """Plot the largest error of a coefficient against the number of rows of the sketch.

        Parameters
        ----------
        estimator : SketchedRegression
            Its parameters; it is not changed. It is fitted once exactly, and `n_repeats` times for
            each size with ``solver="sketch"``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sketch_sizes : list
            Values of ``sketch_size``, rising.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        n_repeats : int, default=5
            Sketches of each size.
        target : int, default=0
            Position of the target that is shown, if there are several.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator and of the sketch.
        line_kwargs : dict, default=None
            Keywords of the curve of median errors.
        reference_kwargs : dict, default=None
            Keywords of the curve of the guarantee.

        Returns
        -------
        display : SketchedRegressionDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If a sketch is not shorter than X.

        Notes
        -----
        The guarantee is ``eps / sqrt(n_features)`` times the norm of the residual and of the
        pseudoinverse of X without its column means, with the `eps` for which ``sketch_size="auto"``
        takes so many rows. It is left out for a fit with a penalty, which it does not cover. The
        other bound is ``linf_error_bound_``, which the sketch finds out itself.
        """
        settings = {"sketch": "auto", "sketch_size": "auto", "certify": False}
        exact = clone(estimator).set_params(solver="auto", **settings)
        exact.fit(X, y, sample_weight)
        rng = check_random_state(estimator.random_state)
        fits = [
            [_sketched(estimator, X, y, sample_weight, size, rng) for _ in range(n_repeats)]
            for size in sketch_sizes
        ]
        truth = _of_target(exact.coef_, target)
        rows = np.array([repeats[0].sketch_size_ for repeats in fits])
        data = {
            "sketch_sizes": rows,
            "errors": np.array(
                [[np.abs(_of_target(f.coef_, target) - truth).max() for f in r] for r in fits]
            ),
            "bounds": np.array(
                [np.mean([_number_of(f.linf_error_bound_, target) for f in r]) for r in fits]
            ),
            "guarantee": _guarantee(exact, rows, target),
            "delta": estimator.delta,
        }
        if name is None:
            name = f"{type(estimator).__name__}, sketch={fits[0][0].sketch_!r}"
        display = cls(kind="sketch_sizes", data=data, estimator_name=name)
        return display.plot(ax, line_kwargs=line_kwargs, reference_kwargs=reference_kwargs)

    def plot(self, ax=None, *, name=None, line_kwargs=None, reference_kwargs=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.
        line_kwargs : dict, default=None
            Keywords of the main curve, or of the points.
        reference_kwargs : dict, default=None
            Keywords of what it is compared with.

        Returns
        -------
        display : SketchedRegressionDisplay
            The display itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        plt = load_pyplot(type(self).__name__)
        if ax is None:
            width, height = plt.rcParams["figure.figsize"]
            if self.kind == "coef":
                height = max(height, _LINE * len(self.data["names"]) + _MARGIN)
            _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        getattr(self, f"_plot_{self.kind}")(ax, line_kwargs or {}, reference_kwargs or {})
        set_title([ax], self.estimator_name if name is None else name)
        return self

    def _plot_coef(self, ax, keywords, reference_keywords):
        """Coefficients from top to bottom, each with its interval."""
        coef, interval, reference = (self.data[k] for k in ("coef", "interval", "reference"))
        places = np.arange(coef.size)
        ax.axvline(0, color="0.8", lw=1, zorder=0)
        if interval is not None:
            label = f"{100 * self.data['level']:g} % interval"
            self.lines_.append(ax.hlines(places, *interval, color="C0", lw=2, label=label))
        style = {"color": "C0", "marker": "o", "ms": 5, "ls": "", "label": "Coefficient"}
        self.lines_ += ax.plot(coef, places, **{**style, **keywords})
        if reference is not None:
            label = "Reference"
            if interval is not None:
                inside = np.sum((interval[0] <= reference) & (reference <= interval[1]))
                label = f"Reference, {inside} of {coef.size} inside"
            mark = {"color": "C1", "marker": "|", "ms": 11, "mew": 2, "ls": "", "label": label}
            self.lines_ += ax.plot(reference, places, **{**mark, **reference_keywords})
        ax.set_yticks(places, self.data["names"])
        ax.set_ylim(coef.size - 0.4, -0.6)
        ax.set_xlabel("Coefficient times scale" if self.data["scaled"] else "Coefficient")
        # Below the label of the axis: inside there is no place that is free for sure.
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=4)

    def _plot_spectrum(self, ax, keywords, reference_keywords):
        """Histogram of the singular values, the band and the density that theory expects."""
        values, distortion = self.data["singular_values"], self.data["distortion"]
        low, high = 1 / (1 + distortion), 1 / (1 - distortion)
        inside = np.sum((low <= values) & (values <= high))
        band = ax.axvspan(low, high, color="0.9", zorder=0)
        band.set_label(f"Expected range, holds {inside} of {values.size}")
        density, edges = np.histogram(values, bins="auto", density=True)
        style = {"color": "C0", "alpha": 0.7, "label": "Singular values"}
        bars = ax.stairs(density, edges, fill=True, **{**style, **keywords})
        style = {"color": "C1", "lw": 2, "label": "Expected density"}
        grid = np.linspace(low, high, 400)
        curve = ax.plot(
            grid, _expected_density(grid, distortion), **{**style, **reference_keywords}
        )
        self.lines_ += [bars, *curve, band]
        ax.set(xlabel="Singular value of the preconditioned rows", ylabel="Density")
        ax.legend(handles=self.lines_)

    def _plot_convergence(self, ax, keywords, reference_keywords):
        """Gradient by step, the rate that the sketch promises, and the goal."""
        history, rate = self.data["history"], self.data["rate"]
        steps = np.arange(1, history.size + 1)
        style = {"color": "C0", "marker": "o", "ms": 4, "label": "Gradient"}
        self.lines_ += ax.plot(steps, history, **{**style, **keywords})
        style = {"color": "C1", "ls": "--", "label": f"A factor {rate:.2g} per step"}
        self.lines_ += ax.plot(steps, rate**steps, **{**style, **reference_keywords})
        label = f"tol = {self.data['tol']:g}"
        if self.data["refine"]:
            label += ", then refinement"
        self.lines_.append(ax.axhline(self.data["tol"], color="0.5", ls=":", label=label))
        bottom = min(history[history > 0].min(initial=1.0), self.data["tol"] or 1.0)
        ax.set(
            xlabel="Step",
            ylabel="Gradient, share of the first one",
            yscale="log",
            ylim=(bottom / 10, 3),
        )
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(handles=self.lines_)

    def _plot_leverage(self, ax, keywords, reference_keywords):
        """Leverage scores from the largest to the smallest."""
        leverage, mean = np.sort(self.data["leverage"])[::-1], self.data["mean"]
        places = np.unique(np.geomspace(1, leverage.size, _POINTS).round().astype(int))
        style = {"color": "C0", "lw": 2, "label": "Leverage"}
        self.lines_ += ax.plot(places, leverage[places - 1], **{**style, **keywords})
        style = {"color": "C1", "ls": "--", "label": f"Parameters over rows: {mean:.2g}"}
        self.lines_.append(ax.axhline(mean, **{**style, **reference_keywords}))
        ax.set(
            xlabel="Rows, the largest leverage first",
            ylabel="Leverage",
            xscale="log",
            yscale="log" if leverage[-1] > 0 else "linear",
        )
        ax.legend()

    def _plot_sketch_sizes(self, ax, keywords, reference_keywords):
        """Errors of all sketches and their median, below two bounds."""
        rows, errors = self.data["sketch_sizes"], self.data["errors"]
        sure = f"{100 * (1 - self.data['delta']):g} %"
        if self.data["guarantee"] is not None:
            style = {"color": "0.4", "ls": ":", "lw": 2, "label": f"Guarantee, {sure}"}
            self.lines_ += ax.plot(rows, self.data["guarantee"], **{**style, **reference_keywords})
        style = {"color": "C1", "ls": "--", "lw": 2, "label": f"Bound of the sketch, {sure}"}
        self.lines_ += ax.plot(rows, self.data["bounds"], **style)
        style = {"color": "C0", "marker": "o", "label": "Median error"}
        (median,) = ax.plot(rows, np.median(errors, axis=1), **{**style, **keywords})
        self.lines_.append(median)
        style = {"color": median.get_color(), "marker": ".", "ls": "", "alpha": 0.4}
        repeated = np.repeat(rows, errors.shape[1])
        self.lines_ += ax.plot(repeated, errors.ravel(), label="Error of a sketch", **style)
        ax.set(
            xlabel="Rows of the sketch",
            ylabel="Largest error of a coefficient",
            xscale="log",
            yscale="log",
        )
        ax.legend()


def _of_target(values, target):
    """Coefficients of one target, or what has their shape."""
    values = to_numpy(values)
    if values.ndim == 1:
        values = values[None, :]
    if not (isinstance(target, Integral) and target in range(values.shape[0])):
        raise ValueError(
            f"target={target!r} must be the position of one of the {values.shape[0]} targets."
        )
    return values[target].astype(np.float64)


def _number_of(values, target):
    """Number of one target, where it may be the only one."""
    return float(np.ravel(to_numpy(values))[target])


def _names(estimator, feature_names):
    """Names of the features."""
    n_features = estimator.n_features_in_
    if feature_names is None:
        default = [f"x{j}" for j in range(n_features)]
        return list(getattr(estimator, "feature_names_in_", default))
    if len(feature_names) != n_features:
        raise ValueError(
            f"feature_names has {len(feature_names)} entries, but the estimator has {n_features}"
            " features."
        )
    return list(feature_names)


def _coefficients(estimator, target, scale, reference, level, simultaneous):
    """Coefficients of one target with intervals and reference, all of them scaled."""
    coef = _of_target(estimator.coef_, target)
    interval = None
    if estimator.coef_sketch_std_ is not None:
        bounds = estimator.coef_interval(level, simultaneous=simultaneous)
        interval = np.stack([_of_target(bound, target) for bound in bounds])
    if reference is not None:
        values = np.asarray(to_numpy(getattr(reference, "coef_", reference)))
        if values.shape != tuple(estimator.coef_.shape):
            raise ValueError(
                f"reference has shape {values.shape}, but coef_ has shape"
                f" {tuple(estimator.coef_.shape)}."
            )
        reference = _of_target(values, target)
    found = {"coef": coef, "interval": interval, "reference": reference}
    if scale is not None:
        scale = np.asarray(to_numpy(scale), dtype=np.float64)
        if scale.shape != coef.shape or not np.all(scale >= 0):
            raise ValueError(
                f"scale must be {coef.size} numbers that are not negative, one per feature. Got"
                f" an array of shape {scale.shape}."
            )
        found = {key: None if value is None else value * scale for key, value in found.items()}
    return found | {"level": level, "scaled": scale is not None}


def _shown(found, features, names):
    """What is found, for the coefficients that were chosen."""
    n_features = len(names)
    if features is None or isinstance(features, Integral):
        n_shown = _SHOWN if features is None else features
        if n_shown < 1:
            raise ValueError(f"features must be at least 1. Got {features!r}.")
        chosen = np.argsort(-np.abs(found["coef"]), kind="stable")[:n_shown].tolist()
    else:
        chosen = [names.index(f) if f in names else f for f in features]
        for f in chosen:
            if not (isinstance(f, Integral) and f in range(n_features)):
                raise ValueError(
                    f"features has {f!r}, which is neither the name of a feature nor a position"
                    f" below {n_features}."
                )
    selected = {
        key: None if found[key] is None else found[key][..., chosen]
        for key in ("coef", "interval", "reference")
    }
    return found | selected | {"names": [str(names[j]) for j in chosen]}


def _spectrum(estimator):
    """Singular values of the preconditioned rows."""
    values = estimator.preconditioned_singular_values_
    if values is None:
        raise ValueError(
            "kind='spectrum' needs preconditioned_singular_values_: fit with solver=\"direct\" and"
            f" certify=True. This fit has solver_={estimator.solver_!r} and"
            f" certify={estimator.certify}."
        )
    return {
        "singular_values": values,
        "distortion": math.sqrt(values.size / estimator.sketch_size_),
    }


def _convergence(estimator):
    """Gradient after each step, and what is expected of it."""
    if not len(estimator.gradient_history_):
        raise ValueError(
            "kind='convergence' needs the steps of conjugate gradients: fit with"
            f' solver="iterative". This fit has solver_={estimator.solver_!r}.'
        )
    return {
        "history": estimator.gradient_history_,
        "rate": estimator.effective_distortion_,
        "tol": estimator.tol,
        "refine": estimator.refine,
    }


def _leverage(estimator, X):
    """Leverage of rows, and its mean over the rows of the fit."""
    if X is None:
        raise ValueError("kind='leverage' needs X, the rows whose leverage is shown.")
    n_parameters = estimator.rank_ + int(estimator.fit_intercept)
    return {
        "leverage": to_numpy(estimator.leverage_scores(X)),
        "mean": n_parameters / estimator.n_samples_seen_,
    }


def _sketched(estimator, X, y, sample_weight, sketch_size, rng):
    """A sketched fit with a seed of its own."""
    model = clone(estimator).set_params(
        solver="sketch", sketch_size=sketch_size, random_state=int(rng.randint(2**31 - 1))
    )
    model.fit(X, y, sample_weight)
    if model.coef_sketch_std_ is None:
        raise ValueError(
            f"sketch_sizes has {sketch_size!r}, which is no fewer rows than the"
            f" {model.n_samples_seen_} of X."
        )
    return model


def _guarantee(exact, rows, target):
    """``eps / sqrt(n_features) |residual| |pseudoinverse|``, with the eps of each size."""
    if np.any(np.asarray(exact.alpha) > 0):
        return None
    layout = exact._origin.layout
    pseudoinverse = np.linalg.norm(exact._kept.whitener[layout.penalised], 2)
    d = layout.n_features
    spare = rows - layout.n_parameters - 1.0
    with np.errstate(divide="ignore"):  # one row more than parameters gives no guarantee
        eps = np.sqrt(2 * d * math.log(2 * d / exact.delta) / spare)
    return eps / math.sqrt(d) * _number_of(exact.residual_norm_, target) * pseudoinverse


def _expected_density(values, distortion):
    """Density of the singular values for a Gaussian sketch: the law of Marchenko and Pastur.

    It is that of the squares of the singular values of the sketch, of which these are the
    reciprocals.
    """
    squares = values**-2.0
    room = ((1 + distortion) ** 2 - squares) * (squares - (1 - distortion) ** 2)
    return np.sqrt(np.maximum(room, 0)) / (np.pi * distortion**2 * values)
