"""Seeded tall regression problems whose least squares solution is known."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from .._sklearn import Interval, StrOptions, validate_params

_T_ROWS, _T_RESIDUAL = 1.5, 2.0  # degrees of freedom of "heavy_tails"
_HEAVY, _SPIKE = 30.0, 10.0  # "heavy_rows": a heavy row and all spikes, over the other rows


@validate_params(
    {
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "kind": [StrOptions({"incoherent", "heavy_rows", "heavy_tails"})],
        "condition": [Interval(Real, 1, None, closed="left"), None],
        "residual_norm": [Interval(Real, 0, None, closed="left")],
        "n_targets": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_tall_regression(
    n_samples=4096,
    n_features=20,
    *,
    kind="incoherent",
    condition=1.0,
    residual_norm=1.0,
    n_targets=1,
    random_state=None,
):
    """Generate a tall regression problem whose least squares solution is known.

    ``y = X coef + residual`` with a residual that is orthogonal to the columns of ``X``, so that
    `coef` is the least squares solution without an intercept, and `residual_norm` the norm that it
    leaves. The kinds differ in how evenly the rows carry the problem, which decides how hard it is
    to sample or to sketch them.

    Parameters
    ----------
    n_samples : int, default=4096
        Number of rows, more than `n_features`.
    n_features : int, default=20
        Number of columns.
    kind : {"incoherent", "heavy_rows", "heavy_tails"}, default="incoherent"
        Law of the rows, which fixes the column space of ``X``, and of the residual:

        - "incoherent": Gaussian rows and a Gaussian residual. All rows have about the same
          leverage ``n_features / n_samples``, the easiest case.
        - "heavy_rows": as before, but the first `n_features` rows have a leverage near 1, each in
          a direction of its own, and nearly all of the residual is on the next `n_features` rows
          (on as many as there are). It is the worst case of uniform sampling, and of a sketch with
          one nonzero per sample, which errs where a heavy row and a heavy residual fall into one
          bucket; several nonzeros per sample help.
        - "heavy_tails": rows of a multivariate t distribution with 1.5 degrees of freedom, and a
          residual of a t distribution with 2. The leverages are of every size.
    condition : float or None, default=1.0
        Largest over smallest singular value of ``X``, at least 1. The singular values are a
        geometric sequence from 1 to ``1 / condition``. None leaves the columns and their singular
        values as they are drawn.
    residual_norm : float, default=1.0
        Euclidean norm of the residual of each target; 0 makes the equations consistent.
    n_targets : int, default=1
        Number of columns of ``y``, each with coefficients and a residual of its own.
    random_state : int, RandomState instance or None, default=None
        Seed of ``X``, of the coefficients and of the residual.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        The features.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        The targets; of one dimension if ``n_targets=1``.
    coef : ndarray of shape (n_features,) or (n_targets, n_features)
        The least squares solution, in the shape of scikit-learn's ``coef_``. Its entries are
        standard normal.

    Raises
    ------
    ValueError
        If `n_samples` does not exceed `n_features`.

    See Also
    --------
    load_flights : A tall regression problem of real data.
    sklearn.datasets.make_regression : Problems whose coefficients a fit finds only up to noise.

    Notes
    -----
    ``X = U diag(s) V^T`` with the geometric sequence ``s``, the orthonormal factor ``U`` of the QR
    decomposition of the drawn matrix, and a random orthogonal ``V``. The residual is projected
    twice, so that it is orthogonal to working precision.

    Rounding ``X`` and ``y`` to double precision moves the solution away from `coef` by up to about
    ``eps * condition ** 2 * residual_norm``, with ``eps`` the machine epsilon; a comparison has to
    allow for as much. Time is O(n_samples n_features^2).

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.datasets import make_tall_regression
    >>> X, y, coef = make_tall_regression(500, 6, condition=100.0, random_state=0)
    >>> bool(np.allclose(np.linalg.lstsq(X, y)[0], coef))
    True
    >>> round(float(np.linalg.norm(y - X @ coef)), 6), round(float(np.linalg.cond(X)), 6)
    (1.0, 100.0)
    """
    if n_samples <= n_features:
        raise ValueError(
            f"n_samples={n_samples} must exceed n_features={n_features}: without more rows than "
            "columns there is no residual; raise n_samples or lower n_features."
        )
    rng = check_random_state(random_state)
    X = _draw_rows(rng, n_samples, n_features, kind)
    if condition is not None:
        rotation = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
        singular_values = np.geomspace(1.0, 1.0 / condition, n_features)
        X = np.linalg.qr(X)[0] @ (singular_values[:, None] * rotation)
    coef = rng.standard_normal((n_targets, n_features))
    residual = _draw_residual(rng, n_samples, n_features, n_targets, kind)
    basis = np.linalg.qr(X)[0]
    for _ in range(2):  # the second pass removes what rounding has left
        residual -= basis @ (basis.T @ residual)
    residual *= residual_norm / np.linalg.norm(residual, axis=0)
    y = X @ coef.T + residual
    return (X, y[:, 0], coef[0]) if n_targets == 1 else (X, y, coef)


def _draw_rows(rng, n_samples, n_features, kind):
    """Matrix whose column space has the leverages of `kind`."""
    X = rng.standard_normal((n_samples, n_features))
    if kind == "heavy_rows":
        X[:n_features] = _HEAVY * np.sqrt(n_samples) * np.eye(n_features)
    elif kind == "heavy_tails":
        X /= np.sqrt(rng.chisquare(_T_ROWS, size=(n_samples, 1)) / _T_ROWS)
    return X


def _draw_residual(rng, n_samples, n_features, n_targets, kind):
    """Residual of `kind`, neither orthogonal to the columns yet nor scaled."""
    if kind == "heavy_tails":
        return rng.standard_t(_T_RESIDUAL, size=(n_samples, n_targets))
    residual = rng.standard_normal((n_samples, n_targets))
    if kind == "heavy_rows":
        n_spikes = min(n_features, n_samples - n_features)
        spikes = residual[n_features : n_features + n_spikes]
        spikes[:] = _SPIKE * np.sqrt(n_samples / n_spikes) * np.sign(spikes)
    return residual
