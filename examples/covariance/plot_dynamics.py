"""
==========================================
What a covariance of channels does not see
==========================================

Two classes of signals can have the same covariance of channels and move in opposite ways. Then no
classifier of covariances can tell them apart, whatever the number of trials. The augmented
covariance holds delayed copies beside the channels, and can. Here are three cases in which the
truth is known: in two of them it helps, in one it cannot.
"""

# %%
# Slow and fast
# -------------
#
# Both classes are autoregressions of order 1 on two channels, :math:`x(t) = \pm A x(t - 1) + e(t)`.
# The covariance :math:`\Gamma_0 = A \Gamma_0 A^\top + I` is the same for both signs, whereas the
# covariance with the sample before is :math:`\pm A \Gamma_0`. One class drifts, the other one
# alternates.

import matplotlib.pyplot as plt
import numpy as np

from skmatrix.covariance import AugmentedCovariance, AugmentedCovarianceClassifier
from skmatrix.datasets import make_var_process
from skmatrix.inspection import AugmentedCovarianceDisplay

A = np.array([[[0.5, 0.0], [0.4, 0.5]]])
slow, truth_slow = make_var_process(200, A, 200, random_state=0)
fast, truth_fast = make_var_process(200, -A, 200, random_state=1)
print("covariance of the channels, slow and fast:")
print(np.column_stack([truth_slow[0], truth_fast[0]]).round(2))

fig, axes = plt.subplots(2, 1, figsize=(9, 3.6), sharex=True, layout="constrained")
for ax, trials, name in zip(axes, (slow, fast), ("slow", "fast"), strict=True):
    ax.plot(trials[0, :, :80].T, lw=1)
    ax.set_ylabel(name)
fig.legend(axes[0].lines, ["channel 0", "channel 1"], loc="outside right upper")
axes[1].set_xlabel("time (samples)")
_ = fig.suptitle("A trial of each class")

# %%
# The mean matrices of the two classes with three copies. The blocks on the diagonal are the
# covariance of the channels, and equal; one block off the diagonal, the sign is the opposite.

X = np.concatenate([slow, fast])
y = np.repeat(["slow", "fast"], 200)
model = AugmentedCovariance(order=3, lag=1).fit(X)
_ = AugmentedCovarianceDisplay.from_estimator(
    model, X, y, name="Mean augmented covariances: equal on the diagonal of blocks"
)

# %%
# Every second trial is for training. Order 1 is at chance, order 2 makes no mistake.


def accuracies(X, y):
    """Accuracy on every second trial, for orders 1 to 3, with its standard error."""
    found = []
    for order in (1, 2, 3):
        model = AugmentedCovarianceClassifier(order, lag=1).fit(X[::2], y[::2])
        found.append(model.score(X[1::2], y[1::2]))
    n = len(y[1::2])
    return "   ".join(
        f"order {order}: {a:.2f} +- {np.sqrt(a * (1 - a) / n):.2f}"
        for order, a in zip((1, 2, 3), found, strict=True)
    )


print("slow or fast:   ", accuracies(X, y))

# %%
# Who leads
# ---------
#
# In :math:`A` the channel 0 drives channel 1 and not the other way round. Played backwards, channel
# 1 seems to be first. The covariance of the channels knows no order of the samples, and stays what
# it was. The lagged one becomes its transpose, :math:`\Gamma_1 \to \Gamma_1^\top`, which is another
# matrix unless it is symmetric.

backwards = slow.copy()
backwards[100:] = slow[100:, :, ::-1]
direction = np.repeat(["forwards", "backwards"], 100)
print("forwards or not:", accuracies(backwards, direction))

# %%
# What stays hidden
# -----------------
#
# With a single channel there is nothing to lead, and :math:`\Gamma_1` is a number, its own
# transpose. The direction of time is invisible to covariances at any order and lag, even where it
# is plain to the eye: this signal jumps up and decays.

rng = np.random.default_rng(0)
jumps = rng.exponential(size=(400, 300)) * (rng.random((400, 300)) < 0.1)
weights = 0.8 ** np.arange(40)
signal = np.array([np.convolve(trial, weights)[50:250] for trial in jumps])
signal[200:] = signal[200:, ::-1]
direction = np.repeat(["decays", "builds up"], 200)

fig, axes = plt.subplots(1, 2, figsize=(9, 2.4), sharey=True, layout="constrained")
for ax, i in zip(axes, (0, 200), strict=True):
    ax.plot(signal[i], lw=1)
    ax.set(xlabel="time (samples)", title=direction[i])
print("one channel:    ", accuracies(signal[:, None, :], direction))

# %%
# The same holds for whatever is not of second order: shapes of single events, phases, a slow wave
# at a fixed time of the trial. :ref:`The user guide <augmented_covariance>` says what to take then.

# sphinx_gallery_thumbnail_number = 2
