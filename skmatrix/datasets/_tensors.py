"""Seeded generator of tensors whose factors are functions."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, check_random_state

from .._sklearn import Interval, StrOptions, validate_params
from ._generators import _draw_distinct


@dataclass(frozen=True)
class FunctionalTensor:
    """A tensor of known factor functions, which can be evaluated anywhere.

    Attributes
    ----------
    core : float64 ndarray of shape (rank_1, ..., rank_K)
        Weights of the products of functions.
    """

    core: np.ndarray

    def functions(self, mode, t):
        """Functions of a mode at coordinates: float64 ndarray of shape (n, rank)."""
        t = np.asarray(t, dtype=np.float64)[:, None]
        r = np.arange(self.core.shape[mode])
        octave = 1 + r // 2
        sines = np.sin(2 * np.pi * octave * (1 + 0.3 * mode) * t + mode)
        cosines = np.cos(3 * np.pi * octave * (1 - 0.2 * mode) * t)
        return np.where(r % 2 == 0, sines, cosines)

    def __call__(self, X):
        """Values at the rows of X, without noise: float64 ndarray of shape (n,)."""
        X = check_array(X, dtype=np.float64)
        n_modes = self.core.ndim
        if X.shape[1] != n_modes:
            raise ValueError(f"X has {X.shape[1]} columns, but the tensor has {n_modes} modes.")
        part = np.tensordot(self.functions(0, X[:, 0]), self.core, axes=1)
        for mode in range(1, n_modes):
            part = np.einsum("nr,nr...->n...", self.functions(mode, X[:, mode]), part)
        return part


@validate_params(
    {
        "n_entries": [Interval(Integral, 1, None, closed="left")],
        "n_points": ["array-like"],
        "rank": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "decomposition": [StrOptions({"tucker", "cp"})],
        "noise": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_functional_tensor(
    n_entries=2000,
    n_points=(30, 40, 50),
    *,
    rank=2,
    decomposition="tucker",
    noise=0.1,
    random_state=None,
):
    """Generate noisy entries of a low-rank tensor whose factors are functions of coordinates.

    The r-th function of mode k, both counted from 0, is ``sin(2 pi (1 + r / 2) (1 + 0.3 k) t + k)``
    for even r and ``cos(3 pi (1 + (r - 1) / 2) (1 - 0.2 k) t)`` for odd. The core is drawn from the
    standard normal distribution, and scaled so that the noiseless values have unit variance. Their
    mean is not zero, and a tensor less its mean has another rank: fit it without an intercept.

    Parameters
    ----------
    n_entries : int, default=2000
        Number of entries.
    n_points : sequence of int or None, default=(30, 40, 50)
        Number of coordinates of each mode, drawn uniformly from [0, 1]; entries are then at
        distinct tuples of them. None for a mode draws a coordinate for each entry.
    rank : int or sequence of int, default=2
        Functions of each mode; one number for all, or one for each mode.
    decomposition : {"tucker", "cp"}, default="tucker"
        Whether all combinations of functions count, or the r-th functions of all modes together.
    noise : float, default=0.1
        Standard deviation of the Gaussian noise, where the values have 1.
    random_state : int, RandomState instance or None, default=None
        Seed of coordinates, core, places and noise.

    Returns
    -------
    X : ndarray of shape (n_entries, n_modes)
        Coordinates of the entries.
    y : ndarray of shape (n_entries,)
        Their values, with noise.
    truth : FunctionalTensor
        The tensor: ``truth(X)`` has the values without noise at any coordinates,
        ``truth.functions(mode, t)`` the functions of a mode at a vector of coordinates as an array
        of shape (n, rank), and ``truth.core`` the core.

    Raises
    ------
    ValueError
        If `n_points` and `rank` do not go together, or there are fewer tuples than entries.

    See Also
    --------
    skmatrix.decomposition.FunBaT : Regression on such entries.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.datasets import make_functional_tensor
    >>> X, y, truth = make_functional_tensor(random_state=0)
    >>> X.shape, truth.core.shape
    ((2000, 3), (2, 2, 2))
    >>> round(float(np.std(truth(X))), 6), round(float(np.std(y - truth(X))), 2)
    (1.0, 0.1)
    """
    sizes = list(n_points)
    if not sizes or not all(n is None or (isinstance(n, Integral) and int(n) >= 1) for n in sizes):
        raise ValueError(
            "n_points must hold an integer of at least 1, or None, for each mode. Got"
            f" {n_points!r}."
        )
    ranks = [rank] * len(sizes) if isinstance(rank, Integral) else list(rank)
    if len(ranks) != len(sizes) or not all(isinstance(r, Integral) and int(r) >= 1 for r in ranks):
        raise ValueError(
            f"rank must hold an integer of at least 1 for each of the {len(sizes)} modes. Got"
            f" {rank!r}."
        )
    if decomposition == "cp" and len(set(ranks)) > 1:
        raise ValueError(f"decomposition='cp' has one rank for all modes. Got rank={rank!r}.")
    rng = check_random_state(random_state)
    X = _coordinates(rng, n_entries, sizes)
    if decomposition == "tucker":
        core = rng.standard_normal(ranks)
    else:
        core = np.zeros(ranks)
        core[(np.arange(int(ranks[0])),) * len(ranks)] = rng.standard_normal(ranks[0])
    spread = np.std(FunctionalTensor(core)(X))
    truth = FunctionalTensor(core / spread if spread > 0 else core)
    return X, truth(X) + noise * rng.standard_normal(n_entries), truth


def _coordinates(rng, n_entries, sizes):
    """Coordinates of the entries, at distinct places of the grid unless one mode has none."""
    axes = [np.sort(rng.uniform(size=n)) for n in sizes if n is not None]
    shape = [axis.size for axis in axes]
    n_places = int(np.prod(shape, dtype=object)) if shape else 1
    if n_places >= 2**63:
        raise ValueError(
            f"n_points={sizes} is a grid of {float(n_places):.3g} places, of which none can be"
            " drawn: there must be fewer than 2**63."
        )
    if len(axes) < len(sizes):
        places = [rng.randint(n, size=n_entries) for n in shape]
    elif n_entries > n_places:
        raise ValueError(
            f"n_entries={n_entries} must be at most {n_places}, the places of a grid of"
            f" n_points={sizes}."
        )
    else:
        order = rng.permutation(n_entries)
        chosen = _draw_distinct(rng, n_places, n_entries)[order]
        places = list(np.unravel_index(chosen, shape))
    on_grid = iter([axis[place] for axis, place in zip(axes, places, strict=True)])
    columns = [rng.uniform(size=n_entries) if n is None else next(on_grid) for n in sizes]
    return np.stack(columns, axis=1)
