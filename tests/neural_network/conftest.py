"""Settings and fitted estimators that tests share and leave alone."""

import pytest


@pytest.fixture(autouse=True)
def one_thread():
    """Small networks are quickest, and reproducible, on one thread."""
    try:
        import torch
    except ImportError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def fitted():
    """A classifier of all digits."""
    pytest.importorskip("torch")
    pytest.importorskip("skorch")
    from tests.neural_network.digits import X, Y, classifier

    return classifier().fit(X, Y)


@pytest.fixture(scope="session")
def of_eight():
    """A classifier of the digits below eight, of which tests take copies."""
    pytest.importorskip("torch")
    pytest.importorskip("skorch")
    from tests.neural_network.digits import X, Y, classifier

    return classifier().fit(X[Y < 8], Y[Y < 8])
