"""
=================================================
A density in 15 dimensions: digits right or wrong
=================================================

Kernel density estimates are simple to write down and easy to get wrong in many dimensions, in two
ways: the sum of kernels can lose all of its digits to rounding, and the bandwidth can be so far off
that the estimate says nothing. We look at both with scikit-learn's
:class:`~sklearn.neighbors.KernelDensity` and with :class:`~skmatrix.neighbors.KDE`, next to a sum
over all pairs that is too plain to be wrong.
"""

# %%
# Digits of the sum
# -----------------
#
# 3,000 points and 200 queries, all from a standard normal law, and a Gaussian kernel of bandwidth
# 0.7. The reference takes all distances and adds up the kernels by ``logsumexp``; it needs a matrix
# of all pairs, which is why nobody does it for a million points.

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.neighbors import KernelDensity

from skmatrix.neighbors import KDE


def reference(X, queries, h):
    """Log-densities from the matrix of all pairs."""
    n, d = X.shape
    exponents = -0.5 * cdist(queries, X, "sqeuclidean") / h**2
    return logsumexp(exponents, axis=1) - np.log(n) - 0.5 * d * np.log(2 * np.pi * h**2)


dimensions, h = [2, 5, 10, 15, 20, 25, 30, 40, 50], 0.7
estimators = {
    "KernelDensity": KernelDensity(bandwidth=h),
    "KernelDensity, one leaf": KernelDensity(bandwidth=h, leaf_size=3000),
    "KDE": KDE(h),
}
errors = {name: [] for name in estimators}
for d in dimensions:
    rng = np.random.default_rng(d)
    X, queries = rng.standard_normal((3000, d)), rng.standard_normal((200, d))
    truth = reference(X, queries, h)
    for name, estimator in estimators.items():
        off = np.abs(estimator.fit(X).score_samples(queries) - truth)
        errors[name].append(off.max())

for name, values in errors.items():
    print(f"{name:<24}", " ".join(f"{value:6.0e}" for value in values))

# %%
# A tree bounds the sums of its nodes and takes the difference of two bounds wherever it opens a
# node. The bounds are far larger than the sums, the more so the more dimensions there are, and the
# digits cancel. With 20 features the fourth decimal is lost, with 30 the value. Where the tree is a
# single leaf (``leaf_size`` of at least the number of points), there is nothing to open, and the
# values are right. `KDE` adds up the kernels themselves, from differences of coordinates.

fig, ax = plt.subplots(figsize=(6.8, 4.2), layout="constrained")
for (name, values), style in zip(errors.items(), ("C1s--", "C7^:", "C0o-"), strict=True):
    ax.plot(dimensions, np.maximum(values, 1e-16), style, label=name)
ax.axhline(1, color="0.5", ls=":")
ax.text(2, 1.6, "wrong by a factor of e", fontsize="small", color="0.3")
ax.set(
    title="Largest error of a log-density, against the sum over all pairs",
    xlabel="features",
    ylabel="error (nats)",
    yscale="log",
    ylim=(1e-16, 1e4),
)
_ = ax.legend(loc="center right")

# %%
# The bandwidth
# -------------
#
# scikit-learn's `example of density estimation
# <https://scikit-learn.org/stable/auto_examples/neighbors/plot_digits_kde_sampling.html>`__ takes
# the 64 pixels of the handwritten digits to 15 principal components, and looks for the bandwidth
# by a grid search with five folds. We set a quarter of the digits aside and do the same with the
# others. `KDE` leaves out each point in turn instead: one pass over the pairs gives the likelihood
# and two derivatives of it, and a few passes the best bandwidth.

from time import perf_counter

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, train_test_split

X = PCA(n_components=15).fit_transform(load_digits().data)
X_train, X_test = train_test_split(X, random_state=0)

begin = perf_counter()
search = GridSearchCV(KernelDensity(), {"bandwidth": np.logspace(-1, 1, 20)}).fit(X_train)
seconds_search = perf_counter() - begin
KDE().fit(X_train[:100])  # compiles
begin = perf_counter()
kde = KDE().fit(X_train)
seconds_kde = perf_counter() - begin

print(f"{'bandwidth':<30}{'':>8}{'held out':>10}{'search':>11}")
for label, h, seconds in [
    ("grid search, 20 x 5 fits", search.best_params_["bandwidth"], seconds_search),
    ("left-out points", kde.bandwidth_, seconds_kde),
    ("Silverman's rule", KDE("silverman").fit(X_train).bandwidth_, None),
    ("Silverman's rule, not scaled", KDE("sklearn_silverman").fit(X_train).bandwidth_, None),
]:
    held_out = KDE(h).fit(X_train).mean_log_likelihood(X_test)
    time = "" if seconds is None else f"{seconds:9.2f} s"
    print(f"{label:<30}{h:8.3f}{held_out:10.2f}{time}")

# %%
# Both searches end at about the same place, because the curve is flat at its top: the grid is
# coarse and its folds have fewer points, which asks for another bandwidth, but neither costs much.
# The difference is the time. The last line is what ``KernelDensity(bandwidth="silverman")`` does:
# its rule is made for data of unit variance, and these have a standard deviation of 8.

scale = float(np.sqrt(X_train.var(axis=0).mean()))
grid = np.geomspace(0.8, 12, 31)
left_out = kde.bandwidth_path(grid)[1]
held_out = [KDE(float(h)).fit(X_train).mean_log_likelihood(X_test) for h in grid]

fig, ax = plt.subplots(figsize=(6.8, 4.2), layout="constrained")
ax.plot(grid, left_out, "C0o-", ms=4, label="left-out points of the training set")
ax.plot(grid, held_out, "k-", lw=1, label="test set")
ax.plot(
    search.cv_results_["param_bandwidth"].astype(float),
    search.cv_results_["mean_test_score"] / (X_train.shape[0] / 5),
    "C1s",
    ms=5,
    label="grid search, mean of five folds",
)
ax.axvline(kde.bandwidth_, color="C0", ls="--", lw=1)
ax.set(
    title="Digits, 15 principal components",
    xlabel="bandwidth",
    ylabel="mean log-density",
    xscale="log",
    xlim=(0.8, 12),
    ylim=(-62, -43),
)
ax.set_xticks([1, 2, 5, 10], ["1", "2", "5", "10"])
ax.minorticks_off()
_ = ax.legend(loc="lower center")
print(f"standard deviation of the data: {scale:.1f}")

# %%
# How far can it be trusted?
# --------------------------
#
# The likeliest bandwidth is not one at which the estimate is a mean over many points. At half of
# the new digits it is carried by fewer than two training digits:

found = kde.query_diagnostics(X_test)
print(f"regime: {kde.regime_}; median number of points: {np.median(found.n_effective):.2f}")
needed = kde.thresholds()["n_needed"]
print(f"training points: {X_train.shape[0]:,}; Gaussian data would need {needed:,.0f} of them")

# %%
# Such an estimate is a smooth function of the distance to the nearest training points. It ranks
# points well, and it is the best that a kernel estimate can do with so few points; but its value
# is not the density, and it has no error bar. :ref:`The user guide <kde>` says where the border
# is, and :ref:`sphx_glr_auto_examples_neighbors_plot_digits_density.py` draws it for these data.
