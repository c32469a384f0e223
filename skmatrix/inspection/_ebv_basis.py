"""Pictures of the cosines between equiangular basis vectors."""

import numpy as np
from sklearn.utils import check_array

from ..neural_network import coherence_bounds
from ..neural_network._unit_vectors import unit_rows
from ._ebv import check_classifier
from ._panels import set_title, take_axes

# Vectors whose cosines are all drawn; of more, as many spread over them.
_VECTORS = 2000


class BasisCoherenceDisplay:
    """Histogram of the cosines between vectors, beside the bounds.

    Make one with :meth:`from_estimator` or :meth:`from_vectors`; the constructor takes what they
    find.

    Parameters
    ----------
    cosines : ndarray of shape (n_pairs,)
        Absolute cosines between different vectors.
    bounds : dict
        What the largest cannot be below, see :func:`~skmatrix.neural_network.coherence_bounds`.
    estimator_name : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    bars_ : list of matplotlib artists
        The histogram.
    coherence_ : float
        The largest cosine.

    See Also
    --------
    skmatrix.neural_network.coherence : The largest of all cosines, however many.

    Notes
    -----
    Of more than 2,000 vectors that many are drawn, spread evenly over them; the bounds are those of
    all vectors.

    Examples
    --------
    >>> from skmatrix.inspection import BasisCoherenceDisplay
    >>> from skmatrix.neural_network import make_ebv
    >>> display = BasisCoherenceDisplay.from_vectors(make_ebv(144, 16))
    """

    def __init__(self, *, cosines, bounds, estimator_name=None):
        self.cosines = cosines
        self.bounds = bounds
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None):
        """Plot the cosines between the vectors of the classes.

        Parameters
        ----------
        estimator : EBVClassifier
            The fitted classifier.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes the name of the estimator.

        Returns
        -------
        display : BasisCoherenceDisplay
            The display, plotted.
        """
        check_classifier(estimator)
        targets = estimator._table.targets
        n = len(targets)
        vectors = targets.take(_spread(n))
        name = type(estimator).__name__ if name is None else name
        return cls._of(vectors, n, name).plot(ax)

    @classmethod
    def from_vectors(cls, V, *, ax=None, name=None):
        """Plot the cosines between the rows of a matrix.

        Parameters
        ----------
        V : array-like of shape (n_vectors, dim)
            Vectors, none of them zero.
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None leaves it out.

        Returns
        -------
        display : BasisCoherenceDisplay
            The display, plotted.
        """
        V = check_array(V, dtype=np.float64, ensure_min_samples=2, input_name="V")
        return cls._of(V[_spread(len(V))], len(V), name).plot(ax)

    @classmethod
    def _of(cls, vectors, n_vectors, name):
        """Display of some of so many vectors."""
        unit, _ = unit_rows(vectors)
        cosines = np.abs(unit @ unit.T)[np.triu_indices(len(unit), 1)]
        bounds = coherence_bounds(n_vectors, vectors.shape[1])
        return cls(cosines=cosines, bounds=bounds, estimator_name=name)

    def plot(self, ax=None, *, name=None):
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.
        name : str, default=None
            Title; None takes ``estimator_name``.

        Returns
        -------
        display : BasisCoherenceDisplay
            The display itself.
        """
        (self.ax_,), self.figure_ = take_axes(type(self).__name__, ax, 1, "the histogram")
        self.coherence_ = float(np.max(self.cosines))
        top = max(self.coherence_, self.bounds["best"], 1e-12)
        _, _, self.bars_ = self.ax_.hist(self.cosines, bins=50, range=(0, 1.1 * top), color="C0")
        label = f"Largest: {self.coherence_:.4f}"
        self.ax_.axvline(self.coherence_, color="k", ls="--", label=label)
        label = f"No set is below {self.bounds['best']:.4f}"
        self.ax_.axvline(self.bounds["best"], color="C3", label=label)
        self.ax_.set(xlabel="Absolute cosine", ylabel="Pairs of vectors")
        self.ax_.legend()
        set_title([self.ax_], self.estimator_name if name is None else name)
        return self


def _spread(n_vectors):
    """Places of the vectors that are drawn."""
    count = min(n_vectors, _VECTORS)
    return np.linspace(0, n_vectors - 1, count).astype(np.int64)
