"""The skorch net that a neural estimator holds."""

import copy
import inspect
from contextlib import contextmanager

import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer

from ._batches_torch import Batches

OPTIMIZERS = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


class HeldNet(NeuralNet):
    """A net for batches of samples with targets and weights, told what it needs in its constructor.

    It differs from skorch's in three points: losses are read back once an epoch, batches are slices
    of arrays, and a loss that is not finite ends the training. An estimator holds it; users may ask
    it for its history and hang callbacks on it.
    """

    # Whether a callback of skorch wants the training to end.
    asked_to_stop = False

    def get_default_callbacks(self):
        """A clock."""
        return [("epoch_timer", EpochTimer())]

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Loss of a batch with weights."""
        return self.criterion_(y_pred, *y_true)

    def _set_training(self, training=True):
        """Change the mode of network and loss, where it is another."""
        if self.module_.training != training or self.criterion_.training != training:
            super()._set_training(training)

    def notify(self, method_name, **cb_kwargs):
        """Tell callbacks; those of skorch stop a training by a KeyboardInterrupt after an epoch."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            if method_name != "on_epoch_end":
                raise
            self.asked_to_stop = True

    def get_iterator(self, dataset, training=False):
        """Batches where the network is; a pickle may have been loaded on another device."""
        iterator = super().get_iterator(dataset, training=training)
        iterator.device = self.device
        return iterator

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """One pass, after which the mean loss is in the history.

        Parameters
        ----------
        iterator : Batches or None
            The batches.
        training : bool
            Whether weights change.
        prefix : str
            "train" or "valid".
        step_fn : callable
            What is done with a batch.
        **fit_params : dict
            Passed on.

        Raises
        ------
        FloatingPointError
            If a loss is not finite.
        """
        if iterator is None:
            return
        losses, weights = [], []
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            losses.append(step["loss"].detach())
            weights.append(batch[1][1].sum())
            self.notify("on_batch_end", batch=batch, training=training, **step)
        # One read-back: each would make a GPU wait.
        loss, weight = torch.stack(losses), torch.stack(weights)
        bad = torch.nonzero(~torch.isfinite(loss)).flatten().tolist()
        if bad:
            raise FloatingPointError(
                f"The loss is not finite in epoch {len(self.history)}, batch {bad[0] + 1}."
            )
        name, mean = f"{prefix}_loss", float((loss * weight).sum() / weight.sum())
        earlier = [row[name] for row in self.history[:-1] if name in row]
        self.history.record(name, mean)
        # Callbacks of skorch look for it.
        self.history.record(f"{name}_best", mean < min(earlier, default=float("inf")))
        self.history.record(f"{prefix}_batch_count", len(losses))


def held_net(module, criterion, *, optimizer, lr, batch_size, rng, device, callbacks, options):
    """A net that is ready to train.

    Parameters
    ----------
    module, criterion : torch.nn.Module
        Network and loss; the loss is called with outputs, targets and weights.
    optimizer : str or class
        One of `OPTIMIZERS`, or a class of torch.
    lr : float
        Learning rate.
    batch_size : int
        Samples of a batch.
    rng : RandomState
        Source of the order of samples.
    device : str
        Where it trains.
    callbacks : list or None
        Callbacks of skorch.
    options : dict
        Further arguments of the optimiser.

    Returns
    -------
    net : HeldNet
        The net, initialised.
    """
    for one in callbacks or ():
        if not hasattr(one[-1] if isinstance(one, tuple) and one else one, "on_epoch_end"):
            raise TypeError(f"callbacks must be those of skorch. Got {one!r}.")
    if optimizer in OPTIMIZERS:
        # One call for all weights: small networks spend their time on calls.
        options = {**options, "fused": True}
    else:
        known = inspect.signature(optimizer).parameters
        options = {name: value for name, value in options.items() if name in known}
    net = HeldNet(
        module,
        criterion,
        optimizer=OPTIMIZERS.get(optimizer, optimizer),
        lr=lr,
        batch_size=batch_size,
        iterator_train=Batches,
        iterator_train__rng=rng,
        iterator_valid=Batches,
        callbacks=copy.deepcopy(callbacks),
        train_split=None,
        device=device,
        verbose=0,
        **{f"optimizer__{name}": value for name, value in options.items()},
    )
    net.initialize()
    # Both live on as `module_` and `criterion_`: another reference would be pickled a second time.
    net.module, net.criterion = type(module), type(criterion)
    return net


@contextmanager
def put_back_on_error(net):
    """Put the state of a net back if what follows raises.

    Parameters
    ----------
    net : HeldNet
        The net.
    """
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    optimizer = copy.deepcopy(net.optimizer_.state_dict())
    random_state = net.iterator_train__rng.get_state()
    criterion, n_epochs = net.criterion_, len(net.history)
    try:
        yield
    except BaseException:
        net.module_.load_state_dict(before)
        net.optimizer_.load_state_dict(optimizer)
        net.iterator_train__rng.set_state(random_state)
        net.criterion_ = criterion
        # What was measured in an epoch that did not end.
        getattr(criterion, "measured", dict)()
        del net.history[n_epochs:]
        raise
