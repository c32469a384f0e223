"""Lists of the public estimators, displays and functions of the package."""

import inspect
import pkgutil
from importlib import import_module

from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClusterMixin,
    DensityMixin,
    RegressorMixin,
    TransformerMixin,
)

__all__ = ["all_displays", "all_estimators", "all_functions"]

_KINDS = {
    "classifier": ClassifierMixin,
    "regressor": RegressorMixin,
    "transformer": TransformerMixin,
    "cluster": ClusterMixin,
    "density": DensityMixin,
}


def all_estimators(type_filter=None):
    """List the public estimators.

    Parameters
    ----------
    type_filter : {"classifier", "regressor", "transformer", "cluster", "density"} or \
            list of such str, default=None
        Kinds of estimators to list. An estimator of any of these kinds is listed; None
        lists all.

    Returns
    -------
    estimators : list of tuple
        Pairs of name and class, sorted by name.

    See Also
    --------
    all_displays : List the public displays.
    all_functions : List the public functions.

    Examples
    --------
    >>> from skmatrix.utils.discovery import all_estimators
    >>> isinstance(all_estimators(type_filter="transformer"), list)
    True
    """
    kinds = [type_filter] if isinstance(type_filter, str) else type_filter
    unknown = [kind for kind in kinds or () if kind not in _KINDS]
    if unknown:
        raise ValueError(
            f"type_filter={type_filter!r} must be None or among {sorted(_KINDS)}, alone or in a"
            " list."
        )
    mixins = BaseEstimator if kinds is None else tuple(_KINDS[kind] for kind in kinds)

    def is_listed(item):
        return (
            inspect.isclass(item)
            and issubclass(item, BaseEstimator)
            and issubclass(item, mixins)
            and not inspect.isabstract(item)
            # Without fit it is part of an estimator, such as a network before it is built.
            and hasattr(item, "fit")
        )

    return _public_members(is_listed)


def all_displays():
    """List the public display classes.

    Returns
    -------
    displays : list of tuple
        Pairs of name and class, sorted by name.

    See Also
    --------
    all_estimators : List the public estimators.
    all_functions : List the public functions.

    Examples
    --------
    >>> from skmatrix.utils.discovery import all_displays
    >>> all(name.endswith("Display") for name, _ in all_displays())
    True
    """
    return _public_members(lambda item: inspect.isclass(item) and item.__name__.endswith("Display"))


def all_functions():
    """List the public functions.

    Returns
    -------
    functions : list of tuple
        Pairs of name and function, sorted by name.

    See Also
    --------
    all_estimators : List the public estimators.
    all_displays : List the public displays.

    Examples
    --------
    >>> from skmatrix.utils.discovery import all_functions
    >>> "all_functions" in dict(all_functions())
    True
    """
    return _public_members(inspect.isfunction)


def _public_members(is_listed):
    """Pairs of name and object, sorted by name, of what is listed in an ``__all__``."""
    found = {}
    for module in _public_modules():
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            if is_listed(item):
                found[name] = item
    return sorted(found.items())


def _public_modules():
    """The package's public modules, imported."""
    package = import_module("skmatrix")
    for module in pkgutil.walk_packages(package.__path__, prefix="skmatrix."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield import_module(module.name)
