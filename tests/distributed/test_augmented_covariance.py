"""Augmented covariances of dask arrays: the local answer, whatever the chunks and the scheduler."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from skmatrix.covariance import AugmentedCovariance, AugmentedCovarianceClassifier

da = pytest.importorskip("dask.array")

pytestmark = [pytest.mark.dask, pytest.mark.xdist_group("dask")]


def trials(n=60, n_channels=3, n_times=80, seed=0):
    noise = np.random.default_rng(seed).standard_normal((n, n_channels, n_times + 1))
    y = np.where(np.arange(n) % 2, "odd", "even")
    sign = np.where(y == "odd", 0.5, -0.5)[:, None, None]
    return noise[..., 1:] + sign * noise[..., :-1], y


@pytest.mark.parametrize("chunks", [(7, 2, 80), (60, 3, 33), (59, 3, 80)])
@pytest.mark.parametrize(
    "parameters",
    [
        {"order": 3, "lag": 2},
        {"order": "auto", "lag": [1, 4]},
        {"order": "fnn", "lag": "mi", "n_selection_trials": 9, "random_state": 3},
        {"order": 2, "lag": 1, "toeplitz": True},
    ],
)
def test_matrices_are_those_of_one_machine(parameters, chunks):
    X, _ = trials()
    lazy = da.from_array(X, chunks=chunks)
    local, ours = (AugmentedCovariance(**parameters).fit(data) for data in (X, lazy))
    assert (ours.order_, ours.lag_) == (local.order_, local.lag_)
    result = ours.transform(lazy)
    assert isinstance(result, da.Array)
    assert result.shape == local.transform(X).shape
    for found in (result.compute(), local.transform(lazy).compute(), ours.transform(X)):
        assert_array_equal(found, local.transform(X))


def test_tables_single_precision_and_unknown_lengths():
    X, _ = trials()
    table = X.reshape(60, -1).astype(np.float32)
    table[4] = 1
    local = AugmentedCovariance(2, 1, n_channels=3)
    with pytest.warns(UserWarning, match="do not vary"):
        expected = local.fit_transform(table)
    lazy = da.from_array(table, chunks=(13, 100))
    some = np.arange(60) >= 13
    for data, rows in ((lazy, slice(None)), (lazy[da.from_array(some, chunks=13)], some)):
        ours = AugmentedCovariance(2, 1, n_channels=3).fit(data)  # a chunk may be empty
        result = ours.transform(data)
        assert result.dtype == result.compute().dtype == np.float32
        if rows is not some:  # else the level of the flat row is another one
            assert_allclose(result.compute(), expected, rtol=1e-6)
        assert len(result.compute()) == len(expected[rows])


@pytest.mark.parametrize("classifier", ["logistic", LinearDiscriminantAnalysis()], ids=str)
@pytest.mark.parametrize("order", [2, "fnn"])
def test_log_euclidean_classifier_is_that_of_one_machine(order, classifier):
    pytest.importorskip("pyriemann")
    X, y = trials()
    lazy = da.from_array(X, chunks=(11, 3, 80))
    model = AugmentedCovarianceClassifier(
        order, 1, metric={"mean": "logeuclid"}, classifier=classifier, random_state=0
    )
    local = model.fit(X, y)
    expected, reference = local.transform(X), local.reference_
    labels = local.predict(X)
    lazily = local.predict(lazy)
    assert isinstance(lazily, da.Array)
    assert_array_equal(lazily.compute(), labels)
    for target in (y, da.from_array(y, chunks=20)):
        ours = AugmentedCovarianceClassifier(**model.get_params(deep=False)).fit(lazy, target)
        assert ours.candidates_ == local.candidates_
        assert not hasattr(classifier, "coef_")  # the user's own stays as it was
        assert_allclose(ours.reference_, reference, rtol=1e-10, atol=1e-12)
        assert_allclose(ours.transform(X), expected, atol=1e-10)
        assert_array_equal(ours.predict(lazy).compute(), labels)
        assert_array_equal(ours.predict(X), labels)


def test_on_a_cluster_of_processes():
    distributed = pytest.importorskip("distributed")
    pytest.importorskip("pyriemann")
    X, y = trials()
    local = AugmentedCovarianceClassifier(2, 1, metric={"mean": "logeuclid"}).fit(X, y)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        lazy = da.from_array(X, chunks=(16, 3, 80)).persist()
        ours = AugmentedCovarianceClassifier(2, 1, metric={"mean": "logeuclid"}).fit(lazy, y)
        assert_allclose(ours.reference_, local.reference_, rtol=1e-10)
        assert_array_equal(ours.predict(lazy).compute(), local.predict(X))
        matrices = AugmentedCovariance(3, 2).fit(lazy).transform(lazy)
        assert_array_equal(matrices.compute(), AugmentedCovariance(3, 2).fit_transform(X))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"order": "auto"}, "pass numbers, or rules such as order='fnn' and lag='mi'"),
        ({"lag": "grid"}, "Got order=2, lag='grid'"),
        ({"metric": "riemann"}, r"pass metric=\{'mean': 'logeuclid'\}. Got metric='riemann'"),
        ({"classifier": "svc"}, "must be 'logistic' or a classifier of tangent vectors. Got 'svc'"),
        ({"classifier": "mdm"}, "Got 'mdm'"),
        ({"backend": "torch"}, "backend='torch' has no dask path"),
        ({"reg": 0}, "not positive definite with reg=0"),
    ],
)
def test_what_has_no_path(parameters, message):
    pytest.importorskip("pyriemann")
    X, y = trials(20)
    X[:, 2] = X[:, 1]
    model = AugmentedCovarianceClassifier(
        **{"order": 2, "lag": 1, "metric": {"mean": "logeuclid"}, **parameters}
    )
    with pytest.raises(ValueError, match=message):
        model.fit(da.from_array(X, chunks=(5, 3, 80)), y)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_bad_data():
    pytest.importorskip("pyriemann")
    X, y = trials(20)
    lazy = da.from_array(X, chunks=(5, 3, 80))
    model = AugmentedCovarianceClassifier(2, 1, metric={"mean": "logeuclid"})
    with pytest.raises(ValueError, match=r"X has 20 trials, but y has the shape \(19,\)"):
        model.fit(lazy, y[:19])
    with pytest.raises(ValueError, match="Got 1 class"):
        model.fit(lazy, np.full(20, "one"))
    with pytest.raises(ValueError, match="need at least 102 samples per trial, X has 80"):
        AugmentedCovariance(2, 100).fit(lazy)
    with pytest.raises(ValueError, match=r"must have the shape .* Got \(20,\)"):
        AugmentedCovariance(2, 1).fit(lazy[:, 0, 0])
    X[3] = 0
    with pytest.raises(ValueError, match="of a chunk of X is flat"):
        AugmentedCovariance(2, 1).fit(lazy).transform(da.from_array(X, chunks=5)).compute()
