"""A fit without units: where runs start, how they go on, and which one counts."""

import math

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._iterate import Iterations, tasks, warn_caller, warn_unfinished
from ._kronecker_sbl_decompose import combine, split
from ._kronecker_sbl_kernels import absolute_squares
from ._kronecker_sbl_outcome import Outcome, Solution
from ._kronecker_sbl_parameters import chosen_n_init, couplings, thresholds
from ._kronecker_sbl_solvers import Run, Settings
from ._kronecker_sbl_state import State

# Prior power of the signal at the start, in units of the power of the data.
_INIT_SCALE, _INIT_SCALE_COUPLED = 10.0, 3e-3
# Standard deviation of the logarithms of random variances to start from.
_START_SPREAD = 2.0
# Whose turn it is to try another start, if there are several solvers: an iteration of "mm" takes as
# long as three of "svd".
_TURNS = ("svd", "svd", "svd", "mm")
# Iterations of the first start that others take over from, and iterations after which the worse
# half of these is given up. More of them choose no better, at 4 to 25 dB.
_FIRST, _TRIAL = 20, 5
# Known noise in units of the mean square of the data beyond which nothing can be learnt.
_HOPELESS = 1e12


def solve(estimator, X, y, problem, units, noise, solvers, attributes):
    """Solve a problem.

    Parameters
    ----------
    estimator : KroneckerSBL
        Parameters.
    X, y : array-like or tuple
        What the user passed, for callbacks.
    problem : Problem
        The problem.
    units : Units
        Its units.
    noise : float or None
        Known noise variance, None if it is to be estimated.
    solvers : list of str
        Solvers to run; the best counts.
    attributes : callable
        Makes fitted attributes of a solution.

    Returns
    -------
    solution : Solution
        What was found.
    """
    if problem.is_silent or (noise is not None and noise > _HOPELESS * problem.mean_square):
        return Solution(Outcome.silent(problem, units, noise), solvers[-1], 1, True, [])
    if solvers == ["decompose"]:
        return _solve_parts(estimator, X, y, problem, units, noise)
    run = best_run(estimator, problem, noise, solvers)
    return iterated(estimator, X, y, run, units, attributes)


def iterated(estimator, X, y, run, units, attributes):
    """Solution of a run, of whose further iterations callbacks are told."""
    rule = {"max_iter": estimator.max_iter, "tol": estimator.tol, "done": run.n_iter}
    loop = Iterations(estimator, X, y, **rule)
    for _ in loop:
        run.step()
        loop.update(run.change, state=lambda: attributes(Solution.of(run, units, estimator.tol)))
    if run.settings.learn_noise and run.state.noise <= run.state.problem.noise_floor:
        warn_caller(
            "The noise variance has reached its floor, the rounding error of y: the data are fitted"
            " exactly. Pass noise_variance if they have noise.",
            ConvergenceWarning,
        )
    return Solution.of(run, units, estimator.tol)


def best_run(estimator, problem, noise, solvers, start=None):
    """The best run of all solvers and starts, with an iteration left at least.

    Parameters
    ----------
    estimator : KroneckerSBL
        Parameters.
    problem : Problem
        The problem.
    noise : float or None
        Known noise variance, None if it is to be estimated.
    solvers : list of str
        Solvers to run.
    start : callable, default=None
        Makes a run, as :func:`start_run` does.

    Returns
    -------
    run : Run
        At its start if it is the only one, otherwise near its end.
    """
    start = start or start_run
    n_init = chosen_n_init(estimator, solvers)
    runs = [start(estimator, solver, problem, noise) for solver in solvers]
    if len(runs) == n_init == 1:
        return runs[0]
    if n_init > 1:
        runs = [*runs, *_further_run(estimator, problem, noise, runs, start, n_init)]
    for run in runs:
        _advance(estimator, run, estimator.max_iter)
    return min(runs, key=Run.criterion)


def _further_run(estimator, problem, noise, runs, start, n_init):
    """A run from what the best of the first ones has found but for one factor, in a list.

    The list is empty if nothing was found. The run is what is left of many, of which the worse half
    is given up again and again.
    """
    for run in runs:
        _advance(estimator, run, _FIRST)
    found = min(runs, key=Run.criterion).state.full_gammas()
    if not all(gamma.any() for gamma in found):
        return []
    solvers = [run.solver for run in runs]
    turns = _TURNS if len(solvers) > 1 else solvers
    rng = check_random_state(estimator.random_state)
    trials = []
    for place, mode in enumerate(_modes_to_redraw(problem.factors, n_init - 1)):
        gammas = list(found)
        spread = _START_SPREAD if place else 0.0
        gammas[mode] = np.exp(spread * rng.standard_normal(problem.shape[mode]))
        solver = turns[place % len(turns)]
        trials.append(start(estimator, solver, problem, noise, gammas))
    return [_survivor(estimator, trials)]


def _survivor(estimator, runs):
    """The last of the runs, of which the worse half is given up until one is left."""
    n_iter = 0
    while len(runs) > 1:
        n_iter += _TRIAL
        for run in runs:
            _advance(estimator, run, n_iter)
        runs = sorted(runs, key=Run.criterion)[: (len(runs) + 1) // 2]
    return runs[0]


def _advance(estimator, run, n_iter):
    """Go on up to an iteration, but for the last that is allowed, or until little changes."""
    while run.n_iter < min(n_iter, estimator.max_iter - 1) and run.change > estimator.tol:
        run.step()


def _modes_to_redraw(factors, n_trials):
    """A mode for each trial, more often one with few rows, whose variances are easily wrong."""
    shares = np.array([max(A.shape[1] / A.shape[0] - 1, 0.0) ** 2 for A in factors])
    shares = shares if shares.any() else np.ones(len(factors))
    places = (np.arange(n_trials) + 0.5) / max(n_trials, 1)
    return np.searchsorted(np.cumsum(shares / shares.sum()), places)


def start_run(estimator, solver, problem, noise, gammas=None, cuts=None):
    """A run of a solver at its start.

    Parameters
    ----------
    estimator : KroneckerSBL
        Its parameters.
    solver : str
        Name of the solver.
    problem : Problem
        The problem.
    noise : float or None
        Known noise variance, None if it is to be estimated.
    gammas : list of ndarray of shape (n_k,), default=None
        Prior variances to start from, up to their scale; an index without is dropped. None is
        equal ones.
    cuts : list of float, default=None
        Shares of the largest prior variances below which indices are dropped. None is what the
        parameters say.

    Returns
    -------
    run : Run
        The run. The prior power of the signal is `init_scale` times the power of the data.
    """
    K = len(problem.shape)
    settings = Settings(
        thresholds(estimator, solver, K) if cuts is None else cuts,
        noise is None,
        estimator.inner_max_iter,
        estimator.inner_tol,
    )
    coupled = couplings(estimator, problem.shape)
    scale = estimator.init_scale
    if scale is None:
        scale = _INIT_SCALE if estimator.coupling is None else _INIT_SCALE_COUPLED
    if gammas is None:
        power = _prior_power(problem, [np.ones(n) for n in problem.shape])
        gammas = [
            np.ones(n) if coupling is None else coupling.gamma
            for n, coupling in zip(problem.shape, coupled, strict=True)
        ]
    else:
        for mode, coupling in enumerate(coupled):
            if coupling is not None:
                coupling.latent = gammas[mode]
                gammas[mode] = coupling.gamma
        power = _prior_power(problem, gammas)
    total = problem.mean_square * problem.n_free
    gammas = [*gammas[:-1], gammas[-1] * (scale * total / power)]
    if noise is None:
        noise = max(estimator.noise_init * problem.mean_square, problem.noise_floor)
    run = Run(solver, State(problem, gammas, noise), settings, coupled)
    run.drop_unseen()
    run.state.normalise()
    return run


def _prior_power(problem, gammas):
    """Power of the signal that prior variances expect."""
    be = problem.be
    squares = (absolute_squares(be.xp, A) for A in problem.factors)
    return math.prod(
        float(be.xp.sum(square * be.load(gamma)))
        for square, gamma in zip(squares, gammas, strict=True)
    )


def _run_all(estimator, X, y, runs, name):
    """Run all to their ends, one after the other."""
    for place in tasks(estimator, X, y, range(len(runs)), name):
        run = runs[place]
        while run.n_iter < estimator.max_iter and run.change > estimator.tol:
            run.step()
            if estimator.verbose:
                print(
                    f"[{type(estimator).__name__}] {name} {place + 1}, iteration"
                    f" {run.n_iter}/{estimator.max_iter}: change={run.change:.3g}"
                )


def _solve_parts(estimator, X, y, problem, units, noise):
    """Solution of "decompose": a regression for each vector of a Kronecker product."""
    cuts = thresholds(estimator, "decompose", len(problem.shape))
    parts = zip(*split(problem, noise), cuts, strict=True)
    runs = [start_run(estimator, "mm", part, level, cuts=[cut]) for part, level, cut in parts]
    _run_all(estimator, X, y, runs, "factor")
    found = [Solution.of(run, units, estimator.tol) for run in runs]
    for run, solution in zip(runs, found, strict=True):
        if not solution.converged:
            warn_unfinished(
                estimator,
                estimator.max_iter,
                f"the change of solver={run.solver!r}",
                run.change,
                estimator.tol,
            )
    outcome = combine(problem, [solution.outcome for solution in found], noise)
    n_iter = max(solution.n_iter for solution in found)
    return Solution(outcome, "decompose", n_iter, all(s.converged for s in found), [])
