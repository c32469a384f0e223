"""What displays of equiangular basis vectors ask of an estimator."""

from sklearn.utils.validation import check_is_fitted

from ..neural_network import EBVClassifier


def check_classifier(estimator):
    """Refuse what is no fitted classifier."""
    if not isinstance(estimator, EBVClassifier):
        raise TypeError(
            f"estimator must be a fitted EBVClassifier. Got {type(estimator).__name__}. Of a"
            " pipeline pass the last step, and samples that went through the others."
        )
    check_is_fitted(estimator)
