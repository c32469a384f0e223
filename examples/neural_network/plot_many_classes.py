"""
=======================================
What a network weighs with many classes
=======================================

A layer with weights for each class grows with their number. The unit vectors of
:class:`~skmatrix.neural_network.EBVClassifier` are not trained, and those of closed forms are not
even stored: a network for 10,000 classes is as large as one for a hundred. We follow the size of
the model and the time of an epoch, beside scikit-learn's
:class:`~sklearn.neural_network.MLPClassifier`.
"""

# %%
# An epoch on samples without meaning
# -----------------------------------
#
# Neither time nor size depend on what is learnt, so noise will do: 256 samples with 64 features,
# and one hidden layer of 256. Vectors have a length of 256, for which the Kerdock set has 33,024.

import pickle
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neural_network import MLPClassifier

from skmatrix.neural_network import EBVClassifier, MLPBackbone

rng = np.random.default_rng(0)
X = rng.standard_normal((256, 64))
counts = [100, 1_000, 10_000]

models = {
    "MLPClassifier": lambda: MLPClassifier((256,), batch_size=128, random_state=0),
    "EBVClassifier": lambda: EBVClassifier(
        MLPBackbone((256,)), dim=256, basis="kerdock", batch_size=128, random_state=0
    ),
}
seconds = {name: [] for name in models}
megabytes = {name: [] for name in models}
for n_classes in counts:
    y = rng.integers(n_classes, size=256)
    for name, make in models.items():
        model = make().partial_fit(X, y, classes=np.arange(n_classes))
        start = perf_counter()
        model.partial_fit(X, y)
        seconds[name].append(perf_counter() - start)
        megabytes[name].append(len(pickle.dumps(model)) / 1e6)

# %%
# Size and time against the number of classes
# -------------------------------------------
#
# What is left of the growth in size are the labels. The time grows too, because the loss compares
# with every class; ``loss="cosine"`` does not. The learning itself takes more epochs the more
# classes there are, for either network.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
panels = (("Size of the model in MB", megabytes), ("Seconds of an epoch", seconds))
for ax, (label, values) in zip(axes, panels, strict=True):
    for name, curve in values.items():
        ax.loglog(counts, curve, "o-", label=name)
        ax.annotate(f"{curve[-1]:.2g}", (counts[-1], curve[-1]), (5, 0), textcoords="offset points")
    ax.set(xlabel="Classes", ylabel=label, xlim=(70, 25_000))
    ax.legend()
plt.show()
