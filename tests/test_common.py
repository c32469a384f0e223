"""scikit-learn's checks on every public estimator, and on the toys that stand for all.

Each instance is checked as it is and on each engine; ``backend="cupy"`` runs on the
simulated GPU. The array-API checks need ``SCIPY_ARRAY_API=1`` in the environment.
"""

import os
from functools import partial

import pytest
from sklearn.base import is_classifier
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmatrix.utils import all_estimators
from tests.checks import engine_variants, prepare_engine, run_check
from tests.instances import INSTANCES, expected_failures, is_installed
from tests.toys import ToyCentroids, ToyRidge, ToyScaler

ESTIMATORS = [
    *(
        cls(**arguments)
        for name, cls in all_estimators()
        if is_installed(name)
        for arguments in INSTANCES.get(name, ())
    ),
    ToyRidge(),
    ToyCentroids(),
    ToyScaler(),
]
ON_ENGINES = [variant for estimator in ESTIMATORS for variant in engine_variants(estimator)]


def takes_tables(estimator):
    """Whether X is a table of numbers."""
    return get_tags(estimator).input_tags.two_d_array


def _described(estimator):
    """Name of an instance in the test's identifier."""
    return repr(estimator).replace("\n", "").replace(" ", "")


def test_every_estimator_has_an_entry_with_an_instance():
    assert {name for name, _ in all_estimators()} == {name for name in INSTANCES if INSTANCES[name]}


# scikit-learn has checks with data for estimators of tables alone. What else there is has tests
# of its own, beside the checks below.
@parametrize_with_checks(
    [e for e in ON_ENGINES if takes_tables(e)],
    expected_failed_checks=expected_failures,
    xfail_strict=True,
)
def test_estimator_passes_check(estimator, check, request):
    prepare_engine(estimator, request)
    run_check(check, estimator)


# Checks that scikit-learn runs on its own estimators but not in check_estimator.
PARAMETER_CHECKS = ["check_param_validation"]
# Those of check_estimator that need no data, for estimators that it refuses.
DATALESS_CHECKS = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]
TABLE_CHECKS = ["check_dataframe_column_names_consistency", "check_inplace_ensure_writeable"]
TRANSFORMER_CHECKS = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
]


def _extra_checks():
    """Pairs of an instance and the name of a further check that applies to it."""
    for estimator in ESTIMATORS:
        names = PARAMETER_CHECKS + (TABLE_CHECKS if takes_tables(estimator) else DATALESS_CHECKS)
        # Without set_output the result of transform is no table.
        if hasattr(estimator, "set_output"):
            names = names + TRANSFORMER_CHECKS
        for name in names:
            yield pytest.param(estimator, name, id=f"{_described(estimator)}-{name}")


@pytest.mark.parametrize(("estimator", "name"), _extra_checks())
def test_estimator_passes_extra_check(estimator, name):
    check = getattr(estimator_checks, name)
    run_check(check, type(estimator).__name__, estimator)


@pytest.mark.skipif(
    os.environ.get("SCIPY_ARRAY_API") != "1",
    reason="array-API dispatch needs SCIPY_ARRAY_API=1",
)
@pytest.mark.parametrize("library", ["array_api_strict", "torch"])
@pytest.mark.parametrize(
    "estimator",
    [e for e in ON_ENGINES if takes_tables(e) and get_tags(e).array_api_support],
    ids=_described,
)
def test_array_api_gives_the_values_of_numpy(estimator, library, request, monkeypatch):
    prepare_engine(estimator, request)
    # Fitted attributes that hold times can be compared only if the clock stands still.
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)
    # On torch, scikit-learn averages the accuracy that `score` returns in float32.
    rounded = is_classifier(estimator) and library == "torch"
    check = partial(
        estimator_checks.check_array_api_input_and_values,
        array_namespace=library,
        device_name={"array_api_strict": "device1", "torch": "cpu"}[library],
        dtype_name="float32" if rounded else "float64",
        check_sample_weight=True,
    )
    run_check(check, type(estimator).__name__, estimator)
