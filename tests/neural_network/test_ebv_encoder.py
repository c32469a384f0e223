"""Classes as vectors for any regressor."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.preprocessing import LabelBinarizer

from skmatrix.neural_network import EBVEncoder

WORDS = np.array(["pear", "apple", "fig", "apple", "pear", "nut"])


@pytest.mark.parametrize(
    "arguments",
    [{}, {"dim": 2, "basis": "optimize"}, {"dim": 16, "basis": "kerdock"}, {"basis": "simplex"}],
)
def test_labels_come_back(arguments):
    encoder = EBVEncoder(random_state=0, **arguments).fit(WORDS)
    V = encoder.transform(WORDS)
    np.testing.assert_array_equal(encoder.classes_, ["apple", "fig", "nut", "pear"])
    np.testing.assert_allclose(np.linalg.norm(V, axis=1), 1)
    np.testing.assert_array_equal(encoder.inverse_transform(3 * V), WORDS)
    np.testing.assert_array_equal(V, clone(encoder).fit_transform(WORDS))


def test_orthogonal_codes_decode_as_indicators_do():
    """A linear regression on rotated targets is the rotated regression."""
    X, y = load_digits(return_X_y=True)
    encoder, binarizer = EBVEncoder(random_state=0).fit(y), LabelBinarizer().fit(y)
    ours = Ridge(fit_intercept=False).fit(X, encoder.transform(y)).predict(X)
    theirs = Ridge(fit_intercept=False).fit(X, binarizer.transform(y)).predict(X)
    np.testing.assert_array_equal(encoder.inverse_transform(ours), theirs.argmax(axis=1))


def test_a_regressor_becomes_a_classifier():
    X, y = load_digits(return_X_y=True)
    encoder = EBVEncoder(dim=5, random_state=0)
    model = TransformedTargetRegressor(Ridge(), transformer=encoder).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert np.mean(model.predict(X) == y) > 0.85


def test_many_classes_need_no_table():
    encoder = EBVEncoder().fit(np.arange(20_000))
    assert encoder.dim_ == 1024
    assert encoder.coherence_ == 1024**-0.5
    y = np.array([0, 19_999, 777])
    np.testing.assert_array_equal(encoder.inverse_transform(encoder.transform(y)), y)


def test_bad_input_is_refused():
    encoder = EBVEncoder().fit(WORDS)
    with pytest.raises(ValueError, match=r"not seen: \['plum'\]"):
        encoder.transform(["plum", "fig"])
    with pytest.raises(ValueError, match="V has 2 columns, but the vectors have dim_=4"):
        encoder.inverse_transform(np.ones((3, 2)))
    with pytest.raises(ValueError, match="Unknown label type"):
        EBVEncoder().fit([0.5, 1.7])
    with pytest.raises(ValueError, match="'dim' parameter"):
        EBVEncoder(dim=0).fit(WORDS)


def test_a_failed_fit_leaves_the_encoder_as_it_was():
    encoder = EBVEncoder(random_state=0).fit(WORDS)
    before = encoder.transform(WORDS)
    with pytest.raises(ValueError, match="has 4 vectors"):
        encoder.set_params(dim=4, basis="orthogonal").fit(np.arange(9))
    np.testing.assert_array_equal(encoder.transform(WORDS), before)


@pytest.mark.parametrize(
    "labels", [["a", None], [1, np.nan], np.array(["2020-01-01", "NaT"], dtype="M8[D]")]
)
def test_missing_labels_are_named(labels):
    with pytest.raises(ValueError, match="y contains missing labels"):
        EBVEncoder().fit(labels)
