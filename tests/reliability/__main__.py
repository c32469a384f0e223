"""Try many inputs on every estimator: ``python -m tests.reliability --examples 200``.

Prints the number of inputs tried and of distinct findings for each estimator, and the smallest
input that leads to each finding. The suite runs the same properties with few inputs.
"""

import argparse
import re
import time
from collections import Counter
from functools import partial

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.reliability import parameters
from tests.reliability.catalogue import PROPERTIES
from tests.reliability.properties import estimators
from tests.reliability.strategies import Sample, samples


def main():
    """Run the properties and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="inputs per property")
    parser.add_argument("--only", default="", help="names of estimators that begin with this")
    parser.add_argument("--properties", nargs="*", choices=PROPERTIES, default=list(PROPERTIES))
    parser.add_argument("--parameters", action="store_true", help="wrong parameters too")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n_findings = Counter()
    for name, _ in estimators():
        if name.startswith(options.only):
            tried, findings, seconds = survey(name, options)
            if options.parameters and name.endswith("-0"):
                n_values, flaws = parameters.survey(name)
                tried += n_values
                findings |= {f"parameters: {flaw}": (1, Sample()) for flaw in flaws}
            n_findings["inputs"] += tried
            n_findings["findings"] += len(findings)
            print(f"{name:36s} {tried:7d} inputs {len(findings):4d} findings {seconds:8.1f} s")
            for text, (count, sample) in sorted(findings.items()):
                print(f"    {count:5d} x {text}\n            {_brief(sample)}", flush=True)
    print(f"total: {n_findings['inputs']} inputs, {n_findings['findings']} findings")
    return int(n_findings["findings"] > 0)


def survey(name, options):
    """Count of inputs, the findings with their counts and smallest inputs, and the time."""
    findings, tried, begin = {}, Counter(), time.perf_counter()

    def note(key, check, sample):
        tried["inputs"] += 1
        for finding in check(name, sample):
            # Numbers differ from input to input, but for those of lines.
            text = f"{key}: {re.sub(r'(?<![:0-9])[-+]?[0-9][-+0-9.e]*', '#', finding)}"
            count, smallest = findings.get(text, (0, sample))
            findings[text] = (count + 1, min(smallest, sample, key=_size))

    for key in options.properties:
        check, hostile = PROPERTIES[key]
        strategy = samples(hostile=hostile).map(partial(partial, note, key, check))

        @seed(options.seed)
        @settings(
            max_examples=options.examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def search(attempt):
            attempt()

        search()
    return tried["inputs"], findings, time.perf_counter() - begin


def _size(sample):
    """What makes one sample simpler than another."""
    return len(_brief(sample)), abs(sample.exponent)


def _brief(sample):
    """The fields of a sample that are not the usual ones."""
    usual = vars(Sample())
    shown = [f"{k}={v!r}" for k, v in vars(sample).items() if v != usual[k]]
    return f"Sample({', '.join(shown)})"


if __name__ == "__main__":
    raise SystemExit(main())
