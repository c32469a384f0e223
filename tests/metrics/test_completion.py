import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from skmatrix.datasets import hide_entries, make_low_rank_matrix_completion
from skmatrix.metrics import masked_mean_absolute_error, masked_root_mean_squared_error

PAIRS = [
    (masked_root_mean_squared_error, root_mean_squared_error),
    (masked_mean_absolute_error, mean_absolute_error),
]


@pytest.fixture
def data():
    X, truth = make_low_rank_matrix_completion(30, 20, noise=0.3, random_state=0)
    mask = np.random.default_rng(0).random(X.shape) < 0.5
    return X, truth, mask


@pytest.mark.parametrize(("masked", "plain"), PAIRS)
class TestErrors:
    def test_equals_the_plain_metric_on_known_entries(self, masked, plain, data):
        X, truth, mask = data
        known = ~np.isnan(X)
        error = masked(X, truth)
        assert type(error) is float
        assert_allclose(error, plain(X[known], truth[known]))
        chosen = known & mask
        assert_allclose(masked(X, truth, mask=mask), plain(X[chosen], truth[chosen]))

    def test_sample_weight(self, masked, plain, data):
        X, truth, _ = data
        known = ~np.isnan(X)
        weight = np.arange(30.0)
        expected = plain(X[known], truth[known], sample_weight=weight[np.nonzero(known)[0]])
        assert_allclose(masked(X, truth, sample_weight=weight), expected)

    @pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
    def test_sparse_truth_and_mask(self, masked, plain, data, container):
        X, truth, mask = data
        known = ~np.isnan(X)
        X[known & (X > 1)] = 0  # stored zeros count
        rows, columns = np.nonzero(known)
        stored = container((X[rows, columns], (rows, columns)), shape=X.shape)
        assert_allclose(masked(stored, truth), masked(X, truth))
        expected = masked(X, truth, mask=mask)
        assert_allclose(masked(stored, truth, mask=mask), expected)
        assert_allclose(masked(stored, truth, mask=container(mask)), expected)
        assert_allclose(masked(X, truth, mask=container(mask)), expected)

    def test_stored_nan_is_left_out(self, masked, plain):
        X = sparse.csr_array(([1.0, np.nan], ([0, 1], [0, 1])), shape=(2, 2))
        assert masked(X, np.full((2, 2), 3.0)) == 2.0

    def test_prediction_may_be_missing_where_it_is_not_compared(self, masked, plain, data):
        X, truth, mask = data
        partial = np.where(mask, truth, np.nan)
        assert masked(X, partial, mask=mask) == masked(X, truth, mask=mask)
        with pytest.raises(ValueError, match=r"X_pred is not finite at \d+ of the 180 compared"):
            masked(X, partial)

    def test_float32_and_integers_are_compared_in_float64(self, masked, plain):
        X = np.full((1000, 10), 1e4 + 0.25, dtype=np.float32)
        assert masked(X, np.full((1000, 10), 10_000)) == 0.25

    def test_hidden_entries(self, masked, plain, data):
        X, truth, _ = data
        visible, rows, columns, values = hide_entries(X, 0.2, random_state=0)
        hidden = np.isnan(visible)
        assert_allclose(masked(X, truth, mask=hidden), plain(values, truth[rows, columns]))

    def test_nothing_to_compare(self, masked, plain, data):
        X, truth, _ = data
        with pytest.raises(ValueError, match="No entry to compare"):
            masked(X, truth, mask=np.isnan(X))

    def test_shapes(self, masked, plain, data):
        X, truth, mask = data
        with pytest.raises(ValueError, match=r"X_pred has shape \(30, 19\), X_true has shape"):
            masked(X, truth[:, 1:])
        with pytest.raises(ValueError, match=r"mask has shape \(29, 20\), X_true has shape"):
            masked(X, truth, mask=mask[1:])
        with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\), expected \(30,\)"):
            masked(X, truth, sample_weight=np.ones(3))

    @pytest.mark.parametrize("unit", [1e-200, 1e-160, 1e200, 1e300])
    def test_units(self, masked, plain, data, unit):
        X, truth, _ = data
        expected = masked(X, truth, sample_weight=np.arange(30))
        found = masked(unit * X, unit * truth, sample_weight=1e300 * np.arange(30))
        assert_allclose(found / unit, expected, rtol=1e-12)

    def test_weights(self, masked, plain, data):
        X, truth, _ = data
        weight = np.arange(30.0)
        column = masked(X, truth, sample_weight=weight[:, None].tolist())
        assert column == masked(X, truth, sample_weight=weight)
        assert masked(X, truth, sample_weight=2.0) == masked(X, truth)
        far = np.where(np.arange(30)[:, None] == 0, -np.sign(X) * 1.7e308, truth)
        large = np.where(np.arange(30)[:, None] == 0, np.sign(X) * 1.7e308, X)
        assert masked(large, far, sample_weight=weight) == masked(X, truth, sample_weight=weight)
        with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
            masked(X, truth, sample_weight=np.arange(30) - 1)
        with pytest.raises(ValueError, match="at least one non-zero"):
            masked(X, truth, sample_weight=np.zeros(30))
        weight = np.where(np.isnan(X).all(axis=1) | (np.arange(30) == 0), 1.0, 0.0)
        with pytest.raises(ValueError, match="sample_weight is zero in all rows"):
            masked(np.where(np.arange(30)[:, None] == 0, np.nan, X), truth, sample_weight=weight)
