"""Fits at the same time, and with other numbers of threads, are those of one fit alone."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from tests.instances import training_data
from tests.reliability import judge
from tests.reliability.properties import estimators

NAMES = [name for name, _ in estimators()]
pytestmark = pytest.mark.filterwarnings("ignore")


def data_for(estimator):
    """Data with a few hundred rows where the estimator takes tables, and y of its kind."""
    data = training_data(estimator)
    if len(data) == 1 or not get_tags(estimator).input_tags.two_d_array:
        return data
    rng = np.random.default_rng(1)
    X = rng.standard_normal((150, 5))
    y = X[:, 0] + 0.1 * rng.standard_normal(150)
    return X, (y > 0).astype(int) if is_classifier(estimator) else y


def fit_outputs(estimator, barrier=None):
    """Outputs of a fit, begun when all that share the barrier are ready."""
    data = data_for(estimator)
    if barrier is not None:
        barrier.wait()
    return judge.outputs(clone(estimator).fit(*data), data[0])


@pytest.mark.parametrize("name", NAMES)
def test_two_threads_fit_at_once(name):
    estimator = dict(estimators())[name]
    alone = fit_outputs(estimator)
    barrier = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(fit_outputs, estimator, barrier) for _ in range(2)]
        for task in tasks:
            assert judge.differences(task.result(), alone, judge.close) == []


@pytest.mark.parametrize("name", NAMES)
def test_two_threads_ask_one_estimator(name):
    estimator = clone(dict(estimators())[name])
    data = data_for(estimator)
    estimator.fit(*data)
    alone = judge.outputs(estimator, data[0])
    barrier = Barrier(2)

    def ask():
        barrier.wait()
        return judge.outputs(estimator, data[0])

    with ThreadPoolExecutor(2) as pool:
        for task in [pool.submit(ask) for _ in range(2)]:
            assert judge.differences(task.result(), alone, judge.close) == []


@pytest.mark.slow
def test_two_processes_fit_at_once():
    firsts = [(name, estimator) for name, estimator in estimators() if name.endswith("-0")]
    tasks = [delayed(fit_outputs)(estimator) for _, estimator in firsts for _ in range(2)]
    answers = Parallel(n_jobs=2, backend="loky")(tasks)
    for (name, estimator), *both in zip(firsts, answers[::2], answers[1::2], strict=True):
        alone = fit_outputs(estimator)
        for answer in both:
            assert judge.differences(answer, alone, judge.close) == [], name


@pytest.mark.parametrize("name", NAMES)
def test_number_of_threads_is_no_matter(name):
    estimator = dict(estimators())[name]
    answers = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            answers.append(fit_outputs(estimator))
    assert judge.differences(answers[1], answers[0], judge.close) == []


@pytest.mark.parametrize("name", [n for n, e in estimators() if "n_jobs" in e.get_params()])
def test_number_of_jobs_changes_no_bit(name):
    estimator = dict(estimators())[name]
    one, two = (fit_outputs(clone(estimator).set_params(n_jobs=n)) for n in (1, 2))
    assert judge.differences(two, one) == []


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("name", [n for n, e in estimators() if "backend" in e.get_params()])
def test_back_ends_agree(name, backend):
    if backend == "torch":
        pytest.importorskip("torch")
    estimator = dict(estimators())[name]
    expected = fit_outputs(clone(estimator).set_params(backend="numpy"))
    actual = fit_outputs(clone(estimator).set_params(backend=backend))

    def agree(one, other):
        return judge.close(one, other, rtol=1e-6)

    assert judge.differences(actual, expected, agree) == []
