"""Networks as estimators whose parameters can be searched, built when they are needed."""

from numbers import Integral, Real

from sklearn.base import BaseEstimator

from .._sklearn import Interval, StrOptions


class MLPBackbone(BaseEstimator):
    """Fully connected layers.

    Parameters
    ----------
    hidden : tuple of int, default=(256,)
        Widths of the hidden layers; empty for a linear map.
    activation : {"relu", "gelu", "silu", "tanh"}, default="relu"
        What follows a hidden layer.
    dropout : float, default=0.0
        Share of hidden units that a step leaves out.
    norm : {"none", "batch", "layer"}, default="none"
        Normalisation of hidden layers. "batch" helps where there are many classes, and needs two
        samples at least in a step.

    See Also
    --------
    CNNBackbone : Convolutions.
    TorchBackbone : Any module of torch.

    Examples
    --------
    >>> from skmatrix.neural_network import MLPBackbone
    >>> MLPBackbone(hidden=(512, 512), norm="batch")
    MLPBackbone(hidden=(512, 512), norm='batch')
    """

    _parameter_constraints: dict = {
        "hidden": ["array-like"],
        "activation": [StrOptions({"relu", "gelu", "silu", "tanh"})],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "norm": [StrOptions({"none", "batch", "layer"})],
    }

    def __init__(self, hidden=(256,), *, activation="relu", dropout=0.0, norm="none"):
        self.hidden = hidden
        self.activation = activation
        self.dropout = dropout
        self.norm = norm

    def build(self, input_shape, dim):
        """Make the network; its weights come from torch's present random state.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of a sample.
        dim : int
            Number of outputs.

        Returns
        -------
        module : torch.nn.Module
            The network.
        """
        self._validate_params()
        from ._backbones_torch import mlp

        return mlp(input_shape, dim, _sizes(self.hidden, "hidden"), self)


class CNNBackbone(BaseEstimator):
    """Convolutions and pooling, of images or of signals.

    Each stage is a convolution of width 3, batch normalisation, a rectifier and pooling by 2, which
    is left out where a side is shorter than 4; the mean over all places and a linear map follow.

    Parameters
    ----------
    channels : tuple of int, default=(32, 64, 128)
        Channels of each stage.
    dropout : float, default=0.0
        Share of channels that a step leaves out in front of the linear map.

    See Also
    --------
    MLPBackbone : Fully connected layers.
    TorchBackbone : Any module of torch.

    Examples
    --------
    >>> from skmatrix.neural_network import CNNBackbone
    >>> CNNBackbone(channels=(16, 32))
    CNNBackbone(channels=(16, 32))
    """

    _parameter_constraints: dict = {
        "channels": ["array-like"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(self, channels=(32, 64, 128), *, dropout=0.0):
        self.channels = channels
        self.dropout = dropout

    def build(self, input_shape, dim):
        """Make the network; its weights come from torch's present random state.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of a sample: channels, then one or two sides.
        dim : int
            Number of outputs.

        Returns
        -------
        module : torch.nn.Module
            The network.

        Raises
        ------
        ValueError
            If a sample is neither a signal nor an image with channels.
        """
        self._validate_params()
        if len(input_shape) not in (2, 3):
            raise ValueError(
                f"A CNN needs samples of shape (channels, height, width) or (channels, length), but"
                f" they have shape {input_shape}. Pass image_shape, or X with more dimensions."
            )
        from ._backbones_torch import cnn

        return cnn(input_shape, dim, _sizes(self.channels, "channels"), self.dropout)


class TorchBackbone(BaseEstimator):
    """Any module of torch.

    Where its outputs are not as many as needed, a linear layer is put behind it.

    Parameters
    ----------
    factory : callable
        Class of a module, or a function that makes one.
    params : dict, default=None
        Its keyword arguments, which ``set_params`` knows as ``params__<name>``.

    See Also
    --------
    MLPBackbone : Fully connected layers.
    CNNBackbone : Convolutions.

    Examples
    --------
    >>> from skmatrix.neural_network import TorchBackbone
    >>> backbone = TorchBackbone(dict, {"width": 3}).set_params(params__width=5)
    >>> backbone.params
    {'width': 5}
    """

    _parameter_constraints: dict = {"factory": [callable], "params": [dict, None]}

    def __init__(self, factory, params=None):
        self.factory = factory
        self.params = params

    def get_params(self, deep=True):
        """Parameters, with those of the factory if `deep`.

        Parameters
        ----------
        deep : bool, default=True
            Whether to list the arguments of the factory too.

        Returns
        -------
        params : dict
            Values by name.
        """
        found = super().get_params(deep=deep)
        if deep:
            found.update({f"params__{name}": value for name, value in (self.params or {}).items()})
        return found

    def set_params(self, **params):
        """Change parameters, or arguments of the factory by ``params__<name>``.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : TorchBackbone
            The backbone.
        """
        prefix = "params__"
        own = {name: value for name, value in params.items() if not name.startswith(prefix)}
        inner = {name.removeprefix(prefix): params[name] for name in params.keys() - own.keys()}
        super().set_params(**own)
        if inner:
            self.params = {**(self.params or {}), **inner}
        return self

    def build(self, input_shape, dim):
        """Make the module.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of a sample.
        dim : int
            Number of outputs.

        Returns
        -------
        module : torch.nn.Module
            The module.
        """
        self._validate_params()
        return self.factory(**(self.params or {}))


BY_NAME = {"mlp": MLPBackbone, "cnn": CNNBackbone}


def _sizes(sizes, name):
    """Sizes of layers as a tuple of positive integers."""
    sizes = tuple(sizes)
    if not all(isinstance(size, Integral) and int(size) > 0 for size in sizes):
        raise ValueError(f"{name}={sizes!r} must hold positive integers.")
    return tuple(map(int, sizes))
