"""The outer loop of every iterative fit: stopping, history, progress, callbacks."""

import math
import os
import sys
import warnings
from numbers import Number
from types import FrameType

import sklearn
from sklearn.exceptions import ConvergenceWarning

# Whoever calls a fit is outside of these.
_LIBRARIES = tuple(os.path.join(os.path.dirname(f), "") for f in (__file__, sklearn.__file__))

# Beyond this many iterations, callbacks see one task per per cent of them: scikit-learn keeps
# every task until the end of the fit.
_TASK_LIMIT = 10_000
_TASKS = 100


def warn_caller(message, category):
    """Warn at the line that called into the library.

    The number of frames up to it depends on the method that was called and on what
    scikit-learn wraps around it.

    Parameters
    ----------
    message : str
        What is wrong, and what to do.
    category : type of Warning
        Class of the warning.
    """
    if sys.version_info >= (3, 12):
        warnings.warn(message, category, skip_file_prefixes=_LIBRARIES)
        return
    level = 2
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def warn_unfinished(estimator, max_iter, measure, value, tol):
    """Warn that `max_iter` ended a fit.

    Parameters
    ----------
    estimator : estimator
        The estimator being fitted.
    max_iter : int
        Iterations that were made.
    measure : str
        What would have had to fall below a tolerance.
    value : float
        Where it ended; left out of the message if it is not finite, or not what is too large.
    tol : float
        The tolerance.
    """
    is_reason = math.isfinite(value) and value > tol
    where = f" {measure} is {value:.6g}, above tol={tol:g}" if is_reason else ""
    warn_caller(
        f"{type(estimator).__name__} did not converge: after max_iter={max_iter}"
        f" iterations{where}. Increase max_iter, or accept a larger tol.",
        ConvergenceWarning,
    )


class Iterations:
    """Iterate until the change is small, a callback asks to stop, or `max_iter` is reached.

    Used as ``for i in loop: ...; loop.update(change, ...)``: the body calls ``update`` once
    and never leaves the loop by itself. scikit-learn's callbacks are told of the beginning
    and end of the fit and of each iteration.

    Parameters
    ----------
    estimator : estimator with CallbackSupportMixin
        The estimator being fitted; its ``verbose``, if there is one, asks for a printed
        line per iteration.
    X : array-like or sparse matrix
        Validated data, passed to the callbacks.
    y : array-like or None
        Validated target, passed to the callbacks.
    max_iter : int
        Largest number of iterations.
    tol : float
        The loop has converged when a change is at most `tol`.
    measure : str, default="change"
        What is compared with `tol`, in a word.
    sample_weight : float or array-like, default=None
        Weights of the rows, passed to the callbacks with X and y, so that they score as the fit
        weighs.
    done : int, default=0
        Iterations that lie behind and count towards `max_iter`.

    Attributes
    ----------
    n_iter : int
        Iterations begun so far, those that lay behind included.
    history : list of float
        The objective after each iteration that passed one to ``update``.
    converged : bool
        Whether a change reached `tol`, or ``stop`` was called.
    """

    def __init__(
        self, estimator, X, y=None, *, max_iter, tol, measure="change", sample_weight=None, done=0
    ):
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter = done
        self.history = []
        self.converged = False
        self._estimator = estimator
        self._data = _shown(estimator, X, y, sample_weight)
        self._measure = measure
        self._verbose = getattr(estimator, "verbose", 0)
        self._change = None
        self._state = None
        self._updated = False

    def __iter__(self):
        first, left = self.n_iter, self.max_iter - self.n_iter
        stride = 1 if left <= _TASK_LIMIT else left // _TASKS
        n_tasks = -(-left // stride)
        fit = self._estimator._init_callback_context(max_subtasks=n_tasks)
        fit.call_on_fit_task_begin(**self._data)
        stopped = False
        while self.n_iter < self.max_iter and not (self.converged or stopped):
            if (self.n_iter - first) % stride == 0:
                task = fit.subcontext(task_name="iteration")
                task.call_on_fit_task_begin(**self._data)
            self.n_iter += 1
            self._updated = False
            yield self.n_iter - 1
            if not self._updated:
                raise RuntimeError("the body of the loop must call update once per iteration")
            last = self.converged or self.n_iter == self.max_iter
            if (self.n_iter - first) % stride == 0 or last:
                stopped = task.call_on_fit_task_end(
                    **self._data, reconstruction_attributes=self._state
                )
        fit.call_on_fit_task_end(**self._data, reconstruction_attributes=self._state)
        if not (self.converged or stopped):
            self._warn()

    def update(self, change, *, objective=None, validation=None, state=None, allow_stop=True):
        """Report the end of an iteration.

        Parameters
        ----------
        change : float
            What is compared with `tol`: relative and free of the scale of the data.
        objective : float, default=None
            Value of the objective, kept in ``history``.
        validation : float, default=None
            Error on held-out data, for the printed line.
        state : callable, default=None
            Returns a dict of the fitted attributes as they would be if the fit ended here;
            called only if a callback asks for the estimator so far.
        allow_stop : bool, default=True
            False if a small change must not end the fit yet.
        """
        self._updated = True
        self._state = state
        self._change = float(change)
        if objective is not None:
            self.history.append(float(objective))
        if self._verbose:
            shown = [] if objective is None else [f"objective={self.history[-1]:.6g}"]
            # Of the first iteration there may be none.
            shown += [f"{self._measure}={self._change:.3g}"] if math.isfinite(self._change) else []
            shown += [] if validation is None else [f"validation={float(validation):.6g}"]
            self._print(", ".join(shown))
        if allow_stop and self._change <= self.tol:
            self.converged = True

    def stop(self, reason):
        """End the fit, as converged, with this iteration.

        Parameters
        ----------
        reason : str
            Printed when the estimator is verbose.
        """
        self.converged = True
        if self._verbose:
            self._print(f"stopped: {reason}")

    def _print(self, text):
        """Print a line about the present iteration."""
        name = type(self._estimator).__name__
        print(f"[{name}] iteration {self.n_iter}/{self.max_iter}: {text}")

    def _warn(self):
        """Warn that `max_iter` ended the fit."""
        warn_unfinished(
            self._estimator, self.max_iter, f"the {self._measure}", self._change, self.tol
        )


def _shown(estimator, X, y, sample_weight):
    """What callbacks are told of the data."""
    # The same weight for all is none.
    equal = sample_weight is None or isinstance(sample_weight, Number)
    metadata = None if equal else {"sample_weight": sample_weight}
    return {"estimator": estimator, "X": X, "y": y, "metadata": metadata}


def tasks(estimator, X, y, items, name, sample_weight=None):
    """Go through a known number of items, of each of which callbacks are told.

    Parameters
    ----------
    estimator : estimator with CallbackSupportMixin
        The estimator being fitted.
    X, y : array-like or None
        Validated data, passed to the callbacks.
    items : sequence
        What to go through, to the end unless a callback asks to stop.
    name : str
        What callbacks call an item.
    sample_weight : float or array-like, default=None
        Weights of the rows, passed to the callbacks.

    Yields
    ------
    item : object
        The items, one at least.
    """
    data = _shown(estimator, X, y, sample_weight)
    fit = estimator._init_callback_context(max_subtasks=len(items))
    fit.call_on_fit_task_begin(**data)
    for item in items:
        task = fit.subcontext(task_name=name)
        task.call_on_fit_task_begin(**data)
        yield item
        if task.call_on_fit_task_end(**data, reconstruction_attributes=None):
            break
    fit.call_on_fit_task_end(**data, reconstruction_attributes=None)
