"""A part of the digits, and a classifier that learns it in a moment."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmatrix.neural_network import EBVClassifier, MLPBackbone

IMAGES, LABELS = load_digits(return_X_y=True)
X, QUERIES, Y, TRUTH = train_test_split(
    IMAGES, LABELS, train_size=600, test_size=300, stratify=LABELS, random_state=0
)


def classifier(**arguments):
    """A small and quick one."""
    settings = {
        "backbone": MLPBackbone((64,)),
        "max_epochs": 15,
        "lr": 1e-2,
        "random_state": 0,
    }
    return EBVClassifier(**{**settings, **arguments})
