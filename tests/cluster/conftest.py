"""Fitted estimators that tests share and leave alone."""

import pytest

from skmatrix.cluster import ILASDPClustering, SDPKMeans
from tests.cluster.problems import blobs, ellipsoids


@pytest.fixture(scope="session")
def shapes():
    """Groups of different shapes, and the truth."""
    return ellipsoids(180, 3, 3, 6.0)


@pytest.fixture(scope="session")
def fitted(shapes):
    """An ILASDPClustering fitted to them."""
    return ILASDPClustering(3, n_init=3, random_state=0).fit(shapes[0])


@pytest.fixture(scope="session")
def balls():
    """Groups of one shape, far apart, and the truth."""
    return blobs(120, 3, 3, 9.0)


@pytest.fixture(scope="session")
def means(balls):
    """An SDPKMeans fitted to them."""
    return SDPKMeans(3, certify=True, random_state=0).fit(balls[0])
