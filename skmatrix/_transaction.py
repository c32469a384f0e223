"""A fit that fails leaves the estimator as it was."""

from contextlib import contextmanager


@contextmanager
def all_or_nothing(estimator, private=()):
    """Put the fitted attributes back if what follows raises.

    Parameters
    ----------
    estimator : estimator
        Its public fitted attributes, those with a trailing underscore, are put back. What
        callbacks hang on it stays.
    private : tuple of str, default=()
        Names of private attributes that belong to the fitted ones.
    """
    before = _fitted(estimator, private)
    try:
        yield
    except BaseException:
        for name in _fitted(estimator, private):
            delattr(estimator, name)
        for name, value in before.items():
            setattr(estimator, name, value)
        raise


def _fitted(estimator, private):
    """Fitted attributes by name."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name in private or (name.endswith("_") and not name.startswith("_"))
    }
