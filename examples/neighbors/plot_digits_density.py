"""
============================================
What a density of 1,797 digits does not know
============================================

1,797 handwritten digits, 64 pixels each. How many more would it take to know how likely a digit
is? The theory of :class:`~skmatrix.neighbors.KDE` has an answer, and the answer says what the
estimate is good for: not for the density itself, and well for telling odd digits from usual ones.
"""

# %%
# Where do the data lie?
# ----------------------
#
# The estimate at a point is a sum of kernels around the training points. Two thresholds say what
# this sum is like. Above :math:`h_{CLT}` it is a mean over many points ("clt"). Below :math:`h_G`
# the nearest points outweigh all others together ("extreme"), and between them a mean exists, but
# chance rules it ("stable"). Both rise with the number of features, and fall slowly with the
# number of points. What decides is the logarithm of the number of points per feature,
# :math:`\alpha`.
#
# We take the digits to 15 principal components and let left-out points choose the bandwidth. Left:
# the likelihood of left-out points. Right: where the estimate lies. The curves are for Gaussian
# data of the same covariance; the open square is the threshold as the distances between neighbours
# show it.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skmatrix.inspection import KDEDisplay
from skmatrix.neighbors import KDE

images, labels = load_digits(return_X_y=True)
pca = PCA(n_components=15, random_state=0)
X = pca.fit_transform(images)
X_train, X_test = train_test_split(X, random_state=0)
kde = KDE().fit(X_train)

fig, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
KDEDisplay.from_estimator(kde, kind="path", ax=left, name="Left-out digits")
_ = KDEDisplay.from_estimator(kde, kind="phase", ax=right, name="Where the estimate lies")

# %%
# The likeliest bandwidth lies far inside of the extreme regime, close to what the distances to the
# nearest points give. A larger one would be a mean over more points and would blur what is there;
# the likelihood says that this is worse. For Gaussian data it is the same at any number of points
# on the picture: the dash-dotted curve of the likeliest bandwidth stays below the first threshold.
# Digits are not Gaussian, they lie in clusters, and the likeliest bandwidth is smaller still.

theory = kde.thresholds()
print(f"bandwidth {kde.bandwidth_:.2f}, h_G {kde.h_g_:.2f}, h_CLT {kde.h_clt_:.2f}")
print(f"digits: {X_train.shape[0]:,}")
print(f"digits to be above h_CLT with this bandwidth, on Gaussian data: {theory['n_needed']:,.0f}")

# %%
# What carries the estimate?
# --------------------------
#
# At digits that were not in the training: the number of training digits that carry the estimate,
# and the index :math:`\mu` of their weights, which is below 1 in the extreme regime. Then the
# weights themselves, the largest first. How they fall hangs on :math:`\mu` and hardly on anything
# else: for many points and features they follow the law of Poisson and Dirichlet.

fig = plt.figure(figsize=(12, 8), layout="constrained")
top, bottom = fig.subfigures(2, 1)
KDEDisplay.from_estimator(kde, X_test, kind="diagnostics", ax=top.subplots(1, 2), name="New digits")
left, right = bottom.subplots(1, 2)
KDEDisplay.from_estimator(kde, X_test, kind="weights", ax=left, name="Weights of training digits")
_ = KDEDisplay.from_estimator(kde, X_test, kind="distance", ax=right, name="Density and distance")

# %%
# The last picture says it in another way: the log-density of a digit is little more than a function
# of its distance to the nearest one in the training set, to which the others add a nat or two.
#
# Samples
# -------
#
# A draw from the estimate is a training digit and noise of the size of the bandwidth. Below each
# draw is the training digit that is nearest to it. The draws look new and are not: whoever wants
# new digits needs a model that knows what digits have in common.

draws = kde.sample(10, random_state=0)
squares = ((draws[:, None] - X_train[None]) ** 2).sum(axis=2)
nearest = X_train[squares.argmin(axis=1)]

fig, axes = plt.subplots(2, 10, figsize=(11, 2.7), layout="constrained")
for row, points in zip(axes, (draws, nearest), strict=True):
    for ax, image in zip(row, pca.inverse_transform(points), strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("draw")
axes[1, 0].set_ylabel("nearest")
_ = fig.suptitle("Draws, and the training digits that they are copies of")

# %%
# Odd digits
# ----------
#
# To rank points no density is needed, only that the order is right. Each digit is judged by all
# others (:class:`~skmatrix.neighbors.KDEOutlierDetector` leaves it out of its own density), here
# on all pixels but the three that are white in every digit. ``whiten=0.5`` counts a deviation in a
# pixel that varies little for more than one in a pixel that varies a lot.

from skmatrix.neighbors import KDEOutlierDetector

pixels = images[:, np.ptp(images, axis=0) > 0]
detector = KDEOutlierDetector(whiten=0.5).fit(pixels)
order = np.argsort(detector.train_scores_)

fig, axes = plt.subplots(2, 12, figsize=(12, 2.9), layout="constrained")
for row, chosen in zip(axes, (order[:12], order[::-1][:12]), strict=True):
    for ax, i in zip(row, chosen, strict=True):
        ax.imshow(images[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(f"{labels[i]}: {detector.train_scores_[i]:.0f}", fontsize=9)
axes[0, 0].set_ylabel("oddest")
axes[1, 0].set_ylabel("most usual")
_ = fig.suptitle("Label and log-density of the oddest and of the most usual digits")

# %%
# Which labels are odd? Ones, zeros and sixes look alike; eights are written in many ways. The
# shares are not errors: each label has its own spread, and the threshold is one for all.

for digit in range(10):
    scores = detector.train_scores_[labels == digit]
    share = np.mean(detector.predict(pixels[labels == digit]) == -1)
    print(f"{digit}: median log-density {np.median(scores):7.1f}, outliers {share:4.0%}")

# sphinx_gallery_thumbnail_number = 1
