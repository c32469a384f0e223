"""Seeded generators of incomplete matrices, and a splitter that hides entries."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_array, check_random_state, check_scalar

from .._sklearn import Interval, Options, validate_params

# make_ratings: mean and spread of the parts of a rating, close to those of five-star film ratings.
_MEAN, _BIAS_STD, _INTERACTION_STD = 3.5, 0.4, 0.6
_BLOCK = 2**20  # entries per block where a product is summed over the rank
_SIZE = [Interval(Integral, 1, None, closed="left")]
_NOISE = [Interval(Real, 0, np.inf, closed="left")]


@validate_params(
    {
        "n_samples": _SIZE,
        "n_features": _SIZE,
        "rank": _SIZE,
        "n_observed": [*_SIZE, Interval(Real, 0, 1, closed="neither"), Options(Real, {1.0})],
        "condition_number": [Interval(Real, 1, np.inf, closed="left")],
        "noise": _NOISE,
        "sparse_output": ["boolean"],
        "return_factors": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_low_rank_matrix_completion(
    n_samples=100,
    n_features=80,
    *,
    rank=5,
    n_observed=0.3,
    condition_number=1.0,
    noise=0.0,
    sparse_output=False,
    return_factors=False,
    random_state=None,
):
    """Generate a low-rank matrix that is seen at uniformly drawn entries.

    The truth is ``Z = A diag(s) B^T`` with ``A`` and ``B`` drawn uniformly among the matrices with
    orthonormal columns and ``s`` a geometric sequence with ``s[0] / s[-1] = condition_number``,
    scaled so that the mean square of the entries of ``Z`` is one. Gaussian noise is added to the
    observed entries only. Use :func:`make_ratings` for popularity that is not uniform.

    Parameters
    ----------
    n_samples : int, default=100
        Number of rows.
    n_features : int, default=80
        Number of columns.
    rank : int, default=5
        Rank of the truth, at most ``min(n_samples, n_features)``.
    n_observed : float or int, default=0.3
        What is seen, drawn without replacement: a share in (0, 1] of all entries when float, a
        number of entries when int.
    condition_number : float, default=1.0
        Largest over smallest nonzero singular value of the truth, at least 1.
    noise : float, default=0.0
        Standard deviation of the noise; the entries of the truth have root mean square 1.
    sparse_output : bool, default=False
        Return ``X`` as a CSR array whose stored entries are the observed ones.
    return_factors : bool, default=False
        Return the two factors in place of the full truth, which a large matrix may not have room
        for.
    random_state : int, RandomState instance or None, default=None
        Seed of the factors, of the positions and of the noise.

    Returns
    -------
    X : ndarray or csr_array of shape (n_samples, n_features)
        Observed entries; the others are NaN in an ndarray and not stored in a CSR array.
    truth : ndarray of shape (n_samples, n_features), or tuple of two ndarrays
        The matrix without noise and without holes. With ``return_factors=True`` the pair
        ``(left, right)`` of shapes (n_samples, rank) and (n_features, rank), whose product
        ``left @ right.T`` is the truth; both carry the square roots of the singular values.

    See Also
    --------
    make_ratings : Ratings with biases and uneven popularity, as triplets.
    hide_entries : Hide observed entries of given data.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.datasets import make_low_rank_matrix_completion
    >>> X, truth = make_low_rank_matrix_completion(
    ...     60, 40, rank=3, n_observed=0.25, condition_number=10, random_state=0
    ... )
    >>> int(np.isfinite(X).sum()), int(np.linalg.matrix_rank(truth))
    (600, 3)
    >>> values = np.linalg.svd(truth, compute_uv=False)
    >>> round(float(values[0] / values[2]), 6)
    10.0
    """
    check_scalar(rank, "rank", Integral, max_val=min(n_samples, n_features))
    n_observed = _resolve_count(n_observed, n_samples * n_features)

    rng = check_random_state(random_state)
    singular_values = np.geomspace(1.0, 1.0 / condition_number, rank)
    singular_values *= np.sqrt(n_samples * n_features) / np.linalg.norm(singular_values)
    left, right = (
        np.linalg.qr(rng.standard_normal((size, rank)))[0] * np.sqrt(singular_values)
        for size in (n_samples, n_features)
    )
    positions = _draw_distinct(rng, n_samples * n_features, n_observed)
    rows, columns = np.divmod(positions, n_features)
    values = _pairwise_dot(left, right, rows, columns)
    if noise > 0:
        values += noise * rng.standard_normal(n_observed)

    if sparse_output:
        X = _csr_from_sorted(rows, columns, values, (n_samples, n_features))
    else:
        X = np.full((n_samples, n_features), np.nan)
        X[rows, columns] = values
    return X, (left, right) if return_factors else left @ right.T


@validate_params(
    {
        "n_users": _SIZE,
        "n_items": _SIZE,
        "n_ratings": _SIZE,
        "rank": [Interval(Integral, 0, None, closed="left")],
        "noise": _NOISE,
        "popularity": _NOISE,
        "dtype": "no_validation",  # below
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_ratings(
    n_users=6040,
    n_items=3706,
    n_ratings=1_000_000,
    *,
    rank=10,
    noise=0.8,
    popularity=1.0,
    dtype=np.float64,
    random_state=None,
):
    """Generate ratings of items by users, as triplets, with uneven popularity.

    A rating is ``3.5 + b_i + c_j + u_i . v_j + noise * e_ij``: user and item biases of standard
    deviation 0.4, Gaussian factors whose inner product has standard deviation 0.6, and standard
    normal ``e_ij``. The ratings are neither rounded nor clipped, so ``noise`` is the smallest root
    mean squared error that any method can reach. Which pairs are rated is drawn one after the
    other without replacement, with probability proportional to the popularity of the user times
    that of the item, both lognormal. The default sizes are those of the data set MovieLens-1M.

    Parameters
    ----------
    n_users : int, default=6040
        Number of users (rows). Some may have no rating.
    n_items : int, default=3706
        Number of items (columns). Some may have no rating.
    n_ratings : int, default=1_000_000
        Number of ratings, at most ``n_users * n_items``. No pair is rated twice.
    rank : int, default=10
        Number of factors; 0 leaves the biases alone.
    noise : float, default=0.8
        Standard deviation of the noise.
    popularity : float, default=1.0
        Standard deviation of the logarithm of a popularity; 0 draws the pairs uniformly.
    dtype : {np.float32, np.float64}, default=np.float64
        Type of the values.
    random_state : int, RandomState instance or None, default=None
        Seed. The ratings also depend on ``dtype``.

    Returns
    -------
    rows : ndarray of shape (n_ratings,), dtype int32
        User of each rating. The triplets are sorted by user, then by item.
    columns : ndarray of shape (n_ratings,), dtype int32
        Item of each rating.
    values : ndarray of shape (n_ratings,)
        The ratings.

    See Also
    --------
    make_low_rank_matrix_completion : Uniformly sampled matrix with a given spectrum.

    Notes
    -----
    Time is O(n_ratings (rank + log n_ratings)), memory about 30 bytes per rating while it runs.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from skmatrix.datasets import make_ratings
    >>> rows, columns, values = make_ratings(50, 30, 400, random_state=0)
    >>> X = csr_array((values, (rows, columns)), shape=(50, 30))
    >>> X.nnz
    400
    """
    check_scalar(n_ratings, "n_ratings", Integral, max_val=n_users * n_items)
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype={dtype} must be float32 or float64.")

    seed = check_random_state(random_state).randint(0, 2**32, size=4, dtype=np.uint32)
    rng = np.random.default_rng(seed)  # draws float32 directly, several times as fast
    rows, columns = _draw_pairs(rng, n_users, n_items, n_ratings, popularity)
    scale = np.sqrt(_INTERACTION_STD / np.sqrt(max(rank, 1)))
    users, items = (
        scale * rng.standard_normal((size, rank), dtype=dtype) for size in (n_users, n_items)
    )
    user_bias, item_bias = (
        _BIAS_STD * rng.standard_normal(size, dtype=dtype) for size in (n_users, n_items)
    )
    values = rng.standard_normal(n_ratings, dtype=dtype)
    values *= noise
    values += _MEAN
    for start in range(0, n_ratings, _BLOCK):
        block = slice(start, start + _BLOCK)
        i, j = rows[block], columns[block]
        values[block] += user_bias[i] + item_bias[j]
        values[block] += np.einsum("ek,ek->e", users[i], items[j])
    return rows, columns, values


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def hide_entries(X, fraction=0.1, *, random_state=None):
    """Hide a share of the observed entries, to measure how well they are filled in.

    Parameters
    ----------
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
        The data. Missing entries are NaN; in a sparse matrix the stored entries that are not NaN
        are observed, stored zeros too. A pandas DataFrame must be numeric. ``X`` is not changed.
    fraction : float, default=0.1
        Share of the observed entries to hide, strictly between 0 and 1, rounded to the nearest
        number of entries. At least one entry is hidden and at least one stays.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice, which is uniform over the observed entries. A row or a column may lose
        all of its entries.

    Returns
    -------
    X_visible : ndarray, DataFrame or CSR
        Copy of ``X`` without the hidden entries: NaN in an array or a DataFrame (whose integer
        columns become float), not stored in a CSR matrix or array.
    rows : ndarray of shape (n_hidden,)
        Row positions of the hidden entries, in row-major order.
    columns : ndarray of shape (n_hidden,)
        Column positions of the hidden entries.
    values : ndarray of shape (n_hidden,)
        The hidden values.

    See Also
    --------
    skmatrix.metrics.masked_root_mean_squared_error : Error on observed entries of a matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.impute import KNNImputer
    >>> from sklearn.metrics import root_mean_squared_error
    >>> from skmatrix.datasets import hide_entries, make_low_rank_matrix_completion
    >>> X, _ = make_low_rank_matrix_completion(n_observed=0.8, random_state=0)
    >>> X_visible, rows, columns, values = hide_entries(X, 0.1, random_state=0)
    >>> X_filled = KNNImputer().fit_transform(X_visible)
    >>> error = root_mean_squared_error(values, X_filled[rows, columns])
    >>> bool(error < np.std(values))
    True
    """
    rng = check_random_state(random_state)
    if sparse.issparse(X):
        return _hide_sparse(X, fraction, rng)
    if hasattr(X, "iloc"):
        numbers = X.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        numbers = X = check_array(
            X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan", copy=True
        )
    observed_rows, observed_columns = np.nonzero(~np.isnan(numbers))
    chosen = _choose_hidden(rng, observed_rows.size, fraction)
    rows, columns = observed_rows[chosen], observed_columns[chosen]
    values = numbers[rows, columns]
    if hasattr(X, "iloc"):
        hidden = np.zeros(numbers.shape, dtype=bool)
        hidden[rows, columns] = True
        return X.mask(hidden), rows, columns, values
    X[rows, columns] = np.nan
    return X, rows, columns, values


def _hide_sparse(X, fraction, rng):
    """Hide stored entries of a sparse matrix, by copies of its index arrays only."""
    X = check_array(
        X, accept_sparse="csr", dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
    )
    X = X if X.has_sorted_indices else X.sorted_indices()
    observed = np.flatnonzero(~np.isnan(X.data))
    chosen = observed[_choose_hidden(rng, observed.size, fraction)]
    keep = np.ones(X.data.size, dtype=bool)
    keep[chosen] = False
    rows = np.searchsorted(X.indptr, chosen, side="right") - 1
    kept_before = np.concatenate(([0], np.cumsum(keep)))
    indptr = kept_before[X.indptr].astype(X.indptr.dtype)
    visible = type(X)((X.data[keep], X.indices[keep], indptr), shape=X.shape)
    return visible, rows, X.indices[chosen].astype(np.intp), X.data[chosen]


def _choose_hidden(rng, n_observed, fraction):
    """Positions, ascending, of the hidden among `n_observed` entries."""
    if n_observed < 2:
        raise ValueError(
            f"X has {n_observed} observed entries; at least 2 are needed to hide one of them."
        )
    n_hidden = min(max(round(fraction * n_observed), 1), n_observed - 1)
    return np.sort(rng.permutation(n_observed)[:n_hidden])


def _resolve_count(n_observed, n_entries):
    """Number of observed entries from a share (float) or a number (int)."""
    if isinstance(n_observed, Integral):
        check_scalar(n_observed, "n_observed", Integral, max_val=n_entries)
        return int(n_observed)
    return max(round(n_observed * n_entries), 1)


def _draw_distinct(rng, population, size):
    """`size` distinct integers below `population`, uniform, ascending."""
    if 3 * size > population:
        return np.sort(rng.permutation(population)[:size])
    drawn = np.empty(0, dtype=np.int64)
    while drawn.size < size:  # drawing what is missing never gives too many
        extra = rng.randint(0, population, size=size - drawn.size, dtype=np.int64)
        drawn = np.union1d(drawn, extra)
    return drawn


def _draw_pairs(rng, n_rows, n_columns, size, popularity):
    """`size` distinct pairs, drawn with probability proportional to the popularities.

    Both branches follow the law of draws one by one that skip what was drawn before. A dense
    matrix gives each pair an exponential waiting time and keeps the earliest; a sparse one draws
    with replacement, and again what repeats have cost.
    """
    row_weight, column_weight = (
        np.exp(popularity * rng.standard_normal(n)) for n in (n_rows, n_columns)
    )
    if 4 * size >= n_rows * n_columns:
        waiting = rng.standard_exponential((n_rows, n_columns))
        waiting /= row_weight[:, None]
        waiting /= column_weight
        keys = np.sort(np.argpartition(waiting.ravel(), size - 1)[:size])
    else:
        row_weight /= row_weight.sum()
        column_weight /= column_weight.sum()
        keys = np.empty(0, dtype=np.int64)
        while keys.size < size:
            missing = size - keys.size
            counts = rng.multinomial(missing, row_weight)
            extra = np.repeat(np.arange(n_rows) * n_columns, counts)
            counts = rng.multinomial(missing, column_weight)
            drawn_columns = np.repeat(np.arange(n_columns, dtype=np.int32), counts)
            rng.shuffle(drawn_columns)  # counts and a shuffle: no search per draw
            extra += drawn_columns
            del drawn_columns
            keys = _sorted_union(keys, extra)
    rows = (keys // n_columns).astype(np.int32)
    keys -= rows * np.int64(n_columns)
    return rows, keys.astype(np.int32)


def _sorted_union(keys, extra):
    """Distinct values of both arrays, ascending."""
    keys = np.concatenate((keys, extra)) if keys.size else extra
    keys.sort()
    first = np.empty(keys.size, dtype=bool)
    first[0] = True
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return keys[first]


def _pairwise_dot(left, right, rows, columns):
    """Inner products ``left[rows[e]] . right[columns[e]]``, in blocks."""
    values = np.empty(rows.size)
    for start in range(0, rows.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        values[block] = np.einsum("ek,ek->e", left[rows[block]], right[columns[block]])
    return values


def _csr_from_sorted(rows, columns, values, shape):
    """CSR array of entries in row-major order; stored zeros are kept."""
    index_dtype = np.int32 if max(rows.size, *shape) < 2**31 else np.int64
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=shape[0]))))
    return sparse.csr_array(
        (values, columns.astype(index_dtype), indptr.astype(index_dtype)), shape=shape
    )
