"""What the estimators have in common beyond scikit-learn's own conventions."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import has_fit_parameter

from skmatrix.utils import all_displays, all_estimators
from tests.callbacks import Watcher
from tests.instances import INSTANCES, instance, is_installed, training_data

ROOT = Path(__file__).parents[1]
TAIL = ["n_jobs", "random_state", "verbose", "backend"]
# Iterations in libsvm are scikit-learn's to describe: `fit_status_`.
OTHERWISE = ["QuantumKernelSVC"]
# What makes a fit go through iterations, beside a hundred times the rows.
ITERATIVE = {"SketchedRegression": {"solver": "iterative"}}


def parameters_of(cls):
    """Names of the parameters of a constructor, in order."""
    return list(inspect.signature(cls).parameters)


def fittable(*names):
    """Estimators that have all of some parameters."""
    for name, cls in all_estimators():
        if is_installed(name) and set(names) <= set(parameters_of(cls)):
            yield pytest.param(name, cls, id=name)


def prepared(name, cls):
    """An instance whose fit goes through iterations, if there are any, and data for it."""
    estimator = instance(cls, INSTANCES[name][0])
    data = training_data(estimator)
    if name in ITERATIVE:
        data = [np.concatenate(100 * [array]) for array in data]
    return estimator.set_params(**ITERATIVE.get(name, {})), data


@pytest.mark.parametrize(("name", "cls"), all_estimators())
def test_constructors_end_in_the_same_order(name, cls):
    own = [parameter for parameter in TAIL if parameter in parameters_of(cls)]
    assert own == [] or parameters_of(cls)[-len(own) :] == own


@pytest.mark.parametrize(("name", "cls"), all_estimators())
def test_no_parameter_has_a_private_name_for_a_common_thing(name, cls):
    """Synonyms of names that other estimators, or scikit-learn, have."""
    synonyms = "n_restarts|n_starts|fit_bias|nnz|n_iter|max_iters|seed|lambda_?|lam"
    assert not [p for p in parameters_of(cls) if re.fullmatch(f"(.*_)?({synonyms})", p)]


@pytest.mark.parametrize(("name", "cls"), fittable("verbose"))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_verbose_fits_print_lines_that_begin_with_the_class(name, cls, capsys):
    model, data = prepared(name, cls)
    model.fit(*data)
    assert capsys.readouterr().out == ""
    choice = {"order": "grid", "orders": [1, 2]} if name.startswith("Augmented") else {}
    model.set_params(verbose=1, **choice).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith(f"[{name}] ") for line in lines)


@pytest.mark.parametrize(("name", "cls"), fittable("max_iter", "tol"))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_iterative_fits_tell_how_they_ended(name, cls):
    model, data = prepared(name, cls)
    model.fit(*data)
    if name not in OTHERWISE:
        assert isinstance(model.n_iter_, int)
        assert isinstance(model.converged_, bool)


@pytest.mark.parametrize(("name", "cls"), fittable("verbose"))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_callbacks_score_as_the_fit_weighs(name, cls):
    estimator, (X, *y) = prepared(name, cls)
    if not has_fit_parameter(estimator, "sample_weight"):
        pytest.skip("has no weights")
    weight = np.linspace(0.01, 3, len(X))
    told = []

    class Weights(Watcher):
        def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
            np.testing.assert_array_equal(metadata["sample_weight"], weight)
            if context.task_name == "iteration":
                told.append(fitted_estimator.score(X, y, **metadata))

    model = estimator.set_callbacks(Weights(None)).fit(X, *y, sample_weight=weight)
    if not told:
        pytest.skip("has no iterations of its own")
    assert told[-1] == pytest.approx(model.score(X, *y, sample_weight=weight), abs=1e-3)


# Fits of other kinds than the instances': several problems, or none to iterate on.
OTHER_FITS = [
    ("AugmentedCovarianceClassifier", {"order": "grid", "orders": [1, 2], "lag": 1}),
    ("ILASDPClustering", {"n_clusters": "auto", "max_clusters": 3}),
    ("ILASDPClustering", {"n_clusters": 1}),
    ("KroneckerSBL", {"solver": "auto"}),
    ("MatrixCompletion", {"n_components": "auto"}),
    ("SDPKMeans", {"n_clusters": 1, "n_init": 2}),
    ("SDPKMeans", {"n_init": 2}),
]


def observed_fits():
    """Names and parameters of the fits that take callbacks."""
    classes = dict(all_estimators())
    for name, parameters in [*((name, {}) for name in classes), *OTHER_FITS]:
        if is_installed(name) and issubclass(classes[name], CallbackSupportMixin):
            yield pytest.param(name, classes[name], parameters, id=f"{name}-{parameters}")


@pytest.mark.parametrize(("name", "cls", "parameters"), observed_fits())
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_callbacks_begin_and_end_once(name, cls, parameters):
    """A second context of a fit would take the first one's callbacks along, unfinished."""
    events = []

    class Counter(Watcher):
        def setup(self, estimator, context):
            events.append("setup")

        def teardown(self, estimator, context):
            events.append("teardown")

        def on_fit_task_begin(self, estimator, context):
            events.append(("begin", context.task_name))

        def on_fit_task_end(self, estimator, context):
            events.append(("end", context.task_name))

    model, data = prepared(name, cls)
    model.set_params(**parameters).set_callbacks(Counter(None)).fit(*data)
    assert [events[0], events[-1]] == ["setup", "teardown"]
    assert events.count("setup") == events.count("teardown") == 1
    assert events[1:3] == [("begin", "fit"), ("begin", events[2][1])]
    assert events[-2] == ("end", "fit")
    for kind in set(events[1:-1]):
        other = ("end" if kind[0] == "begin" else "begin", kind[1])
        assert events.count(kind) == events.count(other)


@pytest.mark.parametrize(("name", "cls"), all_estimators())
def test_an_unfitted_estimator_says_so_to_dask_arrays_too(name, cls):
    da = pytest.importorskip("dask.array")
    X = da.ones((4, 3))
    for method in ("predict", "transform", "score_samples", "decision_function"):
        if hasattr(cls, method):
            with pytest.raises((NotFittedError, TypeError), match=r"is not fitted|dask"):
                getattr(cls(), method)(X)


@pytest.mark.parametrize("page", ["README.rst", "doc/index.rst", "doc/which_estimator.rst"])
def test_pages_for_newcomers_name_every_estimator(page):
    text = (ROOT / page).read_text()
    assert not [name for name, _ in all_estimators() if not re.search(rf"\b{name}\b", text)]


def test_the_change_log_names_every_estimator_and_display():
    text = (ROOT / "doc" / "whats_new.rst").read_text()
    public = [*all_estimators(), *all_displays()]
    assert not [name for name, _ in public if not re.search(rf"\b{name}\b", text)]
