"""Displays of equiangular basis vectors show what was fitted, and where samples are."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skmatrix.inspection import (
    BasisCoherenceDisplay,
    ClassAnglesDisplay,
    EBVTrainingDisplay,
)
from skmatrix.neural_network import EBVClassifier, coherence, make_ebv


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 4
    return 3 * np.eye(4)[y] + rng.standard_normal((120, 4)), y


@pytest.fixture(scope="module")
def model(data):
    pytest.importorskip("torch")
    pytest.importorskip("skorch")
    return EBVClassifier(max_epochs=8, lr=1e-2, early_stopping=True, random_state=0).fit(*data)


class TestTraining:
    def test_curves_are_the_history(self, pyplot, model):
        display = EBVTrainingDisplay.from_estimator(model)
        assert len(display.ax_) == 4
        for key, line in display.lines_.items():
            assert_array_equal(line.get_ydata(), [epoch[key] for epoch in model.history_])
        assert set(display.lines_) == {
            *("train_loss", "valid_loss", "train_cosine", "valid_cosine"),
            *("valid_margin", "valid_accuracy"),
        }
        assert display.best_epoch == model.best_epoch_

    def test_without_validation_there_are_two_panels(self, pyplot):
        epochs = [{"train_loss": 1.0, "train_cosine": 0.1}, {"train_loss": 0.5}]
        display = EBVTrainingDisplay(history=epochs).plot()
        assert len(display.ax_) == 2
        assert_array_equal(display.lines_["train_cosine"].get_ydata(), [0.1, np.nan])

    @pytest.mark.parametrize("keywords", [{"c": "r", "lw": 3}, {"color": "r", "linewidth": 3}])
    def test_keywords_and_their_short_forms(self, pyplot, model, keywords):
        display = EBVTrainingDisplay.from_estimator(model, line_kwargs=keywords)
        for line in display.lines_.values():
            assert (line.get_color(), line.get_linewidth()) == ("r", 3)

    def test_empty_history(self, pyplot):
        with pytest.raises(ValueError, match="history must have epochs"):
            EBVTrainingDisplay(history=[]).plot()


class TestCoherence:
    def test_closed_form_meets_its_bound(self, pyplot):
        display = BasisCoherenceDisplay.from_vectors(make_ebv(144, 16))
        assert display.coherence_ == pytest.approx(0.25)
        assert display.bounds["best"] == pytest.approx(0.25)
        assert display.cosines.size == 144 * 143 // 2
        assert sum(bar.get_height() for bar in display.bars_) == display.cosines.size

    def test_largest_cosine_of_any_vectors(self, pyplot):
        V = np.random.default_rng(0).standard_normal((30, 5))
        assert BasisCoherenceDisplay.from_vectors(V).coherence_ == pytest.approx(coherence(V).max)

    def test_many_vectors_are_thinned(self, pyplot):
        V = make_ebv(5000, 64, method="random", random_state=0)
        display = BasisCoherenceDisplay.from_vectors(V)
        assert display.cosines.size == 2000 * 1999 // 2
        # The pair with the largest cosine is not among those drawn.
        assert display.cosines.max() < display.coherence_
        assert display.coherence_ == pytest.approx(coherence(V).max)

    def test_classes_of_a_classifier(self, pyplot, model):
        display = BasisCoherenceDisplay.from_estimator(model)
        assert_allclose(display.coherence_, model.coherence_, atol=1e-12)

    def test_zero_vector(self, pyplot):
        with pytest.raises(ValueError, match="zero vector"):
            BasisCoherenceDisplay.from_vectors([[1, 0], [0, 0]])


class TestAngles:
    def test_points_above_the_diagonal_are_right(self, pyplot, model, data):
        X, y = data
        display = ClassAnglesDisplay.from_estimator(model, X, y)
        assert_array_equal(display.own < display.other, model.predict(X) == y)
        assert [len(points.get_offsets()) for points in display.points_] == [
            np.sum(model.predict(X) == y),
            np.sum(model.predict(X) != y),
        ]

    def test_angles_are_those_of_the_embeddings(self, pyplot, model, data):
        X, y = data
        display = ClassAnglesDisplay.from_estimator(model, X, y)
        V = model.basis_.take(model.basis_index_)
        own = np.sum(model.transform(X) * V[y], axis=1)
        assert_allclose(np.cos(np.radians(display.own)), own, atol=1e-5)

    def test_unknown_labels(self, pyplot, model, data):
        with pytest.raises(ValueError, match=r"does not know: \[9\]"):
            ClassAnglesDisplay.from_estimator(model, data[0][:2], [0, 9])

    def test_labels_of_another_number_of_samples(self, pyplot, model, data):
        with pytest.raises(ValueError, match="X has 3 samples and y has 2"):
            ClassAnglesDisplay.from_estimator(model, data[0][:3], [0, 1])


@pytest.mark.parametrize("display", [EBVTrainingDisplay, BasisCoherenceDisplay])
def test_other_estimators_are_refused(pyplot, display):
    with pytest.raises(TypeError, match="Got LogisticRegression"):
        display.from_estimator(LogisticRegression())
    with pytest.raises(NotFittedError):
        display.from_estimator(EBVClassifier())
