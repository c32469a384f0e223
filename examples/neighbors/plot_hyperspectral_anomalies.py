"""
=====================================================
Odd pixels of a spectral image, and how many features
=====================================================

A picture from the air with 200 bands in place of three colours. Most of it is fields and wood;
which pixels are unlike the others? The log-density of a pixel under all other pixels is a natural
score. In 200 dimensions it would say nothing. We look at how many it can have.
"""

# %%
# The data
# --------
#
# The Indian Pines scene: 145 by 145 pixels of some 20 m, 200 bands from 0.4 to 2.5 micrometres, and
# a map of 16 kinds of ground for half of the pixels. It comes out of the installed package
# ``tensorly``. Bands are strongly correlated: two principal components hold 92 % of the variance,
# and 20 hold 99 %.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from tensorly.datasets import load_indian_pines

from skmatrix.neighbors import KDEOutlierDetector

scene = load_indian_pines()
cube, ground = np.asarray(scene.tensor), np.asarray(scene.ticks[0]).astype(int)
towers = ground == 16  # stone and steel towers, 93 pixels
pca = PCA(20, random_state=0)
X = pca.fit_transform(cube.reshape(-1, cube.shape[2]))
print("variance in the first components:", pca.explained_variance_ratio_.cumsum()[[0, 1, 2, 9, 19]])

# %%
# A map of what is odd
# --------------------
#
# With three components: the lower the log-density of a pixel under the others, the darker. Roads,
# the railway, the edges of fields and houses stand out, and the towers, an area of which the
# ground map says what it is (outlined).

detector = KDEOutlierDetector(loo_max_queries=2000, random_state=0).fit(X[:, :3])
rank = np.argsort(np.argsort(detector.train_scores_)) / X.shape[0]

colours = cube[:, :, [28, 15, 8]]
low, high = np.quantile(colours, [0.01, 0.99], axis=(0, 1))
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
left.imshow(np.clip((colours - low) / (high - low), 0, 1))
left.set_title("Three of 200 bands")
image = right.imshow(rank.reshape(ground.shape), cmap="cividis")
right.set_title("Rank of the log-density, three components")
fig.colorbar(image, ax=right, shrink=0.8, label="share of pixels that are less usual")
for ax in (left, right):
    ax.contour(towers, levels=[0.5], colors="#D55E00", linewidths=2)
    ax.set(xticks=[], yticks=[])

# %%
# How many components?
# --------------------
#
# The towers serve as a test: how well does the score tell their pixels from all others that the
# ground map names (area under the ROC curve)? Next to it is the index :math:`\mu` of the weights,
# which is not told where the towers are. While it is above 2, many pixels carry an estimate. Below
# 1 a few neighbours do, and what is then measured is whether a pixel has near copies. The pixels
# of the towers have them, each other: they are less and less odd.

from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor

known = ground.ravel() > 0
is_tower = towers.ravel()[known]
components = [2, 3, 5, 10, 20]
areas = {"KDEOutlierDetector": [], "LocalOutlierFactor": [], "IsolationForest": []}
indices = []
for d in components:
    Z = X[known, :d]
    detector = KDEOutlierDetector(loo_max_queries=2000, random_state=0).fit(Z)
    indices.append((detector.density_.bandwidth_ / detector.density_.h_g_) ** 2)
    scores = (
        detector.train_scores_,
        LocalOutlierFactor().fit(Z).negative_outlier_factor_,
        IsolationForest(random_state=0).fit(Z).score_samples(Z),
    )
    for values, score in zip(areas.values(), scores, strict=True):
        values.append(roc_auc_score(is_tower, -score))

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for (name, values), style in zip(areas.items(), ("C0o-", "C7^:", "C1s--"), strict=True):
    left.plot(components, values, style, label=name)
left.set(title="Towers against other ground", ylabel="area under the ROC curve", ylim=(0.4, 1.02))
left.legend(loc="lower left")
right.plot(components, indices, "ko-")
for level, name in ((1, "below: extreme"), (2, "above: clt")):
    right.axhline(level, color="0.5", ls="--")
    right.text(20, level * 1.06, name, ha="right", fontsize="small", color="0.3")
right.set(title="Index of the weights of KDE", ylabel=r"$\mu$", yscale="log")
right.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
right.minorticks_off()
for ax in (left, right):
    ax.set(xlabel="principal components", xscale="log")
    ax.set_xticks(components, [str(d) for d in components])
    ax.minorticks_off()

for name, values in areas.items():
    print(f"{name:<20}", " ".join(f"{value:6.3f}" for value in values))
print(f"{'index of the weights':<20}", " ".join(f"{value:6.2f}" for value in indices))

# %%
# What to take from it
# --------------------
#
# * Reduce the dimension until :math:`\mu` is about 1 or more, or know that you are looking at the
#   nearest neighbours.
# * A density is not the best score for everything. The towers are bright in many bands at once:
#   an isolation forest finds such points at any number of components. A group of
#   like outliers deceives scores that compare with close neighbours, above all the local outlier
#   factor.

# sphinx_gallery_thumbnail_number = 1
