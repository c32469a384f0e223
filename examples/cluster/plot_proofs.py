"""
K-means with a proof
====================

:class:`~sklearn.cluster.KMeans` returns a partition, and nobody knows whether there is a better
one. :class:`~skmatrix.cluster.SDPKMeans` solves a semidefinite program in its place. That has two
uses: it can *prove* that no partition whatsoever is better, and it finds the groups where K-means,
from any number of starts, does not.
"""

# %%
# Which pairs of digits can be told apart?
# ----------------------------------------
#
# Thirty images of each of two digits, 8 by 8 pixels, in two groups: all 45 pairs. With
# ``certify=True`` the estimator looks for a bound that no partition can exceed. If the distance of
# its own partition from this bound is less than a millionth of the inertia, the partition counts as
# proven, out of :math:`2^{59}` others.

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from skmatrix.cluster import SDPKMeans
from skmatrix.inspection import CertificateDisplay

images, digits = load_digits(return_X_y=True)
groups = [images[digits == digit][:30] for digit in range(10)]
truth = np.repeat([0, 1], 30)
gaps, agreements = np.full((2, 10, 10), np.nan)
for a, b in combinations(range(10), 2):
    X = np.concatenate([groups[a], groups[b]])
    model = SDPKMeans(2, certify=True, random_state=0).fit(X)
    gaps[b, a] = model.certificate_["rel_gap"]
    agreements[b, a] = adjusted_rand_score(truth, model.labels_)

# %%
# Blue cells are proven, about a third, and in every one of them the groups are the two digits. It
# takes no labels to know that these partitions are the best there are. That is all that was proven:
# that the best partition is the one into digits is a fact about digits. Orange cells are not: the
# paler, the less could be gained. They are where the groups are not always the digits.

proven = gaps < 1e-6
fig, ax = plt.subplots(figsize=(6.8, 6), layout="constrained")
shown = np.where(proven, np.nan, 100 * gaps)
drawn = ax.imshow(shown, cmap="Oranges", vmin=0, vmax=np.nanmax(shown))
for b, a in np.argwhere(np.isfinite(gaps)):
    if proven[b, a]:
        ax.add_patch(Rectangle((a - 0.5, b - 0.5), 1, 1, color="#0072B2", lw=0))
    if agreements[b, a] < 0.995:
        color = "w" if gaps[b, a] > 0.6 * np.nanmax(gaps) else "k"
        text = f"{agreements[b, a]:.2f}"[1:]
        ax.text(a, b, text, ha="center", va="center", fontsize=9, color=color)
ax.set_xticks(range(9))
ax.set_yticks(range(1, 10))
ax.set(
    xlim=(-0.5, 8.5),
    ylim=(9.5, 0.5),
    xlabel="digit",
    ylabel="digit",
    title=f"Blue: the best of all partitions, proven ({proven.sum()} of 45 pairs)\n"
    "Numbers: agreement with the digits, where it is not 1",
)
ax.spines[["top", "right"]].set_visible(False)
fig.colorbar(drawn, ax=ax, label="gap that is left, in % of the inertia")
print(f"agreement of the proven pairs: {np.unique(agreements[proven])}")
print(f"agreement of the others: {np.nanmean(agreements[~proven]):.2f} on average")

# %%
# Where proofs end
# ----------------
#
# Two round groups in the plane, 60 points, that come closer; four draws at each distance. From
# about six standard deviations on nearly all partitions are proven. Below, the bound of the program
# is above all partitions, and the gap says by how much at most the partition could be improved: a
# few percent of the inertia, which is worth knowing too.

rng = np.random.default_rng(0)
distances = np.repeat([2, 3, 4, 5, 6, 7, 8], 4)
fits = []
for distance in distances:
    X = rng.standard_normal((60, 2)) + distance * truth[:, None] * [1, 0]
    fits.append(SDPKMeans(2, certify=True, random_state=0).fit(X))
_ = CertificateDisplay.from_estimator(
    fits, distances, label="Distance of the groups in standard deviations"
)

# %%
# Where K-means loses them
# ------------------------
#
# Four groups of 50 points in 1000 dimensions. There is a distance, known in closed form, below
# which no method whatever can recover all points, if there are many of them, and above which the
# program does [1]_. Groups at this distance, and nearer or farther, are put to both methods.
# K-means with ten starts is lost between local optima where the program finds every point.

n, n_groups, n_features = 200, 4, 1000
threshold = 4 * np.log(n) * (1 + np.sqrt(1 + n_groups * n_features / (n * np.log(n))))
shares = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3])
labels = np.arange(n) % n_groups
scores = np.empty((2, shares.size, 2))
for i, share in enumerate(shares):
    means = share * np.sqrt(threshold / 2) * np.eye(n_groups, n_features)
    for draw in range(2):
        X = means[labels] + rng.standard_normal((n, n_features))
        for method, model in enumerate(
            [SDPKMeans(4, random_state=0), KMeans(4, n_init=10, random_state=0)]
        ):
            scores[method, i, draw] = adjusted_rand_score(labels, model.fit_predict(X))
fig, ax = plt.subplots(figsize=(6.8, 3.9), layout="constrained")
styles = [("SDPKMeans", "#0072B2", "o"), ("KMeans, ten starts", "#D55E00", "s")]
for values, (name, color, marker) in zip(scores, styles, strict=True):
    ax.plot(shares, values.mean(axis=1), color=color)
    ax.plot(np.repeat(shares, 2), values.ravel(), marker, color=color, label=name)
ax.axvline(1, color="0.5", ls=":", lw=1.5)
ax.annotate("no method finds\nall to the left", (0.99, 0.62), ha="right", color="0.4")
ax.set(
    title="Four groups in 1000 dimensions",
    xlabel="distance of the groups, in units of the threshold",
    ylabel="adjusted Rand index",
)
_ = ax.legend()

# %%
# .. rubric:: References
#
# .. [1] Xiaohui Chen, Yun Yang, "Cutoff for Exact Recovery of Gaussian Mixture Models", IEEE
#    Transactions on Information Theory 67(6), 2021. :arxiv:`2001.01194`
