"""Ctrl-C at a chosen place of a call."""

import sys
from contextlib import contextmanager
from pathlib import Path

import skmatrix

_PACKAGE = str(Path(skmatrix.__file__).parent)
# What puts an estimator back is not interrupted: a second Ctrl-C in its few microseconds is beyond
# what Python can guard against.
_GUARD = str(Path(_PACKAGE, "_transaction.py"))


@contextmanager
def interrupted(at=None):
    """Count the calls of the package's functions, and raise KeyboardInterrupt in one of them.

    Parameters
    ----------
    at : int or None
        Which call raises; None counts alone.

    Yields
    ------
    count : list of int
        The number of calls so far.
    """
    count = [0]

    def watch(frame, event, argument):
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(_PACKAGE) or file == _GUARD:
            return
        # scikit-learn asks for an attribute once the fit is done, as anybody may.
        if frame.f_code.co_name == "__getattr__":
            return
        count[0] += 1
        if count[0] == at:
            sys.setprofile(None)
            raise KeyboardInterrupt

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield count
    finally:
        sys.setprofile(before)
