"""
===================================
Two more digits for a trained model
===================================

A network that was trained on the digits 0 to 7 is to learn 8 and 9. One with weights for each class
has no output for them. :class:`~skmatrix.neural_network.EBVClassifier` has fixed unit vectors in
place of these weights: a new class takes the next free vector, and all that was trained goes on.
"""

# %%
# Eight digits, then ten
# ----------------------
#
# There are two ways. ``enroll`` gives a class the mean of its embeddings, and trains nothing: it
# takes a moment, but the new vectors are not far from the old ones, so digits on both sides get
# mixed up; the more so the shorter the training was. ``partial_fit`` trains on, an epoch a call,
# with old samples among the new ones, so that they are not forgotten. There must be room for the
# vectors: ten dimensions are enough for ten that are orthogonal.

from copy import deepcopy

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skmatrix.neural_network import EBVClassifier, MLPBackbone

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
old, old_test = y < 8, y_test < 8

model = EBVClassifier(MLPBackbone((100,)), dim=10, max_epochs=100, lr=0.01, random_state=0)
model.fit(X[old], y[old])

enrolled = deepcopy(model).enroll(X[~old], y[~old])
trained = deepcopy(model)
for _ in range(10):
    trained.partial_fit(X, y)

stages = {"Trained on 0 to 7": model, "8 and 9 enrolled": enrolled, "Ten more epochs": trained}

# %%
# What becomes of each digit
# --------------------------
#
# Bars are the share of samples, none of which was trained on, that are recognised.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True, layout="constrained")
colors = ["C0"] * 8 + ["C1"] * 2
for ax, (title, fitted) in zip(axes, stages.items(), strict=True):
    right = fitted.predict(X_test) == y_test
    recall = [right[y_test == digit].mean() for digit in range(10)]
    ax.bar(range(10), recall, color=colors)
    ax.set(title=f"{title}\n{right.mean():.1%} of all digits", xlabel="Digit", xticks=range(10))
    for digit in np.flatnonzero(np.equal(recall, 0)):
        ax.text(digit, 0.03, "unknown", rotation=90, ha="center", va="bottom", color="C1")
axes[0].set_ylabel("Share recognised")
for color, label in (("C0", "There from the start"), ("C1", "New")):
    axes[0].bar(0, 0, color=color, label=label)
figure.legend(loc="outside lower center", ncols=2)
plt.show()

# %%
# Has a sample a class at all?
# ----------------------------
#
# The first model has never seen an 8 or a 9. The cosine with the nearest vector tells: it is small
# where a sample is of no known class, if not always.

cosine = model.similarity(X_test)
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
bins = np.linspace(0, 1, 41)
for kept, color, label in ((old_test, "C0", "0 to 7"), (~old_test, "C1", "8 and 9, never seen")):
    weights = np.full(kept.sum(), 1 / kept.sum())
    ax.hist(cosine[kept], bins, weights=weights, color=color, alpha=0.7, label=label)
ax.set(xlabel="Cosine with the nearest vector", ylabel="Share of samples")
ax.legend()
plt.show()
