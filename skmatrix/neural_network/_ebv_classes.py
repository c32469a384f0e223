"""Which class has which vector, as classes come."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils.multiclass import type_of_target

from ._basis import HadamardBasis
from ._ebv_bases import Made, make_basis, smallest_dim
from ._ebv_growth import extended, has_room
from ._ebv_targets import Targets

# Of the search for vectors.
_MAX_ITER = 2000
_TOL = 1e-4


def check_labels(y, name="y"):
    """Refuse targets that are no labels of classes, of which there may be as many as samples.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        The targets.
    name : str, default="y"
        What they are called.

    Raises
    ------
    ValueError
        If they are numbers with fractions, or something else.
    """
    if _has_missing(y):
        raise ValueError(f"{name} contains missing labels.")
    kind = type_of_target(y, input_name=name)
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"Unknown label type: {kind}. {name} must hold labels of classes, not values to"
            " regress."
        )


def _has_missing(y):
    """Whether there is a None, NaN, NaT or NA among targets."""
    if y.dtype.kind == "f":
        return bool(np.isnan(y).any())
    if y.dtype.kind in "mM":
        return bool(np.isnat(y).any())
    if y.dtype.kind != "O" or set(map(type, y)) <= {str}:
        return False
    return any(map(_is_missing, y))


def _is_missing(label):
    """Whether an object stands for a label that is not there; those differ from themselves."""
    if label is None:
        return True
    # An array is no label, and pandas' NA answers with itself.
    return np.ndim(label) == 0 and str(label != label) != "False"


def check_kind(labels, known, name):
    """Refuse labels that would be taken for others: numbers, strings and truth values are apart.

    Parameters
    ----------
    labels : ndarray of shape (n_new,)
        New labels.
    known : ndarray of shape (n_known,)
        Labels that there are.
    name : str
        What those are called.

    Raises
    ------
    ValueError
        If they are of another kind.
    """
    if _kind(labels) != _kind(known):
        raise ValueError(f"New labels have type {labels.dtype}, but {name} has {known.dtype}.")


def _kind(labels):
    """What labels are."""
    kind = labels.dtype.kind
    return "string" if kind in "OUS" else "truth value" if kind == "b" else "number"


# Compared by identity: what is derived from a table is kept for as long as there is this one.
@dataclass(frozen=True, eq=False)
class ClassTable:
    """Classes and their vectors.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    positions : int64 ndarray of shape (n_classes,)
        Position of the vector of each class in `targets`.
    made : Made
        The basis.
    n_used : int
        Rows of it that are taken.
    enrolled : float64 ndarray of shape (n_enrolled, dim)
        Vectors besides it.
    """

    classes: np.ndarray
    positions: np.ndarray
    made: Made
    n_used: int
    enrolled: np.ndarray

    @property
    def targets(self):
        """The vectors by position."""
        return Targets(self.made.basis, self.n_used, self.enrolled)

    @property
    def basis_index(self):
        """Row of the basis for each class; enrolled vectors count from its end on."""
        beyond = self.made.basis.n_max - self.n_used
        return self.positions + np.where(self.positions < self.n_used, 0, beyond)

    def codes(self, labels):
        """Places in `classes` of labels that it has."""
        return np.searchsorted(self.classes, labels)

    def unseen(self, labels):
        """Those labels, sorted and once each, that it has not."""
        labels = np.unique(labels)
        check_kind(labels, self.classes, "classes_")
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
        made = self.made
        if needed <= made.basis.n_max:
            if isinstance(made.basis, HadamardBasis):
                made = replace(made, coherence=made.basis.coherence_of_first(needed))
        else:
            if isinstance(made.basis, HadamardBasis) or not has_room(made, needed):
                self._refuse(needed)
            limits = {"max_iter": _MAX_ITER, "tol": _TOL}
            made = extended(made, needed, backend=backend, rng=rng, **limits)
        added = np.arange(self.n_used, needed)
        # Enrolled vectors come after those of the basis.
        old = self.positions + np.where(self.positions < self.n_used, 0, labels.size)
        return replace(self._merged(labels, old, added), made=made, n_used=needed)

    def enrolling(self, labels, vectors):
        """A table with further labels that have vectors of their own."""
        table = self._merged(labels, self.positions, len(self.targets) + np.arange(labels.size))
        return replace(table, enrolled=np.concatenate([self.enrolled, vectors]))

    def _merged(self, labels, old, added):
        """Old and new labels in order."""
        classes = np.concatenate([self.classes, labels])
        order = np.argsort(classes, kind="stable")
        positions = np.concatenate([old, added])
        return replace(self, classes=classes[order], positions=positions[order])

    def _refuse(self, needed):
        """Say that there is no room."""
        basis, enough = self.made.basis, smallest_dim(needed)
        if basis.kind == "given":
            remedy = "Pass a basis with more vectors"
        elif enough is None:
            remedy = "Fit again with basis='random'"
        else:
            remedy = f"Fit again with dim={enough} or larger"
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
