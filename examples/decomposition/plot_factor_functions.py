"""
=====================================
Two curves, seen only in each other's
=====================================

Values are products of a function of one coordinate and a function of another, at 675 scattered
places. Neither function has ever been observed by itself. How well are they recovered, without
noise and with as much noise as there is signal?
"""

# %%
# The data
# --------
#
# The synthetic experiment of the paper: :math:`\sin^2(2 \pi t) \cos(2 \pi t)` times
# :math:`e^{-2 s} \sin(1.5 \pi s)`, here at places that are all distinct.

import matplotlib.pyplot as plt
import numpy as np

from skmatrix.decomposition import FunBaT


def first(t):
    """The curve along t."""
    return np.sin(2 * np.pi * t) ** 2 * np.cos(2 * np.pi * t)


def second(s):
    """The curve along s."""
    return np.exp(-2 * s) * np.sin(1.5 * np.pi * s)


rng = np.random.default_rng(0)
X = rng.uniform(size=(2 * 675, 2))
truth = first(X[:, 0]) * second(X[:, 1])
train, test = slice(675), slice(675, None)
spread = truth.std()

fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
limit = np.abs(truth).max()
dots = axes[0].scatter(*X[train].T, c=truth[train], s=14, cmap="RdBu_r", vmin=-limit, vmax=limit)
axes[0].set(title="Without noise", xlabel="t", ylabel="s")
noisy = truth[train] + spread * rng.standard_normal(675)
axes[1].scatter(*X[train].T, c=noisy, s=14, cmap="RdBu_r", vmin=-limit, vmax=limit)
axes[1].set(title="With as much noise as signal", xlabel="t")
_ = fig.colorbar(dots, ax=axes, label="value")

# %%
# Without noise
# -------------
#
# A product has rank 1, and no intercept. Prior functions are smooth; their length scales are found
# from the data. The error is less than a thousandth of the spread of the values, and bands of two
# standard deviations about the curves are thinner than the lines that are drawn.

from skmatrix.inspection import FactorFunctionDisplay

settings = {"rank": 1, "kernel": "matern52", "fit_intercept": False, "random_state": 0}
model = FunBaT(**settings).fit(X[train], truth[train])
error = np.sqrt(np.mean((model.predict(X[test]) - truth[test]) ** 2))
print(f"RMSE {error:.1e}, values have a standard deviation of {spread:.1e}")
curves = [first, second]
display = FactorFunctionDisplay.from_estimator(model, true_curves=curves, name="Without noise")
for ax, label in zip(display.ax_, "ts", strict=True):
    ax.set_xlabel(label)

# %%
# With noise
# ----------
#
# The same places, now with noise of the size of the signal. The bands open where the other curve is
# near zero, since products then say nothing, and the true curves, up to a factor that only the
# product of both fixes, stay within them.

model = FunBaT(**settings).fit(X[train], noisy)
mean, std = model.predict(X[test], return_std=True, include_noise=False)
error = np.sqrt(np.mean((mean - truth[test]) ** 2))
print(
    f"RMSE {error / spread:.2f} of the spread; the noise is {model.noise_std_ / spread:.2f} of it"
)
inside = np.mean(np.abs(mean - truth[test]) < 1.96 * std)
print(f"intervals of 95 % hold {100 * inside:.0f} % of the values behind the noise")
display = FactorFunctionDisplay.from_estimator(model, true_curves=curves, name="With noise")
for ax, label in zip(display.ax_, "ts", strict=True):
    ax.set_xlabel(label)

# %%
# From several starts
# -------------------
#
# How far the bound of the evidence is from where it ends, against the sweeps, from five starts one
# by one. Beside each in the legend is where it ends: the higher, the better, so that the quick ones
# have found the worse optimum. By default all five are begun, and the worse half is given up every
# ten sweeps.

from skmatrix.inspection import ConvergenceDisplay

single = {
    f"start {seed}": FunBaT(**settings | {"n_init": 1, "random_state": seed}).fit(X[train], noisy)
    for seed in range(5)
}
_ = ConvergenceDisplay.from_estimator(single, scale="log", name="Five starts")
