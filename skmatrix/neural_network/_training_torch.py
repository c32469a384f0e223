"""The loop over epochs of every neural fit: schedule, early stopping, progress."""

from dataclasses import dataclass
from functools import partial
from math import cos, pi

import numpy as np
from skorch.helper import predefined_split

from .._iterate import Iterations

# A warm-up begins at this share of the learning rate, and has this many epochs.
_COLD = 0.01
_WARMUP = 5


@dataclass
class Plan:
    """How long to train, and how.

    Attributes
    ----------
    max_epochs : int
        Epochs at most.
    schedule : {None, "cosine", "warmup_cosine"}
        Course of the learning rate.
    patience : int
        Epochs in a row without a gain that end a fit with validation.
    tol : float
        What counts as a gain.
    """

    max_epochs: int
    schedule: str | None = None
    patience: int = 10
    tol: float = 0.0

    def rate(self, epoch):
        """Share of the learning rate in an epoch."""
        warmup = min(_WARMUP, self.max_epochs - 1) if self.schedule == "warmup_cosine" else 0
        if epoch < warmup:
            return _COLD + (1 - _COLD) * epoch / warmup
        if self.schedule is None:
            return 1.0
        return (1 + cos(pi * (epoch - warmup) / (self.max_epochs - warmup))) / 2


class BestEpoch:
    """The best weights so far, by the loss on samples kept apart."""

    def __init__(self, plan):
        self._plan = plan
        self._lowest = np.inf
        self._weights = None
        self._since = 0
        self.epoch = 0

    def is_over(self, loss, epoch, module):
        """Whether there was no gain for long enough."""
        self._since += 1
        if loss < self._lowest - self._plan.tol or self._weights is None:
            self._since = 0
        if loss < self._lowest:
            self._lowest, self.epoch = loss, epoch
            self._weights = {name: value.clone() for name, value in module.state_dict().items()}
        return self._since >= self._plan.patience

    def put_back(self, module):
        """Restore the best weights."""
        if self._weights is not None:
            module.load_state_dict(self._weights)


def train(estimator, net, training, validation, plan, *, X, y, sample_weight, done, state):
    """Train a net.

    Parameters
    ----------
    estimator : estimator with CallbackSupportMixin
        Whose fit it is.
    net : HeldNet
        The net; its criterion may have a method ``measured()``, which returns a dict of numbers
        for the history of an epoch.
    training : Samples
        What it is trained on.
    validation : Samples or None
        What the best epoch is chosen by.
    plan : Plan
        How long, and how.
    X, y, sample_weight : array-like
        Validated data, for callbacks; the last may be None.
    done : int
        Epochs that lie behind.
    state : callable
        Returns the fitted attributes by name, for callbacks, from the number of epochs so far and
        the best of them.

    Returns
    -------
    n_iter : int
        Epochs, those that lay behind included.
    best : int
        The epoch whose weights the net has now, counted from 1.
    """
    end = done + plan.max_epochs
    # How long it takes is the user's choice: it converges with its last epoch.
    rule = {"max_iter": end, "tol": np.inf, "done": done}
    loop = Iterations(estimator, X, y, sample_weight=sample_weight, **rule)
    best = BestEpoch(plan)
    rates = [group["lr"] for group in net.optimizer_.param_groups]
    before = np.inf
    net.asked_to_stop = False
    net.train_split = None if validation is None else predefined_split(validation)
    net.notify("on_train_begin", X=training, y=None)
    try:
        for epoch in loop:
            if plan.schedule is not None:
                share = plan.rate(epoch - done)
                for group, rate in zip(net.optimizer_.param_groups, rates, strict=True):
                    group["lr"] = share * rate
            # A callback may change it after the epoch.
            lr = net.optimizer_.param_groups[0]["lr"]
            net.fit_loop(training, epochs=1)
            net.history.record("lr", lr)
            for name, value in getattr(net.criterion_, "measured", dict)().items():
                net.history.record(name, value)
            loss = net.history[-1, "train_loss"]
            last = epoch + 1 == end or net.asked_to_stop
            held_out, is_over = None, False
            if validation is not None:
                held_out = net.history[-1, "valid_loss"]
                is_over = best.is_over(held_out, epoch + 1, net.module_)
            change = abs(before - loss) / max(abs(before), np.finfo(float).tiny)
            before = loss
            reached = epoch + 1, epoch + 1 if validation is None else best.epoch
            report = {"objective": loss, "validation": held_out, "state": partial(state, *reached)}
            loop.update(change if epoch > done else np.inf, allow_stop=last, **report)
            if is_over and not last:
                loop.stop("the loss on held-out samples no longer falls")
    finally:
        # The samples must not stay with the net.
        net.train_split = None
        if plan.schedule is not None:
            for group, rate in zip(net.optimizer_.param_groups, rates, strict=True):
                group["lr"] = rate
    net.notify("on_train_end", X=training, y=None)
    best.put_back(net.module_)
    return loop.n_iter, loop.n_iter if validation is None else best.epoch


def epochs_of(net):
    """The history of a net without its batches.

    Parameters
    ----------
    net : HeldNet
        The net.

    Returns
    -------
    history : list of dict
        Numbers of each epoch by name; "seconds" is its time.
    """
    names = {"dur": "seconds"}
    hidden = ("batches", "_batch_count", "_best")
    return [
        {names.get(name, name): value for name, value in row.items() if not name.endswith(hidden)}
        for row in net.history
    ]
