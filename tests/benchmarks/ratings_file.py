"""The contenders of the ratings cases on a file of ratings, such as that of MovieLens-10M.

``python -m tests.benchmarks.ratings_file --path ratings.dat`` reads lines of user, item, rating
and anything else, separated by ``::``, a tab or a comma. The file is not part of this project.
"""

import argparse

import numpy as np

from ._harness import Case, measure
from .bench_matrix_completion import RATINGS_CONTENDERS, Ratings


def read_ratings(path):
    """Pairs of positions, values and shape out of a file of ratings."""
    with open(path, encoding="latin-1") as file:
        first = file.readline()
    separator = next((mark for mark in ("::", "\t", ",") if mark in first), None)
    if separator is None:
        raise ValueError(f"{path} must separate its columns by '::', a tab or a comma.")
    header = int(not first.split(separator)[0].strip().isdigit())
    with open(path, encoding="latin-1") as file:
        lines = (line.replace("::", ",").replace("\t", ",") for line in file)
        table = np.loadtxt(lines, delimiter=",", usecols=(0, 1, 2), skiprows=header)
    pairs, shape = np.empty((len(table), 2), dtype=np.int64), []
    for side in range(2):
        ids, pairs[:, side] = np.unique(table[:, side], return_inverse=True)
        shape.append(ids.size)
    return pairs, table[:, 2], tuple(shape)


def main(arguments=None):
    """Compare the contenders on the file."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.ratings_file", description=__doc__
    )
    parser.add_argument("--path", required=True, help="file of ratings")
    parser.add_argument("--rank", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    pairs, values, shape = read_ratings(options.path)
    settings = {
        "shape": shape,
        "rank": options.rank,
        "n_epochs": options.epochs,
        "alpha": options.alpha,
        "clip": (values.min(), values.max()),
    }
    case = Case(
        name="matrix_completion_ratings_file",
        title=f"Matrix completion: {options.path}",
        make_data=lambda seed: Ratings.split(pairs, values, seed, **settings),
        contenders=RATINGS_CONTENDERS,
        workloads={"full": [{"seed": 0}]},
        packages=("scikit-surprise", "cmfrec"),
    )
    return measure(case, rounds=options.rounds, threads=options.threads, fresh_process=False)


if __name__ == "__main__":
    main()
