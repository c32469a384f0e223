import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skmatrix.datasets import hide_entries, make_low_rank_matrix_completion, make_ratings


class TestMakeLowRankMatrixCompletion:
    def test_spectrum_and_scale_of_the_truth(self):
        _, truth = make_low_rank_matrix_completion(
            40, 60, rank=4, condition_number=27, random_state=0
        )
        values = np.linalg.svd(truth, compute_uv=False)
        assert_allclose(values[:3] / values[1:4], 3.0)  # geometric: 27 = 3 * 3 * 3
        assert_allclose(values[4:], 0, atol=1e-12)
        assert_allclose(np.mean(truth**2), 1.0)

    @pytest.mark.parametrize(
        ("n_observed", "expected"), [(0.25, 300), (7, 7), (1.0, 1200), (1, 1), (1e-9, 1)]
    )
    def test_number_of_observed_entries(self, n_observed, expected):
        X, truth = make_low_rank_matrix_completion(30, 40, n_observed=n_observed, random_state=0)
        seen = ~np.isnan(X)
        assert seen.sum() == expected
        assert_allclose(X[seen], truth[seen])

    def test_sparse_output_stores_the_entries_that_dense_output_shows(self):
        options = dict(n_samples=20, n_features=30, rank=3, noise=0.1, random_state=3)
        dense, truth = make_low_rank_matrix_completion(**options)
        stored, same_truth = make_low_rank_matrix_completion(**options, sparse_output=True)
        assert stored.has_canonical_format
        assert stored.indices.dtype == np.int32
        coordinates = stored.tocoo()
        assert_array_equal(coordinates.coords, np.nonzero(~np.isnan(dense)))
        assert_array_equal(coordinates.data, dense[~np.isnan(dense)])
        assert_array_equal(truth, same_truth)

    def test_factors_multiply_to_the_truth(self):
        _, truth = make_low_rank_matrix_completion(random_state=1)
        _, (left, right) = make_low_rank_matrix_completion(random_state=1, return_factors=True)
        assert_allclose(left @ right.T, truth)
        assert_allclose(left.T @ left, right.T @ right, atol=1e-10)  # balanced

    def test_noise_has_the_requested_size(self):
        X, truth = make_low_rank_matrix_completion(200, 200, noise=0.5, random_state=0)
        assert_allclose(np.nanstd(X - truth), 0.5, rtol=0.05)

    def test_entries_are_drawn_uniformly(self):
        few, many = (
            np.mean(
                [
                    ~np.isnan(
                        make_low_rank_matrix_completion(
                            4, 5, rank=1, n_observed=n, random_state=seed
                        )[0]
                    )
                    for seed in range(600)
                ],
                axis=0,
            )
            for n in (3, 15)  # by rejection, and by permutation
        )
        assert_allclose(few, 3 / 20, atol=0.07)
        assert_allclose(many, 15 / 20, atol=0.09)

    def test_share_of_any_kind_of_number(self):
        shares = (0.5, np.float32(0.5), np.float64(0.5), 2400)
        seen = {
            int(np.isfinite(make_low_rank_matrix_completion(60, 80, n_observed=n)[0]).sum())
            for n in shares
        }
        assert seen == {2400}
        assert np.isfinite(make_low_rank_matrix_completion(n_observed=1.0)[0]).all()

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"rank": 0}, "'rank' parameter of make_low_rank.* Got 0"),
            ({"rank": 99}, "rank == 99, must be <= 80"),
            ({"n_observed": 8001}, "n_observed == 8001, must be <= 8000"),
            ({"n_observed": 0.0}, "'n_observed' parameter of make_low_rank.* Got 0.0"),
            ({"n_observed": 1.5}, "'n_observed' parameter of make_low_rank.* Got 1.5"),
            ({"condition_number": 0.5}, "'condition_number' parameter of .* Got 0.5"),
            ({"condition_number": np.inf}, "'condition_number' parameter of .* Got inf"),
            ({"noise": np.nan}, "'noise' parameter of .* Got nan"),
            ({"n_samples": True}, "'n_samples' parameter of .* Got True"),
            ({"sparse_output": "no"}, "'sparse_output' parameter of .* Got 'no'"),
            ({"noise": -1}, "'noise' parameter of make_low_rank.* Got -1"),
        ],
    )
    def test_bad_parameter(self, options, match):
        with pytest.raises(ValueError, match=match):
            make_low_rank_matrix_completion(**options)


class TestMakeRatings:
    @pytest.mark.parametrize("n_ratings", [1, 500, 1500, 5999, 6000])
    def test_distinct_sorted_pairs(self, n_ratings):
        rows, columns, values = make_ratings(100, 60, n_ratings, random_state=0)
        assert rows.shape == columns.shape == values.shape == (n_ratings,)
        assert rows.dtype == columns.dtype == np.int32
        assert rows.min() >= 0
        assert rows.max() < 100
        assert columns.min() >= 0
        assert columns.max() < 60
        assert np.all(np.diff(rows.astype(int) * 60 + columns) > 0)

    def test_pairs_follow_the_popularities_whichever_way_they_are_drawn(self):
        # The popularities are the first draws, so both sizes share them.
        counts = {}
        for n_ratings in (299, 300):  # either side of the change of method, a quarter of 1200
            total = np.zeros(40)
            for seed in range(60):
                rng_rows, _, _ = make_ratings(40, 30, n_ratings, random_state=seed)
                total += np.sort(np.bincount(rng_rows, minlength=40))
            counts[n_ratings] = total / 60
        assert_allclose(counts[299], counts[300], rtol=0.12, atol=0.6)

    def test_popularity_zero_is_uniform_and_more_is_uneven(self):
        share = {}
        for popularity in (0.0, 1.0):
            rows, _, _ = make_ratings(500, 400, 20_000, popularity=popularity, random_state=0)
            counts = np.sort(np.bincount(rows, minlength=500))
            share[popularity] = counts[-50:].sum() / 20_000
        assert share[0.0] < 0.15 < 0.3 < share[1.0]

    def test_spread_of_the_values(self):
        _, _, values = make_ratings(2000, 1500, 100_000, noise=0.5, random_state=0)
        assert_allclose(values.mean(), 3.5, atol=0.1)
        assert_allclose(values.var(), 0.4**2 + 0.4**2 + 0.6**2 + 0.5**2, rtol=0.15)

    def test_without_noise_and_factors_the_values_are_additive(self):
        _, _, values = make_ratings(8, 6, 48, rank=0, noise=0, random_state=0)
        table = values.reshape(8, 6)
        assert_allclose(table - table[:1] - table[:, :1] + table[0, 0], 0, atol=1e-12)

    def test_float32_and_seeds(self):
        first, again, other = (
            make_ratings(30, 20, 100, dtype=np.float32, random_state=seed) for seed in (0, 0, 1)
        )
        assert first[2].dtype == np.float32
        for a, b in zip(first, again, strict=True):
            assert_array_equal(a, b)
        assert not np.array_equal(first[2], other[2])

    def test_more_entries_than_one_block(self, monkeypatch):
        whole = make_ratings(30, 20, 100, random_state=0)[2]
        monkeypatch.setattr("skmatrix.datasets._generators._BLOCK", 7)
        assert_allclose(make_ratings(30, 20, 100, random_state=0)[2], whole)

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"n_users": 2, "n_items": 3, "n_ratings": 7}, "n_ratings == 7, must be <= 6"),
            ({"rank": -1}, "'rank' parameter of make_ratings .* Got -1"),
            ({"popularity": -0.1}, "'popularity' parameter of make_ratings .* Got -0.1"),
            ({"dtype": int}, "dtype=int64 must be float32 or float64"),
        ],
    )
    def test_bad_parameter(self, options, match):
        with pytest.raises(ValueError, match=match):
            make_ratings(**options)


def _table(dtype=np.float64):
    X = np.arange(60, dtype=dtype).reshape(12, 5)
    X[::3, 1] = np.nan
    return X


class TestHideEntries:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_array(self, dtype):
        X = _table(dtype)
        visible, rows, columns, values = hide_entries(X, 0.25, random_state=0)
        assert visible.dtype == values.dtype == dtype
        assert rows.size == 14  # of 56 observed
        assert_array_equal(values, X[rows, columns])
        assert np.isnan(visible[rows, columns]).all()
        visible[rows, columns] = values
        assert_array_equal(visible, _table(dtype))  # X itself is untouched
        assert_array_equal(X, _table(dtype))

    def test_integers_become_floats(self):
        visible, rows, columns, values = hide_entries([[1, 2], [3, 4]], 0.5, random_state=0)
        assert visible.dtype == np.float64
        assert_array_equal(values, np.array([[1, 2], [3, 4]])[rows, columns])

    def test_dataframe_keeps_names_and_index(self):
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame(_table(), columns=list("abcde"), index=np.arange(12) + 100)
        X["e"] = X["e"].astype(int)
        visible, rows, columns, values = hide_entries(X, 0.25, random_state=0)
        same = hide_entries(_table(), 0.25, random_state=0)
        assert list(visible.columns) == list("abcde")
        assert list(visible.index) == list(X.index)
        for got, expected in zip((visible.to_numpy(), rows, columns, values), same, strict=True):
            assert_array_equal(got, expected)
        assert X["e"].notna().all()

    def test_dataframe_with_nullable_integers(self):
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame({"a": [1, 2, None, 4], "b": [5, 6, 7, 8]}, dtype="Int64")
        visible, rows, _, values = hide_entries(X, 0.4, random_state=0)
        assert rows.size == values.size == 3
        assert visible.isna().to_numpy().sum() == 4

    @pytest.mark.parametrize("container", [sparse.csr_array, sparse.csr_matrix, sparse.coo_array])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_sparse_hides_stored_entries_zeros_too(self, container, dtype):
        dense = _table(dtype)  # its first entry is a zero
        rows, columns = np.nonzero(~np.isnan(dense))
        X = container((dense[rows, columns], (rows, columns)), shape=dense.shape)
        visible, *hidden = hide_entries(X, 0.25, random_state=0)
        expected, *expected_hidden = hide_entries(dense, 0.25, random_state=0)
        for got, wanted in zip(hidden, expected_hidden, strict=True):
            assert_array_equal(got, wanted)
        assert visible.format == "csr"
        assert isinstance(visible, sparse.spmatrix) == isinstance(X, sparse.spmatrix)
        assert visible.dtype == dtype
        assert visible.nnz == 42
        coordinates = visible.tocoo()
        assert_array_equal((coordinates.row, coordinates.col), np.nonzero(~np.isnan(expected)))
        assert X.nnz == 56

    def test_stored_nan_is_not_observed(self):
        X = sparse.csr_array(([1.0, np.nan, 2.0, 3.0], ([0, 0, 1, 2], [0, 1, 1, 0])), shape=(3, 2))
        for seed in range(5):
            _, _, _, values = hide_entries(X, 0.5, random_state=seed)
            assert np.isfinite(values).all()

    @pytest.mark.parametrize(("fraction", "n_hidden"), [(1e-6, 1), (0.999, 55)])
    def test_at_least_one_entry_is_hidden_and_one_stays(self, fraction, n_hidden):
        visible, rows, *_ = hide_entries(_table(), fraction, random_state=0)
        assert rows.size == n_hidden
        assert np.isfinite(visible).sum() == 56 - n_hidden

    def test_seed(self):
        first, again, other = (hide_entries(_table(), 0.5, random_state=s)[0] for s in (0, 0, 1))
        assert_array_equal(first, again)
        assert not np.array_equal(first, other, equal_nan=True)

    @pytest.mark.parametrize("fraction", [0, 1, -0.5, 2.0])
    def test_bad_fraction(self, fraction):
        with pytest.raises(ValueError, match="'fraction' parameter of hide_entries"):
            hide_entries(_table(), fraction)

    @pytest.mark.parametrize("sparse_input", [False, True])
    def test_too_few_observed_entries(self, sparse_input):
        X = np.array([[np.nan, 1.0]])
        with pytest.raises(ValueError, match="X has 1 observed entries; at least 2 are needed"):
            hide_entries(sparse.csr_array(X) if sparse_input else X)
