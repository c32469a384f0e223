"""The headline case of every method beside what one core needs for its work."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from unittest.mock import patch

from ._hardware import Work
from ._harness import CASES, Case, Clock, Contender, register

DOUBLE, SINGLE = 8, 4


@dataclass(frozen=True)
class Headline:
    """A workload of another case, and how its work is counted.

    ``functions`` are those whose calls are counted, by their path: the sum of what their counter
    says of each call, a dict of numbers, is passed to ``work`` with the parameters of the workload.
    """

    case: str
    parameters: dict
    work: Callable[..., Work]
    functions: dict[str, Callable[..., dict]] | None = None
    contender: int = 0


@dataclass
class Task:
    """A headline with its data and its work, and the factor of its clock."""

    run: Callable[[Clock], Any]
    work: Work
    factor: float


def make_task(method):
    """Run the headline of a method once, and count."""
    headline = HEADLINES[method]
    case = CASES[headline.case]
    data = case.make_data(**headline.parameters)
    contender, clock, totals = case.contenders[headline.contender], Clock(), {}
    with ExitStack() as stack:
        for path, count in (headline.functions or {}).items():
            module, name = path.split(":")
            module = import_module(f"skmatrix.{module}")
            counting = _counting(getattr(module, name), count, totals)
            stack.enter_context(patch.object(module, name, counting))
        contender.run(data, clock, 1)
    work = headline.work(**headline.parameters, **totals)
    return Task(lambda clock: contender.run(data, clock, 1), work, clock.factor)


def _counting(function, count, totals):
    """The function, which adds what is said of a call to the totals."""

    def call(*arguments, **options):
        result = function(*arguments, **options)
        for key, value in count(result, *arguments, **options).items():
            totals[key] = totals.get(key, 0) + value
        return result

    return call


def _densities(n, m, d, bandwidth):
    """A distance and an exponential for each pair of a point and a query."""
    return Work(products=n * m * (2 * d + 2), exponentials=n * m)


def _regression(n_samples, n_features):
    """Half a Gram matrix, eight numbers of a sketch, and two gradients: four passes."""
    size = n_samples * n_features
    return Work(
        products=size * (n_features + 2 * 8 + 2 * 4), streams=[(4 * DOUBLE * size, DOUBLE * size)]
    )


def _solves(_, start, stop, entries, system, results, rules):
    """Passes over the ratings of some rows or columns, and triangles made of them."""
    indptr, fixed, steps, (exact, direct_from, *_) = entries[0], system[0], results[2], rules
    lengths = indptr[start + 1 : stop + 1] - indptr[start:stop]
    direct = lengths[exact & (lengths >= direct_from)].sum()
    read = float(lengths @ (1 + steps[start:stop])) + float(direct)
    return {"read": read, "direct": float(direct), "table": read * fixed.nbytes}


def _completion(n_users, n_items, n_ratings, rank, read, direct, table):
    """A scalar product and a sum of vectors for a rating in a pass, or half a square of it."""
    k = rank + 2
    return Work(
        products=4 * k * read + k * k * direct,
        precision="float32",
        streams=[(2 * SINGLE * read, 4 * SINGLE * n_ratings)],
        reads=[(read, SINGLE * k, table / read)],
    )


def _covariances(order, lag, n=100, n_channels=22, n_times=1000):
    """A product of matrices for each delay, and the matrices that are written."""
    size, written = DOUBLE * n * n_channels * n_times, DOUBLE * n * (order * n_channels) ** 2
    return Work(
        products=n * 2 * n_channels**2 * n_times * (order - 0.5),
        streams=[(written, written), (size, size)],
    )


def _quantum(n_qubits, n_samples):
    """Gates and phases of the states, which are written and read, and half of their products."""
    size = 2**n_qubits
    # Of two repetitions the first gates act on a single state; the phases, and twice their use.
    circuit = 2 * n_qubits + 3 * 6
    states = 2 * DOUBLE * n_samples * size
    return Work(
        products=n_samples * size * (circuit + 4 * n_samples), streams=[(2 * states, states)]
    )


def _sums(_, be, places, indptr, weight, *tables, sizes, elementwise):
    """Kronecker products of second moments and of means for each entry."""
    n, packed, ranks = len(places), 1, 1
    for _, rank in sizes:
        packed, ranks = packed * rank * (rank + 1) // 2, ranks * rank
    numbers = sum(rank + rank * (rank + 1) // 2 for _, rank in sizes)
    read = n * DOUBLE * (places.shape[1] + 2)
    table = sum(a.nbytes for a in tables[1:])
    return {
        "products": n * 2 * (packed + ranks),
        "read": read,
        "rows": n * len(sizes),
        "row": n * DOUBLE * numbers,
        "table": n * len(sizes) * table,
    }


def _tensor(n_entries, products, read, rows, row, table):
    """The sums over the entries alone."""
    return Work(
        products=products,
        streams=[(read, 3 * 4 * DOUBLE * n_entries)],
        reads=[(rows, row / rows, table / rows)],
    )


def _mode_product(result, xp, tensor, matrix, axis):
    return {"products": 2 * result.size * matrix.shape[1]}


def _evidence(result, be, rotated, *powers, **options):
    return {"evidences": 1, "numbers": rotated.size}


def _kronecker(n, products, evidences, numbers):
    """Products along modes; for each evidence a logarithm, ten operations and two passes."""
    return Work(
        products=products + 10 * numbers,
        exponentials=numbers,
        streams=[(2 * DOUBLE * numbers, 3 * DOUBLE * numbers / evidences)],
    )


def _step(_, be, W, b, U, *others, **options):
    """Half a step of the solver: products with the points, and passes over four factors."""
    return {
        "products": 2 * U.size * (W.shape[2] + 2),
        "read": DOUBLE * (W.size + 4 * U.size),
        "within": DOUBLE * (W.size + 4 * U.size) ** 2,
    }


def _clustering(n, products, read, within):
    """Steps of the low-rank solver alone."""
    return Work(products=products, streams=[(read, DOUBLE * within / read)])


def _head(n_classes, n_samples=128, dim=128, n_steps=3):
    """Cosines with all vectors, their exponentials, and the way back."""
    pairs, vectors = n_steps * n_samples * n_classes, SINGLE * n_classes * dim
    return Work(
        products=4 * pairs * dim,
        exponentials=pairs,
        precision="float32",
        streams=[(2 * n_steps * vectors, vectors)],
    )


_CLUSTERING = "cluster._sdp_low_rank:"
_TENSOR = "decomposition._funbat_state:accumulate"
_COMPLETION = "impute._matrix_completion_numba:_solve_rows"
HEADLINES = {
    "KDE": Headline(
        "kde_10_features", {"n": 20_000, "m": 5000, "d": 10, "bandwidth": 0.7}, _densities
    ),
    "SketchedRegression": Headline(
        "sketched_regression_dense", {"n_samples": 262_144, "n_features": 100}, _regression
    ),
    "MatrixCompletion": Headline(
        "matrix_completion_speed",
        {"n_users": 6040, "n_items": 3706, "n_ratings": 1_000_000, "rank": 16},
        _completion,
        {_COMPLETION: _solves},
    ),
    "AugmentedCovariance": Headline(
        "augmented_covariance_speed", {"order": 10, "lag": 5}, _covariances
    ),
    "QuantumKernelSVC": Headline(
        "quantum_kernel_speed", {"n_qubits": 16, "n_samples": 100}, _quantum
    ),
    "FunBaT": Headline("funbat_growth", {"n_entries": 400_000}, _tensor, {_TENSOR: _sums}),
    "KroneckerSBL": Headline(
        "kronecker_sbl_size",
        {"n": 100},
        _kronecker,
        {
            "linear_model._kronecker_sbl_kernels:_mode_product": _mode_product,
            "linear_model._kronecker_sbl_state:evidence_terms": _evidence,
        },
        contender=1,
    ),
    "ILASDPClustering": Headline(
        "sdp_size",
        {"n": 10_000},
        _clustering,
        {_CLUSTERING + "advance": _step, _CLUSTERING + "gradient": _step},
    ),
    "EBVClassifier": Headline("ebv_head", {"n_classes": 100_000}, _head),
}


def _limit(task, clock, threads):
    """The longest of arithmetic, streams and scattered reads at the rates of this machine."""
    seconds = task.work.seconds()
    clock.extrapolate(task.factor)
    clock.wall = clock.cpu = max(seconds.values())
    return {key: value * task.factor for key, value in seconds.items()}


def _ours(task, clock, threads):
    task.run(clock)
    return {}


register(
    Case(
        name="limits",
        title="Distance from what one core can do",
        make_data=make_task,
        contenders=[Contender("one core at its best", _limit), Contender("skmatrix", _ours)],
        workloads={
            "full": [{"method": method} for method in HEADLINES],
            "tiny": [{"method": "KDE"}, {"method": "KroneckerSBL"}],
        },
        memory=False,
        reference="at best",
        remarks=(
            "What the algorithm has to do is counted, and the rates of this core are measured in "
            "the same run: additions and multiplications by those of a product of matrices by "
            "BLAS, exponentials and logarithms by those of NumPy's vectorised exponential, "
            "streams by those of a scalar product of vectors that take as many bytes, and "
            "scattered reads by those of single cache lines of a table as large. The longest of "
            "these, in seconds, is the limit; what is not counted, and all of Python, comes on top."
        ),
    )
)
