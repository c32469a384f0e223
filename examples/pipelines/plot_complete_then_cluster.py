"""
=====================================
Clusters of digits with 70 % of holes
=====================================

Handwritten digits of which seven pixels in ten are lost, and no labels. A clustering needs full
rows, so that an imputer comes first, and what it puts into the holes decides what the clustering
finds. We put :class:`~skmatrix.impute.MatrixCompletion` and :class:`~skmatrix.cluster.SDPKMeans`
into one pipeline, and compare it with the usual one: means and K-means.
"""

# %%
# The pipeline
# ------------
#
# The completion assumes that a digit is made of a few factors, and knows that pixels lie between 0
# and 16. The penalty is chosen without labels: its
# :meth:`score <skmatrix.impute.MatrixCompletion.score>` hides pixels that were seen, and predicts
# them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmatrix.cluster import SDPKMeans
from skmatrix.impute import MatrixCompletion

X, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).random(X.shape)  # the share s loses the pixels below s
seen = np.where(order < 0.7, np.nan, X)

completion = MatrixCompletion(16, clip=(0, 16), tol=1e-3, random_state=0)
search = GridSearchCV(completion, {"alpha": [0.02, 0.05, 0.1]}, cv=3).fit(seen)
print(search.best_params_, f"RMSE on hidden pixels {-search.best_score_:.2f}")

pipeline = make_pipeline(search.best_estimator_, SDPKMeans(10, random_state=0))
usual = make_pipeline(SimpleImputer(), KMeans(10, random_state=0))
labels = {"mean, K-means": usual.fit_predict(seen), "completion, SDP": pipeline.fit_predict(seen)}
for name, found in labels.items():
    print(f"{name:<16} adjusted Rand index {adjusted_rand_score(y, found):.2f}")
pipeline

# %%
# What the clustering gets to see
# -------------------------------
#
# The first digit of each kind. The mean puts the same blur behind every digit, and a clustering
# that looks at distances sees holes before it sees digits. The completion puts there what the few
# pixels speak for.

first = [np.flatnonzero(y == digit)[0] for digit in range(10)]
rows = {
    "seen": seen,
    "mean": usual[0].transform(seen),
    "completion": pipeline[0].transform(seen),
    "truth": X,
}
gray = plt.get_cmap("gray_r").with_extremes(bad="#F4D9B0")


def show(ax, image):
    """A digit without ticks, holes in orange."""
    ax.imshow(image.reshape(8, 8), cmap=gray, vmin=0, vmax=16)
    ax.set(xticks=[], yticks=[])


fig, axes = plt.subplots(4, 10, figsize=(10, 4.5), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, i in zip(line, first, strict=True):
        show(ax, images[i])
    line[0].set_ylabel(name, fontsize=12)
_ = fig.suptitle("Ten digits, 70 % of their pixels lost (orange)")

# %%
# What it finds
# -------------
#
# The centres of the clusters. Below each of them is the digit that most of its members are, and the
# share of these. After the means two centres are little more than a pixel that was seen dark, and
# no cluster is for fives or nines. After the completion only the eights have none.

fig, axes = plt.subplots(2, 10, figsize=(10, 3.1), layout="constrained")
for line, (name, found), model in zip(axes, labels.items(), (usual, pipeline), strict=True):
    share = np.array([np.bincount(y[found == k], minlength=10) for k in range(10)], dtype=float)
    share /= share.sum(axis=1, keepdims=True)
    for ax, k in zip(line, np.argsort(share.argmax(axis=1), kind="stable"), strict=True):
        show(ax, model[-1].cluster_centers_[k])
        ax.set_xlabel(f"{share[k].argmax()}: {share[k].max():.0%}")
    line[0].set_ylabel(name.replace(", ", ",\n"), fontsize=12)
_ = fig.suptitle("Centres of ten clusters, and the digit that most of their members are")

# %%
# How many holes does it take?
# ----------------------------
#
# The same over the share of lost pixels. Lines are means over three starts of K-means, which differ
# by up to the height of the bars; the semidefinite program hardly depends on its start and has one.
# Few holes need no model: up to half of the pixels all ways are about equal. With 70 % two digits
# hardly share enough pixels to be neighbours for :class:`~sklearn.impute.KNNImputer`, and only the
# completion is left. The gain is the imputer's: K-means behind the same completion is nearly as
# good. What :class:`~skmatrix.cluster.SDPKMeans` adds is that nobody has to ask which of the starts
# to believe.

ways = {
    "mean": (SimpleImputer(), "0.5"),
    "neighbours": (KNNImputer(), "#CC79A7"),
    "completion": (search.best_estimator_, "#56B4E9"),
}
shares = np.array([0.2, 0.5, 0.7, 0.8])
indices = {name: [] for name in ways}
program = []
for s in shares:
    for name, (imputer, _) in ways.items():
        filled = imputer.fit_transform(np.where(order < s, np.nan, X))
        starts = [KMeans(10, random_state=seed).fit_predict(filled) for seed in range(3)]
        indices[name].append([adjusted_rand_score(y, found) for found in starts])
    found = SDPKMeans(10, random_state=0).fit_predict(filled)  # behind the last, the completion
    program.append(adjusted_rand_score(y, found))

fig, ax = plt.subplots(figsize=(8, 4.4), layout="constrained")
for name, (_, color) in ways.items():
    low, mean, high = (f(indices[name], axis=1) for f in (np.min, np.mean, np.max))
    ax.errorbar(
        100 * shares,
        mean,
        (mean - low, high - mean),
        fmt="o-",
        color=color,
        label=f"{name}, K-means",
    )
ax.plot(100 * shares, program, "D-", color="#0072B2", label="completion, SDP")
ax.set(
    title="With many holes, complete before you cluster",
    xlabel="pixels lost (%)",
    ylabel="adjusted Rand index",
    ylim=(0, 0.75),
)
_ = ax.legend(loc="lower left")

# sphinx_gallery_thumbnail_number = 2
