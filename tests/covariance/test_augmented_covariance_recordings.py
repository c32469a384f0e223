"""What augmented covariances gain on recordings, by the split of their files."""

import numpy as np
import pytest

from skmatrix.covariance import AugmentedCovarianceClassifier
from skmatrix.datasets import _signals, load_eeg

pytest.importorskip("pyriemann")


def loaded(read):
    """What a reader gives, where the recordings are installed."""
    try:
        return read()
    except ImportError:
        pytest.skip("the recordings are not installed")


def test_eyes_open_or_shut():
    eeg = loaded(load_eeg)
    train = eeg.train
    scores = {}
    for name, order in (("one", 1), ("augmented", "grid")):
        model = AugmentedCovarianceClassifier(
            order, 1, orders=[1, 3, 5], classifier="mdm", random_state=0
        ).fit(eeg.data[train], eeg.target[train])
        scores[name] = model.score(eeg.data[~train], eeg.target[~train])
    assert scores["one"] == pytest.approx(0.595, abs=0.03)
    assert scores["augmented"] >= 0.81


def test_slow_potentials_as_filed():
    """Without labels: 16 samples at order 4, found on the training alone."""
    files = loaded(lambda: _signals._files("SelfRegulationSCP1"))
    (X, y), (Xt, yt) = (_signals._read_trials(path) for path in files)
    plain, augmented = (
        AugmentedCovarianceClassifier(order, lag, random_state=0).fit(X, y)
        for order, lag in ((1, 1), ("fnn", "mi"))
    )
    assert plain.score(Xt, yt) == pytest.approx(0.553, abs=0.02)
    assert augmented.score(Xt, yt) >= 0.69
    assert (augmented.order_, augmented.lag_) == (4, 16)
    assert np.all(augmented.embedding_.curves["fnn"] <= 1)
