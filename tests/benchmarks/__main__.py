"""Command line: ``python -m tests.benchmarks [CASE ...] [options]``."""

import argparse
import json
import os

from ._harness import ROOT, load_cases, measure, probe
from ._tables import write_report


def main(arguments=None):
    """List, run or write benchmark cases."""
    cases = load_cases()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="cases to run; all when none")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--rounds", type=int, default=5, help="rounds after the warm-up")
    parser.add_argument("--size", choices=["tiny", "full"], default="full")
    parser.add_argument("--threads", type=int, default=_available_cores())
    parser.add_argument("--write", action="store_true", help="write the pages of doc/benchmarks")
    parser.add_argument("--no-memory", action="store_true", help="no run in a fresh process")
    parser.add_argument("--probe", nargs=2, metavar=("CASE", "CONTENDER"), help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)

    if options.probe:
        case = cases[options.probe[0]]
        contender = case.contender(options.probe[1])
        print(json.dumps(probe(case, contender, options.data, options.threads)))
        return
    unknown = [name for name in options.cases if name not in cases]
    if unknown:
        parser.error(f"unknown case {unknown[0]!r}; the cases are {', '.join(cases)}")
    if options.list:
        for case in cases.values():
            print(f"{case.name:40}{case.title}")
        return
    for name in options.cases or cases:
        report = measure(
            cases[name],
            size=options.size,
            rounds=options.rounds,
            threads=options.threads,
            fresh_process=not options.no_memory,
        )
        if options.write and "skipped" not in report:
            write_report(report, ROOT / "doc" / "benchmarks")


def _available_cores():
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


if __name__ == "__main__":
    main()
