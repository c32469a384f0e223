"""
=================================================
How many entries does it take? A phase transition
=================================================

A matrix of low rank has few degrees of freedom, and without noise it can be recovered *exactly*
from a part of its entries. This example draws the border between "recovered" and "hopeless", and
shows what an ill-conditioned matrix costs.
"""

# %%
# The border
# ----------
#
# A matrix of :math:`m` rows, :math:`n` columns and rank :math:`r` has :math:`r (m + n - r)` degrees
# of freedom: no method can recover it from fewer entries. For ranks up to 40 we see a growing share
# of the entries of a 150 by 150 matrix, and look at the relative error of the completion.
#
# Without noise no penalty is wanted, so ``alpha=0``; `tol` then says how closely the entries are to
# be met. The fits are small and many, and where recovery is hopeless they run into `max_iter`,
# which is what the picture is about: the warnings are turned off.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skmatrix.datasets import make_low_rank_matrix_completion
from skmatrix.impute import MatrixCompletion

n = 150


def relative_error(rank, share, seed):
    """Error of the completion of a random matrix, relative to the matrix."""
    X, truth = make_low_rank_matrix_completion(
        n, n, rank=int(rank), n_observed=share, random_state=seed
    )
    completion = MatrixCompletion(
        int(rank),
        alpha=0,
        bias="none",
        tol=1e-5,
        max_iter=100,
        random_state=seed,
        backend="numba",  # "auto" would take NumPy where the smallest share is seen
    )
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        completion.fit(X)
    return np.linalg.norm(completion.reconstruct() - truth) / np.linalg.norm(truth)


ranks = np.arange(2, 41, 4)
shares = np.linspace(0.06, 0.84, 14)
errors = np.array(
    [
        [np.median([relative_error(rank, share, seed) for seed in range(3)]) for share in shares]
        for rank in ranks
    ]
)

# %%
# The transition is sharp, and close to the bound: half as many entries again as there are degrees
# of freedom are enough. The exception is the lower left corner. With 6 % of 150 entries a row shows
# nine of them on average, and some rows show hardly more than the rank; they stay undetermined
# however much is known of the others. (This is why the theory asks for a logarithm more.) Right at
# the border convergence is slow, and `max_iter` ends it early: the steps between yellow and blue.

from matplotlib.colors import LogNorm

fig, ax = plt.subplots(figsize=(7.2, 4.8), layout="constrained")
image = ax.pcolormesh(
    shares,
    ranks,
    np.clip(errors, 1e-5, 1),
    norm=LogNorm(1e-5, 1),
    cmap="cividis",
    shading="nearest",
)
r = np.linspace(0, 42, 200)
for factor, style in [(1, "-"), (1.5, "--")]:
    label = "degrees of freedom" if factor == 1 else f"{factor} x degrees of freedom"
    ax.plot(factor * r * (2 * n - r) / n**2, r, style, color="#D55E00", lw=2.5, label=label)
ax.set(
    title=f"Completion of a {n} x {n} matrix without noise",
    xlabel="share of the entries that is seen",
    ylabel="rank",
    xlim=(shares[0] - 0.03, shares[-1] + 0.03),
    ylim=(ranks[0] - 2, ranks[-1] + 2),
)
ax.legend(loc="upper left", framealpha=0.95)
_ = fig.colorbar(image, ax=ax, label="relative error", extend="both")

# %%
# Ill-conditioned matrices
# ------------------------
#
# When the largest singular value is a thousand times the smallest, alternating minimisation finds
# the large directions first and then hardly sees the small ones. *Continuation*, the default for
# alpha below 0.001, starts with a strong penalty and halves it in every epoch: each direction comes
# in when the penalty has fallen below it, and by then the larger ones are in place.
#
# Here ``validation_fraction`` keeps one entry in fifty aside to watch the true error of each epoch.

conditions = [1, 100, 1000]
colors = plt.get_cmap("viridis")([0.0, 0.45, 0.8])
fig, ax = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
for condition, color in zip(conditions, colors, strict=True):
    X, _ = make_low_rank_matrix_completion(
        600,
        600,
        rank=10,
        n_observed=25 * (2 * 600 - 10),
        condition_number=condition,
        sparse_output=True,
        random_state=0,
    )
    for continuation, style in [(False, ":"), (True, "-")]:
        completion = MatrixCompletion(
            10,
            alpha=0,
            bias="none",
            continuation=continuation,
            tol=1e-10,
            max_iter=60,
            validation_fraction=0.02,
            n_iter_no_change=60,
            random_state=0,
        )
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            completion.fit(X)
        label = f"condition {condition}" if continuation else None
        epochs = np.arange(1, completion.n_iter_ + 1)
        ax.plot(epochs, completion.validation_history_, style, lw=2, color=color, label=label)
ax.plot([], [], ":", lw=2, color="0.4", label="without continuation")
ax.set(
    title="600 x 600, rank 10, 2.5 times the degrees of freedom",
    xlabel="epoch",
    ylabel="relative error on entries not seen",
    yscale="log",
)
_ = ax.legend()

# %%
# With continuation the three matrices need about the same number of epochs. Without it two of them
# get stuck, the best conditioned one among them; with another seed it may be others. At the end of
# a fit it is the held-out error, not the fit of the observed entries, that shows it.
#
# With ten factors none of this needs exact half steps, as the paper proves. Each epoch solves its
# regressions by a few conjugate gradient steps, to a hundredth of their residual:

steps = completion.inner_iter_history_.mean(axis=1)
print(f"conjugate gradient steps per row and half step: {steps.min():.1f} to {steps.max():.1f}")
