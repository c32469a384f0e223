"""Which class has which vector, as classes come."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils.multiclass import type_of_target

from ._basis import HadamardBasis
from ._ebv_making import Made, extended, make_basis, smallest_dim
from ._ebv_targets import Targets

# Of the search for vectors.
_MAX_ITER = 2000
_TOL = 1e-4


def check_labels(y):
    """Refuse targets that are no labels of classes, of which there may be as many as samples.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The targets.

    Raises
    ------
    ValueError
        If they are numbers with fractions, or something else.
    """
    kind = type_of_target(y, input_name="y")
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"Unknown label type: {kind}. y must hold labels of classes, not values to regress."
        )


@dataclass(frozen=True)
class ClassTable:
    """Classes and their vectors.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    basis_index : int64 ndarray of shape (n_classes,)
        Row of the basis for each class; enrolled vectors count from its end on.
    made : Made
        The basis.
    n_used : int
        Rows of it that are taken.
    enrolled : float64 ndarray of shape (n_enrolled, dim)
        Vectors besides it.
    """

    classes: np.ndarray
    basis_index: np.ndarray
    made: Made
    n_used: int
    enrolled: np.ndarray

    @property
    def targets(self):
        """The vectors by position."""
        return Targets(self.made.basis, self.n_used, self.enrolled)

    @property
    def positions(self):
        """Position of each class."""
        return self.targets.positions(self.basis_index)

    def codes(self, labels):
        """Places in `classes` of labels that it has."""
        return np.searchsorted(self.classes, labels)

    def unseen(self, labels):
        """Those labels, sorted and once each, that it has not."""
        labels = np.unique(labels)
        if (labels.dtype.kind in "OUS") != (self.classes.dtype.kind in "OUS"):
            raise ValueError(
                f"New labels have type {labels.dtype}, but classes_ has {self.classes.dtype}."
            )
        return labels[~np.isin(labels, self.classes)]

    def grown(self, labels, backend, rng):
        """A table with further labels, which take the next rows of the basis.

        Parameters
        ----------
        labels : ndarray of shape (n_new,)
            Labels that it has not.
        backend : str
            Engine of a search for vectors.
        rng : RandomState
            Source of random vectors.

        Returns
        -------
        table : ClassTable
            The new table; the vectors of old labels are the same.

        Raises
        ------
        ValueError
            If the basis cannot have as many rows.
        """
        needed = self.n_used + labels.size
        made, index = self.made, self.basis_index
        if needed > made.basis.n_max:
            if isinstance(made.basis, HadamardBasis) or made.basis.kind == "given":
                self._refuse(needed)
            old_end = made.basis.n_max
            limits = {"max_iter": _MAX_ITER, "tol": _TOL}
            made = extended(made, needed, backend=backend, rng=rng, **limits)
            # Enrolled vectors count from the end of the basis, which is further away now.
            index = np.where(index < old_end, index, index - old_end + made.basis.n_max)
        added = np.arange(self.n_used, needed)
        return replace(self._merged(labels, index, added), made=made, n_used=needed)

    def enrolling(self, labels, vectors):
        """A table with further labels that have vectors of their own."""
        first = self.made.basis.n_max + len(self.enrolled)
        table = self._merged(labels, self.basis_index, first + np.arange(labels.size))
        return replace(table, enrolled=np.concatenate([self.enrolled, vectors]))

    def _merged(self, labels, index, added):
        """Old and new labels in order."""
        classes = np.concatenate([self.classes, labels])
        order = np.argsort(classes, kind="stable")
        index = np.concatenate([index, added])
        return replace(self, classes=classes[order], basis_index=index[order])

    def _refuse(self, needed):
        """Say that there is no room."""
        basis = self.made.basis
        remedy = (
            "Pass a basis with more vectors"
            if basis.kind == "given"
            else f"Fit again with dim={smallest_dim(needed)} or larger"
        )
        raise ValueError(
            f"The basis of kind {basis.kind!r} has {basis.n_max} vectors of length {basis.dim},"
            f" fewer than the {needed} that are needed now. {remedy}."
        )


def new_table(classes, dim, basis, *, alpha, backend, rng):
    """A table of classes that take the first rows of a new basis.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    dim : int
        Length of the vectors.
    basis : str or Made
        How they are made, or vectors that there are.
    alpha : float or "auto"
        Largest absolute cosine for "optimize".
    backend : str
        Engine of the search for vectors.
    rng : RandomState
        Source of random vectors.

    Returns
    -------
    table : ClassTable
        The table.
    """
    n = classes.size
    if not isinstance(basis, Made):
        limits = {"max_iter": _MAX_ITER, "tol": _TOL}
        basis = make_basis(n, dim, basis, alpha=alpha, backend=backend, rng=rng, **limits)
    return ClassTable(classes, np.arange(n), basis, n, np.zeros((0, basis.basis.dim)))
