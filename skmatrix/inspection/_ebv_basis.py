"""Pictures of the cosines between equiangular basis vectors."""

import numpy as np
from sklearn.utils import check_array

from ..neural_network import coherence, coherence_bounds
from ..neural_network._unit_vectors import unit_rows
from ._ebv import check_classifier
from ._panels import set_title, take_axes

# Vectors whose cosines are all drawn; of more, as many spread over them.
_VECTORS = 2000
# Shortest axis of cosines.
_SHORTEST = 0.01


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
    coherence : float or None, default=None
        The largest cosine of all vectors; None takes that of `cosines`.
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
    Of more than 2,000 vectors that many are drawn, spread evenly over them; the bounds and the
    largest cosine are those of all vectors. Only of more than 8,192 stored vectors of a classifier
    the latter is that of those drawn.

    Examples
    --------
    >>> from skmatrix.inspection import BasisCoherenceDisplay
    >>> from skmatrix.neural_network import make_ebv
    >>> display = BasisCoherenceDisplay.from_vectors(make_ebv(144, 16))
    """

    def __init__(self, *, cosines, bounds, coherence=None, estimator_name=None):
        self.cosines = cosines
        self.bounds = bounds
        self.coherence = coherence
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
        largest = max(estimator.coherence_, getattr(estimator, "enrolled_coherence_", 0.0))
        return cls._of(vectors, n, largest, name).plot(ax)

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
        return cls._of(V[_spread(len(V))], len(V), coherence(V).max, name).plot(ax)

    @classmethod
    def _of(cls, vectors, n_vectors, largest, name):
        """Display of some of so many vectors, whose largest cosine may be unknown."""
        unit, _ = unit_rows(vectors)
        cosines = np.abs(unit @ unit.T)[np.triu_indices(len(unit), 1)]
        bounds = coherence_bounds(n_vectors, vectors.shape[1])
        largest = None if np.isnan(largest) else float(largest)
        return cls(cosines=cosines, bounds=bounds, coherence=largest, estimator_name=name)

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
        drawn = float(np.max(self.cosines))
        self.coherence_ = drawn if self.coherence is None else self.coherence
        # Of orthogonal vectors rounding must not fill the axis.
        top = max(self.coherence_, self.bounds["best"], _SHORTEST)
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
