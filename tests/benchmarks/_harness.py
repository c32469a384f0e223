"""Interleaved rounds, the first call, the memory of a fresh process, and growth with size.

A case has data and contenders. A contender is a function ``run(data, clock, threads)`` that puts
the work to be timed into ``with clock:`` and returns a dict of accuracies. Contenders take turns
(ours, peer, ours, peer, ...), so that a machine that is not quiet slows all of them alike; the
ratio of their medians is what counts, single times are not.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import json
import os
import pickle
import pkgutil
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import skmatrix

ROOT = Path(__file__).resolve().parents[2]
CASES: dict[str, "Case"] = {}


class Clock:
    """Wall and CPU time (of all threads) spent inside its ``with`` block."""

    wall = cpu = float("nan")
    factor = 1.0

    def __enter__(self):
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.wall = time.perf_counter() - self._start[0]
        self.cpu = time.process_time() - self._start[1]

    def extrapolate(self, factor):
        """Say that the whole work is `factor` times the work that was done."""
        self.factor = float(factor)


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    ``requires`` names modules without which it is reported as not installed; ``compiled`` asks for
    the first call in a fresh process; ``max_rounds`` caps the rounds of a slow contender, and one
    round goes without a warm-up.
    """

    name: str
    run: Callable[[Any, Clock, int], dict[str, float]]
    requires: tuple[str, ...] = ()
    compiled: bool = False
    max_rounds: int | None = None

    @property
    def missing(self):
        """The required modules that are not installed."""
        return [module for module in self.requires if find_spec(module) is None]


class Unavailable(Exception):
    """Raised by ``make_data`` where this machine has not what the case takes; the text says it."""


@dataclass(frozen=True)
class Case:
    """One comparison; the first contender is ours, or what ``reference`` says of it.

    ``workloads`` maps a size ("tiny", "full") to a list of keyword arguments of ``make_data``. With
    ``growth`` the workloads are a sweep over that argument, and exponents are fitted. A case that
    is not ``timed`` is about accuracies alone: it runs once, and its table has no times.
    """

    name: str
    title: str
    make_data: Callable[..., Any]
    contenders: Sequence[Contender]
    workloads: Mapping[str, Sequence[dict[str, Any]]]
    requires: tuple[str, ...] = ()
    growth: str | None = None
    memory: bool = True
    timed: bool = True
    max_rounds: int | None = None
    remarks: str = ""
    reference: str = "ours"
    packages: tuple[str, ...] = field(default=())

    def contender(self, name):
        """The contender of that name."""
        return next(contender for contender in self.contenders if contender.name == name)


def register(case):
    """Add a case to the list; its name must be new."""
    if case.name in CASES:
        raise ValueError(f"There are two benchmark cases of the name {case.name!r}.")
    CASES[case.name] = case
    return case


def load_cases():
    """Import every ``bench_*.py`` of this folder and return the registered cases."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name.startswith("bench_"):
            importlib.import_module(f"{__package__}.{module.name}")
    return CASES


def run_once(contender, data, threads):
    """One run: its clock and what it returned."""
    clock = Clock()
    with threadpool_limits(threads), quiet():
        accuracy = contender.run(data, clock, threads)
    return clock, {key: float(value) for key, value in accuracy.items()}


def on_torch_threads(run):
    """A contender whose torch keeps to the threads of the run."""

    @functools.wraps(run)
    def limited(data, clock, threads, **options):
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return run(data, clock, threads, **options)
        finally:
            torch.set_num_threads(before)

    return limited


@contextlib.contextmanager
def quiet():
    """Without warnings: few epochs on purpose, and deprecations inside peers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def measure(case, *, size="full", rounds=5, threads=1, fresh_process=True, echo=print):
    """Run a case and return its report, a dict that goes into JSON as it is."""
    report = {
        "case": case.name,
        "title": case.title,
        "remarks": case.remarks,
        "timed": case.timed,
        "reference": case.reference,
        "size": size,
        "environment": environment(case, threads),
        "workloads": [],
    }
    missing = [module for module in case.requires if find_spec(module) is None]
    if missing:
        report["skipped"] = f"not installed: {', '.join(missing)}"
        echo(f"{case.name}: {report['skipped']}")
        return report
    rounds = min(rounds, case.max_rounds or rounds) if case.timed else 1
    fresh_process = fresh_process and case.memory and case.timed
    for parameters in case.workloads[size]:
        echo(f"{case.name}: {label(parameters)}")
        try:
            entry = _measure_workload(case, parameters, rounds, threads, fresh_process)
        except Unavailable as reason:
            report["skipped"] = str(reason)
            echo(f"{case.name}: {reason}")
            return report
        report["workloads"].append({"parameters": parameters, "contenders": entry})
        echo("\n".join(_text_lines(entry)))
    if case.growth:
        report["growth"] = fit_growth(report["workloads"], case.growth)
        for name, fit in report["growth"]["contenders"].items():
            echo(f"  growth with {case.growth}, {name}: exponent {fit['exponent']:.2f}")
    return report


def _measure_workload(case, parameters, rounds, threads, fresh_process):
    """Results of every contender on one data set, by name."""
    with quiet():
        data = case.make_data(**parameters)
    results, active = {}, []
    for contender in case.contenders:
        if contender.missing:
            status = f"not installed: {', '.join(contender.missing)}"
        else:
            status = "ok"
            active.append(contender)
        results[contender.name] = {"status": status}
    runs = {contender.name: [] for contender in active}
    for turn in range(-1, rounds):  # the first turn warms up
        for contender in active:
            allowed = contender.max_rounds or rounds
            if turn >= allowed or (turn < 0 and allowed == 1):
                continue
            outcome = run_once(contender, data, threads)
            if turn >= 0:
                runs[contender.name].append(outcome)
    for name, outcomes in runs.items():
        results[name].update(_summarise(outcomes))
    reference = case.contenders[0].name
    for name in runs:
        if name != reference and reference in runs:
            results[name]["ratio"] = time_ratio(results[name], results[reference])
    if fresh_process:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.pickle"
            with path.open("wb") as file:
                pickle.dump(data, file, protocol=5)
            del data
            for contender in active:
                probed = _probe_in_fresh_process(case, contender, path, threads)
                results[contender.name].update(probed)
    return results


def _summarise(outcomes):
    """Times of all rounds, their minimum and median, and the accuracy of the first round."""
    clock, accuracy = outcomes[0]
    summary = {"rounds": len(outcomes), "accuracy": accuracy, "extrapolated_by": clock.factor}
    for kind in ("wall", "cpu"):
        times = [getattr(clock, kind) * clock.factor for clock, _ in outcomes]
        summary[kind] = {
            "all": times,
            "min": min(times),
            "median": statistics.median(times),
        }
    return summary


def time_ratio(other, reference):
    """How many times longer than the reference: ratio of medians, and its extremes by round.

    A contender with fewer rounds is compared with every round of the reference.
    """
    ratio = {}
    for kind in ("wall", "cpu"):
        times, reference_times = other[kind]["all"], reference[kind]["all"]
        together = zip if len(times) == len(reference_times) else product
        pairs = list(together(times, reference_times))
        by_round = [a / b for a, b in pairs if b > 0]
        ratio[kind] = {
            "of_medians": other[kind]["median"] / max(reference[kind]["median"], 1e-9),
            "low": min(by_round, default=float("nan")),
            "high": max(by_round, default=float("nan")),
        }
    return ratio


def fit_growth(workloads, variable):
    """Slope of log median time over log size, and the factor of each step, per contender."""
    sizes = [workload["parameters"][variable] for workload in workloads]
    fits = {}
    for name, first in workloads[0]["contenders"].items():
        if first["status"] != "ok":
            continue
        times = [workload["contenders"][name]["wall"]["median"] for workload in workloads]
        slope = np.polyfit(np.log(sizes), np.log(times), 1)[0]
        steps = [after / before for before, after in pairwise(times)]
        fits[name] = {"median": times, "exponent": float(slope), "steps": steps}
    return {"variable": variable, "sizes": sizes, "contenders": fits}


def _probe_in_fresh_process(case, contender, data_path, threads):
    """First call and peak memory, from processes that did nothing else before."""
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    with tempfile.TemporaryDirectory() as cache:
        env = os.environ | dict.fromkeys(variables, str(threads))
        if contender.compiled:
            env["NUMBA_CACHE_DIR"] = cache  # empty: nothing is compiled yet
        command = [sys.executable, "-m", __package__, "--probe", case.name, contender.name]
        command += ["--threads", str(threads)]

        def call(*arguments):
            done = subprocess.run(
                [*command, *arguments], cwd=ROOT, env=env, capture_output=True, text=True
            )
            if done.returncode:
                raise RuntimeError(f"{case.name}, {contender.name}:\n{done.stderr}")
            return json.loads(done.stdout.splitlines()[-1])

        if not contender.compiled:
            return {"memory": call("--data", str(data_path))["memory"]}
        cold = call()["first_call"]
        cached = call("--data", str(data_path))
        return {
            "memory": cached["memory"],
            "first_call": {"compiling": cold, "cached": cached["first_call"]},
        }


def probe(case, contender, data_path, threads):
    """Inside the fresh process: the extra cost of a first call, then the peak of one run.

    The first run on the tiny data imports and compiles, the second does not: so tiny has to be as
    large as it takes for a compiled kernel to be used. The memory counts from the data and the
    imported packages on.
    """
    with quiet():
        tiny = case.make_data(**case.workloads["tiny"][0])
    first, second = (run_once(contender, tiny, threads)[0] for _ in range(2))
    extra = {kind: getattr(first, kind) - getattr(second, kind) for kind in ("wall", "cpu")}
    found = {"first_call": extra}
    if data_path:
        with open(data_path, "rb") as file:
            data = pickle.load(file)
        before = _reset_peak_memory()
        run_once(contender, data, threads)
        peak = _memory("VmHWM")
        found["memory"] = {"before_mb": before, "peak_mb": peak, "added_mb": peak - before}
    return found


def _reset_peak_memory():
    """Resident memory now, in MB; where the system allows it the peak starts anew from here."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _memory(key):
    """A figure of the process status in MB, or the lifetime peak where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def environment(case, threads):
    """Versions, processor and threads."""
    versions = {"skmatrix": skmatrix.__version__}
    for name in ("numpy", "scipy", "scikit-learn", "numba", *case.packages):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": versions,
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
    }


def _processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def label(parameters):
    """Arguments of a workload in one line."""
    return ", ".join(f"{key}={_number(value)}" for key, value in parameters.items()) or "default"


def _number(value):
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace(",", " ") if abs(value) >= 10_000 else str(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text_lines(contenders):
    """The results of one workload, a line each, for the terminal."""
    for name, result in contenders.items():
        if result["status"] != "ok":
            yield f"  {name}: {result['status']}"
            continue
        wall, cpu = result["wall"], result["cpu"]
        text = f"  {name}: wall {wall['median']:.3g} s (min {wall['min']:.3g})"
        text += f", cpu {cpu['median']:.3g} s"
        if result["extrapolated_by"] != 1:
            text += f", extrapolated by {result['extrapolated_by']:.3g}"
        if "ratio" in result:
            ratio = result["ratio"]["wall"]
            text += f", ratio {ratio['of_medians']:.3g} [{ratio['low']:.3g}, {ratio['high']:.3g}]"
        for key, value in result["accuracy"].items():
            text += f", {key} {value:.5g}"
        if "memory" in result:
            memory = result["memory"]
            text += f", memory +{memory['added_mb']:.0f} MB, peak {memory['peak_mb']:.0f} MB"
        if "first_call" in result:
            first = result["first_call"]
            text += f", first call +{first['compiling']['cpu']:.2f} s cpu"
            text += f" (cached +{first['cached']['cpu']:.2f} s)"
        yield text
