"""The three forms of the design of :class:`KroneckerSBL`, and the forms of its target.

A design is a matrix, a tuple of factors, or a first factor whose rows are samples beside others
that are parameters. A target is a vector, columns, a tensor, or rows that go with the first factor.
"""

import math
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from .._backend import get_backend

# Largest number of entries of a tensor.
_LIMIT = 2**40


@dataclass(frozen=True)
class Design:
    """Factors at their home.

    Attributes
    ----------
    be : Backend
        Where they are, and where to compute.
    form : {"matrix", "factors", "rows"}
        How they came.
    factors : list of array of shape (m_k, n_k)
        Real or complex floating-point factors.
    """

    be: Any
    form: str
    factors: list

    @property
    def row_shape(self):
        """Rows of the factors."""
        return tuple(factor.shape[0] for factor in self.factors)

    @property
    def shape(self):
        """Columns of the factors."""
        return tuple(factor.shape[1] for factor in self.factors)

    def dtypes(self, *arrays):
        """Real dtype, and dtype of results, of the factors together with other arrays."""
        home, arrays = self.be.home, (*self.factors, *arrays)
        single = all(a.dtype in (home.float32, home.complex64) for a in arrays)
        real = home.float32 if single else home.float64
        if not any(home.isdtype(a.dtype, "complex floating") for a in arrays):
            return real, real
        return real, home.complex64 if single else home.complex128


@dataclass(frozen=True)
class Layout:
    """How values of the measurements are arranged.

    Attributes
    ----------
    kind : {"vector", "columns", "tensor", "rows"}
        One value after the other; so, in a column for each snapshot; with an axis for each factor;
        with an axis for the first factor and one for the others.
    snapshots : bool
        Whether the last axis is that of snapshots.
    """

    kind: str
    snapshots: bool

    def arranged(self, xp, values):
        """Values of shape (L, p_1, ..., p_K) in this layout."""
        row_shape = values.shape[1:]
        if self.snapshots:
            values = xp.moveaxis(values, 0, -1)
        shape = {
            "vector": (math.prod(row_shape),),
            "columns": (math.prod(row_shape), values.shape[-1]),
            "tensor": row_shape if not self.snapshots else values.shape,
            "rows": (row_shape[0], math.prod(row_shape[1:])),
        }
        return xp.reshape(values, shape[self.kind])


def form_of(X, factors):
    """Form of a design: "matrix", "factors" or "rows".

    Raises
    ------
    TypeError
        If X is a list of matrices.
    ValueError
        If both X and `factors` hold all factors, or `factors` is empty.
    """
    if X is None:
        raise ValueError(
            "X is None. Pass all factors as a tuple X=(A_1, ..., A_K), or the first as X and the"
            " others as the parameter 'factors'."
        )
    if isinstance(X, tuple) and not X:
        raise ValueError("X is an empty tuple. Pass one factor at least.")
    several = isinstance(X, (tuple, list)) and any(map(_is_matrix, X))
    if several and isinstance(X, list):
        raise TypeError("X is a list of matrices. Pass a tuple of factors, as tuple(X).")
    if factors is None:
        return "factors" if several else "matrix"
    if not factors:
        raise ValueError("The parameter 'factors' is empty. Pass factors=None for a matrix X.")
    if several:
        raise ValueError(
            "X is a tuple of factors, and the parameter 'factors' holds factors too. Pass the first"
            " factor as X, or set factors=None."
        )
    return "rows"


def _is_matrix(item):
    """Whether an item is an array or data frame with two axes, or rows of numbers in lists."""
    if isinstance(item, (tuple, list)):
        return any(isinstance(row, (tuple, list)) for row in item)
    return len(getattr(item, "shape", ())) >= 2


def read_design(estimator, X, *, reset):
    """Validated factors, where the target of a matrix is validated later.

    Parameters
    ----------
    estimator : KroneckerSBL
        The estimator; its record of features is set or compared.
    X : array-like, or tuple of array-like
        What the user passed.
    reset : bool
        Whether this is a fit.

    Returns
    -------
    design : Design
        The factors; a matrix is taken as it is.
    """
    form = form_of(X, estimator.factors)
    given = {"matrix": (X,), "factors": X}.get(form, (X, *(estimator.factors or ())))
    be = get_backend(estimator.backend, given[0])
    if form == "matrix":
        return Design(be, form, list(given))
    if form == "rows":
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    design = factor_design(be, form, given)
    if reset:
        check_not_zero(design)
    if form == "factors" and reset:
        estimator.n_features_in_ = math.prod(design.shape)
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    return design


def factor_design(be, form, given):
    """Design of factors, each of which is validated."""
    design = Design(be, form, [_factor(be, item, k) for k, item in enumerate(given)])
    if math.prod(design.shape) > _LIMIT:
        raise ValueError(
            f"factors with {design.shape} columns stand for {math.prod(design.shape)} coefficients,"
            f" more than the {_LIMIT} that one machine holds."
        )
    return design


def check_not_zero(design):
    """Refuse factors of zeros, with which nothing is measured."""
    for k, factor in enumerate(design.factors):
        if not bool(design.be.home.any(factor != 0)):
            raise ValueError(f"factor {k} is zero.")


def check_columns(design, form, shape):
    """Refuse factors that do not go with those of the fit."""
    if design.form != form:
        wanted = {
            "matrix": "a matrix",
            "factors": f"a tuple of {len(shape)} factors",
            "rows": "a first factor, with the others in the parameter 'factors'",
        }
        raise ValueError(f"X must be {wanted[form]}, as in fit. Got {wanted[design.form]}.")
    if len(design.factors) != len(shape):
        raise ValueError(f"X has {len(design.factors)} factors, but {len(shape)} in fit.")
    for k, (given, fitted) in enumerate(zip(design.shape, shape, strict=True)):
        if given != fitted:
            raise ValueError(f"factor {k} has {given} columns, but {fitted} in fit.")


def read_target(design, y):
    """Target of factors, as a tensor with snapshots first, and its layout.

    Parameters
    ----------
    design : Design
        The factors.
    y : array-like
        What the user passed.

    Returns
    -------
    data : array of shape (L, m_1, ..., m_K)
        The values.
    layout : Layout
        How they came.
    """
    be, row_shape = design.be, design.row_shape
    xp, total, K = be.home, math.prod(row_shape), len(row_shape)
    if y is None:
        raise ValueError("KroneckerSBL requires y to be passed, but the target y is None.")
    y = real_or_complex(be, y, "y")
    if bool(xp.any(xp.isnan(y))):
        raise ValueError(
            "y contains NaN: missing measurements are not supported, because the Kronecker identity"
            " needs the full grid."
        )
    if not bool(xp.all(xp.isfinite(y))):
        raise ValueError("y contains infinity.")
    rows = (row_shape[0], math.prod(row_shape[1:]))
    if design.form == "rows" and y.shape == rows:
        layout = Layout("rows", False)
    elif design.form == "factors" and y.shape == (total,):
        layout = Layout("vector", False)
    elif design.form == "factors" and y.ndim == 2 and y.shape[0] == total and y.shape[1]:
        layout = Layout("columns", True)
    elif y.shape == row_shape:
        layout = Layout("tensor", False)
    elif y.ndim == K + 1 and y.shape[:-1] == row_shape and y.shape[-1]:
        layout = Layout("tensor", True)
    else:
        expected = f"shape {rows}" if design.form == "rows" else f"{total} values"
        raise ValueError(
            f"y has shape {tuple(y.shape)}, that is {math.prod(y.shape)} values, but factors with"
            f" {row_shape} rows need {expected}."
        )
    if math.prod(y.shape) > _LIMIT:
        raise ValueError(f"y has {math.prod(y.shape)} values, more than {_LIMIT}.")
    return tensor_of(xp, y, row_shape, layout), layout


def tensor_of(xp, y, row_shape, layout):
    """Values in a layout as an array of shape (L, m_1, ..., m_K)."""
    if not layout.snapshots:
        return xp.reshape(y, (1, *row_shape))
    return xp.reshape(xp.moveaxis(y, -1, 0), (y.shape[-1], *row_shape))


def _factor(be, value, k):
    """A validated factor."""
    xp, factor = be.home, real_or_complex(be, value, f"factor {k}")
    if factor.ndim != 2:
        raise ValueError(f"factor {k} must be a matrix. Got an array of shape {factor.shape}.")
    if 0 in factor.shape:
        raise ValueError(f"factor {k} is empty: its shape is {factor.shape}.")
    if not bool(xp.all(xp.isfinite(factor))):
        raise ValueError(f"factor {k} contains NaN or infinity.")
    return factor


def real_or_complex(be, value, name):
    """A floating-point array at home."""
    if sp.issparse(value):
        raise TypeError(f"{name} is sparse, but dense data are required. Use {name}.toarray().")
    if np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries: missing values are not supported.")
    value = be.follow(value)
    if not array_api_compat.is_array_api_obj(value):
        value = np.asarray(value)
    array = be.unload(value)
    if be.home.isdtype(array.dtype, ("real floating", "complex floating")):
        known = (be.home.float32, be.home.complex64, be.home.float64, be.home.complex128)
        if array.dtype in known:
            return array
        if be.home.isdtype(array.dtype, "complex floating"):
            return be.home.astype(array, be.home.complex128)
    elif not be.home.isdtype(array.dtype, ("bool", "integral")):
        if getattr(array.dtype, "kind", "") in "mMUS":
            raise ValueError(f"{name} must hold numbers. Got dtype {array.dtype}.")
        try:
            array = np.asarray(array, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must hold numbers. Got dtype {array.dtype}.") from error
    return be.home.astype(array, be.home.float64)
