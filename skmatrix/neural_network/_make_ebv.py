"""Unit vectors that are as orthogonal as possible."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from .._backend import CONSTRAINT
from .._sklearn import Interval, StrOptions, validate_params
from ._ebv_bases import METHODS, make_basis
from ._ebv_bounds import coherence_bounds


@validate_params(
    {
        "n_vectors": [Interval(Integral, 1, None, closed="left")],
        "dim": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions(set(METHODS))],
        "alpha": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "backend": CONSTRAINT,
        "random_state": ["random_state"],
        "return_info": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_ebv(
    n_vectors,
    dim,
    *,
    method="auto",
    alpha="auto",
    max_iter=2000,
    tol=1e-4,
    backend="auto",
    random_state=None,
    return_info=False,
):
    r"""Make equiangular basis vectors: unit vectors with small absolute cosines.

    Parameters
    ----------
    n_vectors : int
        Number of vectors K.
    dim : int
        Their length d.
    method : str, default="auto"
        "auto" or one of these. "orthogonal", for up to d, from a random rotation; "simplex", for up
        to d + 1, whose cosines are all -1 / (K - 1); "kerdock", up to d (d / 2 + 1) where d is a
        power of 4, and "gold", up to d (d + 1) where d is another power of 2 from 8 on: closed
        forms of up to 16,384 and 8,192, padded with zeros if `dim` is not such a power; "optimize",
        the descent of the paper in a quicker form, whose steps cost :math:`O(K^2 d)`; "random",
        directions without order. "auto" takes the first that has enough vectors of orthogonal,
        simplex for K = d + 1, a closed form of order `dim`, the descent for K up to 4096 and
        :math:`K^2 d` up to :math:`2^{32}`, and a closed form of lower order.
    alpha : float or "auto", default="auto"
        Largest absolute cosine for "optimize"; other methods have their own. "auto" is what a few
        hundred steps reach: the Welch bound times :math:`1 + 0.061 (K / d)^{0.83}`, at most half of
        the way from the best bound to 1, and more where that proves out of reach.
    max_iter : int, default=2000
        Steps of "optimize" at most.
    tol : float, default=1e-4
        What its cosines may be above `alpha`.
    backend : {"auto", "numpy", "numba", "cupy", "torch"}, default="auto"
        Where it runs.
    random_state : int, RandomState instance or None, default=None
        Source of random vectors. Closed forms have none.
    return_info : bool, default=False
        Whether to return what is known of the vectors too.

    Returns
    -------
    V : float64 ndarray of shape (n_vectors, dim)
        The vectors. Those of a closed form come in orthonormal blocks of d.
    info : dict
        "method", "coherence" (NaN for more than 8,192 stored vectors), "bound", "alpha" (None
        without a search), "n_iter" and "converged". Only with `return_info`.

    Raises
    ------
    ValueError
        If the method has not as many vectors, or `alpha` is below the bound.

    Warns
    -----
    ConvergenceWarning
        If "optimize" has not reached `alpha`, or is far above "auto".
    UserWarning
        If `dim` is not a length of a closed form.

    See Also
    --------
    coherence : Largest cosine of any vectors.
    coherence_bounds : How small it can be.
    EBVClassifier : Classification against such vectors.

    Notes
    -----
    (1) "simplex": with orthonormal columns U that span the complement of the vector of ones, the
    rows of :math:`\sqrt{K / (K - 1)} U` have the largest angles that K vectors can all have.

    (2) "optimize" minimises :math:`\frac12 \sum_{i < j} \max(0, |v_i^T v_j| - \alpha)^2`, the
    paper's excess [1]_ squared, whose gradient is (3) :math:`S V`, with S the cosines
    soft-thresholded at :math:`\alpha` and zero on the diagonal. (4) Steps are those of a heavy ball
    on the sphere, from a tight frame.

    "kerdock" [2]_ and "gold" are unions of Hadamard bases whose columns have signs from quadratic
    forms over a finite field. Absolute cosines are 0 or :math:`1 / \sqrt{d}` for the first, which
    meets Levenshtein's bound if all are used, and up to :math:`\sqrt{2 / d}` for the second.

    References
    ----------
    .. [1] Yang Shen, Xuhao Sun, Xiu-Shen Wei, "Equiangular Basis Vectors", IEEE/CVF Conference on
       Computer Vision and Pattern Recognition, 2023. :arxiv:`2303.11637`

    .. [2] Robert Calderbank, Peter Cameron, William Kantor, Johan Seidel, "Z4-Kerdock Codes,
       Orthogonal Spreads, and Extremal Euclidean Line-Sets", Proceedings of the London
       Mathematical Society, 1997.

    Examples
    --------
    >>> from skmatrix.neural_network import coherence, make_ebv
    >>> V = make_ebv(2112, 64)
    >>> float(coherence(V).max)
    0.125
    """
    rng = check_random_state(random_state)
    made = make_basis(
        int(n_vectors),
        int(dim),
        method,
        alpha=alpha,
        max_iter=max_iter,
        tol=tol,
        backend=backend,
        rng=rng,
    )
    V = np.array(made.basis.rows(0, n_vectors))
    if not return_info:
        return V
    bound = coherence_bounds(n_vectors, dim)["best"] if n_vectors > 1 else 0.0
    return V, {
        "method": made.basis.kind,
        "coherence": made.coherence,
        "bound": bound,
        "alpha": made.alpha,
        "n_iter": made.n_iter,
        "converged": made.converged,
    }
