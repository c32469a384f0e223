"""Tensors with holes as lists of entries, and back."""

from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array, check_consistent_length, check_scalar, column_or_1d

from .._backend import to_numpy


def tensor_to_entries(T, coords=None, mask=None):
    """List the observed entries of a tensor.

    Parameters
    ----------
    T : array-like, sparse array or tuple
        The tensor, as one of

        - a dense array of shape (n_1, ..., n_K), in which NaN is missing, and so is what a NumPy
          masked array masks;
        - a sparse array of SciPy, or of the package ``sparse``: what it stores is observed, stored
          zeros too, and NaN is missing;
        - a pair ``(values, indices)`` of a vector of n values and a sequence of K vectors of n
          integers from 0, the places of the values in each mode. Places may occur repeatedly.
    coords : sequence of K array-like of shape (n_k,), default=None
        Coordinates of each mode; None, alone or for a mode, counts from 0.
    mask : array-like of bool, default=None
        True where an entry is observed: an array of the shape of a dense `T`, and else a vector
        with one element for each stored value. NaN is missing whatever it says.

    Returns
    -------
    X : ndarray of shape (n_entries, K)
        Coordinates of the observed entries, in C order for a dense tensor and else as given. They
        are float32 if all given coordinates are, or without such if the values are.
    y : ndarray of shape (n_entries,)
        Values, float32 if those of `T` are and else float64.

    Raises
    ------
    ValueError
        If shapes do not go together, indices are no integers from 0 or leave the coordinates, a
        sparse array stores a place twice, or nothing is observed.

    See Also
    --------
    entries_to_tensor : The way back.
    FunBaT : Regression on such entries.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.decomposition import tensor_to_entries
    >>> T = np.array([[1.0, np.nan], [3.0, 4.0]])
    >>> X, y = tensor_to_entries(T, coords=[[250.0, 300.0], [0.0, 1.5]])
    >>> X
    array([[250. ,   0. ],
           [300. ,   0. ],
           [300. ,   1.5]])
    >>> y
    array([1., 3., 4.])
    """
    if isinstance(T, tuple):
        values, indices, shape = _pair(T)
    elif isinstance(getattr(T, "coords", None), np.ndarray) or sp.issparse(T):
        values, indices, shape = _stored(T)
    else:
        if np.ma.isMaskedArray(T):
            T = np.where(np.ma.getmaskarray(T), np.nan, _real(T.data))
        values = _real(T)
        if values.ndim == 0:
            raise ValueError("T must have one mode at least. Got a number.")
        indices, shape = None, values.shape
    seen = ~np.isnan(values)
    if mask is not None:
        seen &= _checked_mask(mask, values.shape)
    if not seen.any():
        raise ValueError("T has no observed entries: all are missing or masked out.")
    places = np.nonzero(seen) if indices is None else [index[seen] for index in indices]
    axes = _axes(coords, shape, places, values.dtype)
    X = np.stack([axis[place] for axis, place in zip(axes, places, strict=True)], axis=1)
    return X, values[seen]


def _real(values, name="T"):
    """Values in single precision if they have it, and else in double."""
    try:
        values = np.asarray(to_numpy(values))
        kind, dtype = values.dtype.kind, values.dtype
        if kind in "biufO":
            return values.astype(np.float32 if dtype == np.float32 else np.float64, copy=False)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{name} must hold real numbers, as many in each row as in the others of its mode."
        ) from error
    raise ValueError(f"{name} must hold real numbers. Got {dtype}.")


def _pair(T):
    """Values, indices and unknown shape of a pair."""
    if len(T) != 2:
        raise ValueError(
            f"A tuple T must be a pair (values, indices). Got {len(T)} elements; pass a dense"
            " tensor as an array."
        )
    values = _real(T[0])
    if values.ndim != 1:
        raise ValueError(f"values must be a vector. Got an array of shape {values.shape}.")
    indices = [np.asarray(to_numpy(index)) for index in T[1]]
    if not indices or any(index.shape != values.shape for index in indices):
        shapes = [index.shape for index in indices[:4]]
        raise ValueError(
            f"indices must be one vector of {values.size} integers for each mode. Got"
            f" {len(indices)} of shapes {shapes}; transpose an array with one row per entry."
        )
    if any(index.dtype.kind not in "iu" or (index < 0).any() for index in indices):
        raise ValueError(
            "indices must be integers from 0. Real coordinates need no conversion: stack them as"
            " the columns of X."
        )
    return values, indices, (None,) * len(indices)


def _stored(T):
    """Values, indices and shape of a sparse array."""
    if sp.issparse(T):
        T = T.tocoo()
    values, indices = _real(T.data), [np.asarray(index) for index in T.coords]
    repeated = values.size - np.unique(np.stack(indices), axis=1).shape[1]
    if repeated:
        raise ValueError(
            f"T stores {repeated} entries at places that it stores already. Call"
            " T.sum_duplicates(), or pass the pair (values, indices), which may repeat places."
        )
    return values, indices, T.shape


def _checked_mask(mask, shape):
    """A mask of the given shape."""
    mask = np.asarray(to_numpy(mask))
    if mask.shape != shape:
        raise ValueError(f"mask must have the shape {shape} of the values. Got {mask.shape}.")
    if mask.dtype != bool:
        raise ValueError(f"mask must be of bool, True where observed. Got {mask.dtype}.")
    return mask


def _axes(coords, shape, places, dtype):
    """Coordinates of each mode, of one dtype, checked against the places that are taken."""
    coords = _vectors(coords, f"{len(shape)} modes", len(shape))
    axes = []
    for mode, (axis, size, place) in enumerate(zip(coords, shape, places, strict=True)):
        if axis is None:
            axes.append(np.arange(size if size is not None else place.max() + 1, dtype=dtype))
            continue
        if axis.ndim != 1 or axis.dtype.kind not in "biuf" or not np.isfinite(axis).all():
            raise ValueError(
                f"coords[{mode}] must be a vector of finite numbers. Got {axis.dtype} of shape"
                f" {axis.shape}."
            )
        if axis.size != size if size is not None else axis.size <= place.max():
            needed = size if size is not None else f"more than {place.max()}"
            raise ValueError(f"coords[{mode}] must have {needed} elements. Got {axis.size}.")
        axes.append(axis.astype(np.float32 if axis.dtype == np.float32 else np.float64))
    given = [axis for axis, own in zip(axes, coords, strict=True) if own is not None]
    joint = np.result_type(*(given or axes))
    return [axis.astype(joint, copy=False) for axis in axes]


def _vectors(coords, what, n_modes):
    """An array or None for each mode; their shapes and types are not checked."""
    if coords is None:
        return [None] * n_modes
    try:
        vectors = [None if axis is None else np.asarray(to_numpy(axis)) for axis in coords]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"coords must be None, or a vector or None for each of the {what}. Got {coords!r}."
        ) from error
    if len(vectors) != n_modes:
        raise ValueError(f"coords must be one vector for each of the {what}. Got {len(vectors)}.")
    return vectors


def entries_to_tensor(X, y, coords=None, *, fill_value=np.nan, max_size=100_000_000):
    """Lay entries out as a dense tensor.

    Parameters
    ----------
    X : array-like of shape (n_entries, K)
        Coordinates.
    y : array-like of shape (n_entries,)
        Values, for example predictions. Those of the same coordinates are averaged.
    coords : sequence of K array-like of shape (n_k,), default=None
        Coordinates of the tensor's grid in each mode, in which those of `X` must occur; None, alone
        or for a mode, takes the distinct ones of `X`, sorted.
    fill_value : float, default=np.nan
        What stands where there is no entry.
    max_size : int, default=100_000_000
        Largest number of elements: where coordinates are all distinct, a grid has n^K of them.

    Returns
    -------
    T : ndarray of shape (n_1, ..., n_K)
        The tensor, float32 if y is and else float64.
    coords : list of K ndarray of shape (n_k,)
        Its coordinates.

    Raises
    ------
    ValueError
        If X has coordinates outside of `coords`, or the tensor would be too large.

    See Also
    --------
    tensor_to_entries : The way back.

    Examples
    --------
    >>> from skmatrix.decomposition import entries_to_tensor
    >>> T, coords = entries_to_tensor([[250, 0], [300, 0], [300, 1.5]], [1.0, 3.0, 4.0])
    >>> T
    array([[ 1., nan],
           [ 3.,  4.]])
    >>> coords
    [array([250., 300.]), array([0. , 1.5])]
    """
    X = check_array(_real(X, "X"), dtype=[np.float64, np.float32], input_name="X")
    y = column_or_1d(_real(y, "y"))
    check_consistent_length(X, y)
    check_scalar(max_size, "max_size", Integral, min_val=1)
    n_modes = X.shape[1]
    coords = _vectors(coords, f"{n_modes} columns of X", n_modes)
    grid, places = zip(
        *(_located(x, axis, mode) for mode, (x, axis) in enumerate(zip(X.T, coords, strict=True))),
        strict=True,
    )
    shape = tuple(axis.size for axis in grid)
    size = np.prod([float(n) for n in shape])
    if size > max_size:
        raise ValueError(
            f"A grid of shape {shape} has {size:.3g} elements > max_size={max_size}. Pass the"
            " coords of a coarser grid, round the columns of X, or raise max_size."
        )
    T = np.full(shape, fill_value, dtype=y.dtype)
    filled, inverse, counts = np.unique(
        np.ravel_multi_index(places, shape), return_inverse=True, return_counts=True
    )
    T.flat[filled] = np.bincount(np.ravel(inverse), weights=y) / counts
    return T, list(grid)


def _located(x, axis, mode):
    """The grid of a mode, and the places of coordinates on it."""
    if axis is None:
        axis, places = np.unique(x, return_inverse=True)
        return axis, np.ravel(places)
    order = np.argsort(axis, kind="stable") if axis.ndim == 1 else axis
    if axis.ndim != 1 or axis.size == 0 or (np.diff(axis[order]) == 0).any():
        raise ValueError(
            f"coords[{mode}] must be a vector of distinct numbers. Got one of shape {axis.shape}."
        )
    # In the precision of X, to which its coordinates may have been rounded.
    rounded = axis.astype(x.dtype)[order]
    nearest = np.minimum(np.searchsorted(rounded, x), axis.size - 1)
    places, strange = order[nearest], rounded[nearest] != x
    twins = np.intersect1d(rounded[1:][np.diff(rounded) == 0], x)
    if twins.size:
        raise ValueError(
            f"Column {mode} of X is in {x.dtype}, in which several of coords[{mode}] round to"
            f" {twins[0]:.9g}. Pass X in double precision."
        )
    if strange.any():
        raise ValueError(
            f"Column {mode} of X has {np.count_nonzero(strange)} coordinates that are not in"
            f" coords[{mode}], such as {x[strange][0]:g}."
        )
    return axis, places
