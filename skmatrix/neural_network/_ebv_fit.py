"""How an :class:`EBVClassifier` begins, trains, and looks at samples."""

from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
from sklearn.utils import check_random_state

from ..distributed._neural_rows import BlockRows
from ._ebv_bounds import coherence_bounds
from ._ebv_classes import new_table
from ._ebv_classifier_parameters import chosen_basis, chosen_chunk, class_factors
from ._held_out import held_out_rows, scaled, weighted_scaling
from ._torch_support import chosen_device, seeded

_SEEDS = 2**31 - 1

# Vectors as they were last laid out for a table of classes, and how. Not in the table or the
# estimator, which are copied and stored.
_LAID_OUT: WeakKeyDictionary = WeakKeyDictionary()


def begin(estimator, X, y, weight, classes):
    """Scaling, classes and vectors, and an untrained net.

    Parameters
    ----------
    estimator : EBVClassifier
        Gets the fitted attributes.
    X, y, weight : arrays
        Samples of positive weight.
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    """
    from ._backbones_torch import built
    from ._ebv_net_torch import EBVLoss, Embedding, torch_dtype
    from ._net_torch import held_net

    if classes.size < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs samples of at least 2 classes; got 1 class"
            f" ({classes[:1].tolist()[0]!r}). A first partial_fit gets others by its classes."
        )
    device = chosen_device(estimator.device)
    # A seed and not the generator itself: what is drawn later must not depend on who else draws.
    seed = check_random_state(estimator.random_state).randint(_SEEDS)
    rng = np.random.RandomState(seed)
    dim, basis = chosen_basis(estimator, classes.size)
    set_table(
        estimator,
        new_table(classes, dim, basis, alpha=estimator.alpha, backend=_engine(device), rng=rng),
    )
    estimator.mean_, estimator.scale_ = None, None
    if estimator.standardize and X.ndim == 2:
        scaling = X.scaling(weight) if isinstance(X, BlockRows) else weighted_scaling(X, weight)
        estimator.mean_, estimator.scale_ = scaling
    with seeded(rng.randint(_SEEDS), device):
        module = built(
            estimator.backbone, estimator.input_shape_, dim, torch_dtype(estimator.dtype)
        )
    options = {"weight_decay": estimator.weight_decay}
    if estimator.optimizer == "sgd":
        options["momentum"] = estimator.momentum
    estimator.net_ = held_net(
        Embedding(module),
        EBVLoss(estimator.loss, estimator.temperature, estimator.label_smoothing),
        optimizer=estimator.optimizer,
        lr=estimator.lr,
        batch_size=estimator.batch_size if estimator.batch_size > 0 else _SEEDS,
        rng=rng,
        device=device,
        callbacks=estimator.callbacks,
        options=options,
    )
    estimator.n_iter_ = 0
    # Of vectors that are no longer there.
    vars(estimator).pop("enrolled_coherence_", None)


def renew(estimator):
    """Take over what may change between two fits of which the second goes on with the first.

    Parameters
    ----------
    estimator : EBVClassifier
        Fitted; network, vectors, kind of optimiser and precision stay what they are.
    """
    from ._ebv_net_torch import EBVLoss

    net = estimator.net_
    net.criterion_ = EBVLoss(estimator.loss, estimator.temperature, estimator.label_smoothing)
    options = {"lr": "lr", "weight_decay": "weight_decay", "momentum": "momentum"}
    for group in net.optimizer_.param_groups:
        group |= {name: getattr(estimator, own) for name, own in options.items() if name in group}


def proceed(estimator, X, y, weight, plan, validate):
    """Train for some epochs.

    Parameters
    ----------
    estimator : EBVClassifier
        With all that :func:`begin` sets.
    X, y, weight : arrays
        Samples of positive weight, of known classes.
    plan : Plan
        How long.
    validate : bool
        Whether samples are kept apart.
    """
    from ._training_torch import epochs_of, train

    net, table = estimator.net_, estimator._table
    rng = net.iterator_train__rng
    codes = table.codes(y)
    mass = weight * class_factors(estimator.class_weight, y, weight)
    # Their size does not matter, and single precision has less room.
    mass = mass / mass.max()
    rows = [np.arange(len(y))]
    if validate:
        rows = held_out_rows(codes, estimator.validation_fraction, rng)
    position = table.positions[codes]
    parts = [samples_of(estimator, X[r] if validate else X, position[r], mass[r]) for r in rows]
    if validate and isinstance(X, BlockRows):
        # They are looked at in each epoch, besides the blocks that are trained on.
        parts[1] = parts[1].held()
    net.criterion_.targets = targets_of(estimator)
    try:
        with seeded(rng.randint(_SEEDS), net.device):
            estimator.n_iter_, estimator.best_epoch_ = train(
                estimator,
                net,
                parts[0],
                parts[1] if validate else None,
                plan,
                X=X.kept if isinstance(X, BlockRows) else X,
                y=y,
                sample_weight=weight if np.ptp(weight) > 0 else None,
                done=estimator.n_iter_,
                state=partial(fitted_state, estimator),
            )
    except FloatingPointError as error:
        raise FloatingPointError(
            f"{error} Lower lr={estimator.lr:g} or weight_decay={estimator.weight_decay:g}, or"
            f" raise temperature={estimator.temperature:g}."
        ) from error
    finally:
        # Vectors are kept once, with the classes.
        net.criterion_.targets = None
    estimator.history_ = epochs_of(net)


def set_table(estimator, table):
    """Attributes of the classes and their vectors."""
    made = table.made
    n_vectors, dim = len(table.targets), made.basis.dim
    estimator._table = table
    estimator.classes_ = table.classes
    estimator.basis_ = made.basis
    estimator.basis_index_ = table.basis_index
    estimator.dim_ = dim
    estimator.alpha_ = made.alpha
    estimator.coherence_ = made.coherence
    estimator.coherence_bound_ = coherence_bounds(n_vectors, dim)["best"]


def precision_of(estimator):
    """Name of the precision that the network has, whatever `dtype` has been set to since."""
    for weights in estimator.net_.module_.parameters():
        if weights.is_floating_point():
            return str(weights.dtype).removeprefix("torch.")
    return estimator.dtype


def samples_of(estimator, X, position=None, weight=None):
    """Samples as the net takes them."""
    from ._batches_torch import Samples
    from ._ebv_net_torch import torch_dtype

    as_net = {"shape": estimator.input_shape_, "dtype": torch_dtype(precision_of(estimator))}
    if isinstance(X, BlockRows):
        scaling = estimator.mean_, estimator.scale_
        return X.samples(position, weight, scaling, precision_of(estimator), as_net)
    if estimator.scale_ is not None:
        X = scaled(X, estimator.mean_, estimator.scale_)
    return Samples(X, position, weight, **as_net)


def targets_of(estimator):
    """The vectors of the classes where the net is."""
    from ._ebv_net_torch import torch_dtype
    from ._ebv_targets_torch import TorchTargets

    table = estimator._table
    size = estimator.batch_size if estimator.batch_size > 0 else 1024
    chunk = chosen_chunk(estimator.class_chunk, size)
    form = chunk, torch_dtype(precision_of(estimator)), estimator.net_.device
    known, targets = _LAID_OUT.get(table, (None, None))
    if known != form:
        targets = TorchTargets(table.targets, *form, table.positions)
        _LAID_OUT[table] = form, targets
    return targets


def fitted_state(estimator, n_iter, best):
    """Fitted attributes by name as they are after an epoch, for callbacks."""
    from ._training_torch import epochs_of

    state = {
        name: value
        for name, value in vars(estimator).items()
        if name == "_table" or (name.endswith("_") and not name.startswith("_"))
    }
    found = {"n_iter_": n_iter, "best_epoch_": best, "history_": epochs_of(estimator.net_)}
    return state | found


def _engine(device):
    """Engine of the search for vectors."""
    return "torch" if device.startswith("cuda") else "numpy"


def embeddings(estimator, X):
    """Unit vectors of validated samples."""
    from ._ebv_net_torch import scored

    return scored(estimator.net_, samples_of(estimator, X), lambda z: (z,))[0]


def scores(estimator, X, score, **arguments):
    """Compare embeddings of samples with the vectors of the classes.

    Parameters
    ----------
    estimator : EBVClassifier
        Fitted.
    X : array
        Validated samples.
    score : callable
        ``score(z, targets, **arguments)``, which returns a tuple of tensors with a row for each
        sample.
    **arguments : dict
        Further arguments of it.

    Returns
    -------
    results : tuple of ndarray
        The results of all samples.
    """
    from ._ebv_net_torch import scored

    whole = partial(score, targets=targets_of(estimator), **arguments)
    return scored(estimator.net_, samples_of(estimator, X), whole)
