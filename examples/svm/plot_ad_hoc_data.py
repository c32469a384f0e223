"""
===========================================
Data that a quantum feature map is made for
===========================================

Two features, two qubits, and labels that come out of a measurement of the qubits: these are the
data on which quantum kernels were introduced. No common kernel can make sense of them. A
support vector machine with the kernel of the same feature map and a trained circuit behind it are
right nearly always. We look at both, at what depth and shots do, and at what it proves.
"""

# %%
# Three classifiers
# -----------------
#
# :func:`~skmatrix.datasets.make_ad_hoc` draws points of :math:`(0, 2 \pi]^2`, encodes them in the
# state of two qubits, and labels them by a random measurement; points about which the measurement
# is undecided are left out. Twenty of each class are for the training, and 500 for the test. The
# RBF kernel gets the best `C` and `gamma` of a grid.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from skmatrix.datasets import make_ad_hoc
from skmatrix.svm import QuantumKernelSVC, VariationalQuantumClassifier

X, y, X_test, y_test = make_ad_hoc(n_train=20, n_test=500, n_qubits=2, random_state=0)

grid = {"C": np.logspace(-1, 3, 5), "gamma": np.logspace(-2, 2, 9)}
models = {
    "Quantum kernel": QuantumKernelSVC(),
    "Trained circuit, 3 layers": VariationalQuantumClassifier(n_layers=3, random_state=0),
    "RBF kernel, tuned": GridSearchCV(SVC(), grid),
}
for name, model in models.items():
    model.fit(X, y)
    print(f"{name:<28}training {model.score(X, y):.3f}, test {model.score(X_test, y_test):.3f}")

# %%
# Colours are the decision functions, from the one class to the other; the black line is where they
# are undecided. Rings are support vectors, which the circuit does not have. Both quantum
# classifiers have found the same islands, because the labels were made of them. The RBF kernel
# would need points in each of the islands, and has 40 in all.

corners = 2 * np.pi * np.array([[0, 0], [1, 1]])
ticks = np.pi * np.arange(3)

fig, axes = plt.subplots(1, 3, figsize=(12, 5.3), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    surface = DecisionBoundaryDisplay.from_estimator(
        model,
        corners,
        grid_resolution=120,
        eps=0,
        response_method="decision_function",
        ax=ax,
        plot_method="pcolormesh",
        cmap="RdBu_r",
    )
    limit = np.abs(surface.response).max()
    surface.surface_.set_clim(-limit, limit)
    ax.contour(surface.xx0, surface.xx1, surface.response, levels=[0], colors="k", linewidths=1)
    for label, colour, marker in ((1, "C3", "o"), (-1, "C0", "s")):
        ax.scatter(*X[y == label].T, c=colour, marker=marker, ec="w", s=40, label=f"class {label}")
    svc = getattr(model, "best_estimator_", model)
    if hasattr(svc, "support_"):
        ax.scatter(*X[svc.support_].T, fc="none", ec="k", s=110, label="support vector")
    ax.set(title=f"{name}\ntest {model.score(X_test, y_test):.2f}", xlabel="$x_0$", box_aspect=1)
    ax.set_xticks(ticks, ["0", "$\\pi$", "$2\\pi$"])
    ax.set_yticks(ticks, ["0", "$\\pi$", "$2\\pi$"])
axes[0].set_ylabel("$x_1$")
_ = fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)

# %%
# The kernel
# ----------
#
# Points of a class are not near each other, but their states are. Rows and columns are sorted by
# class.

from skmatrix.inspection import QuantumKernelDisplay

_ = QuantumKernelDisplay.from_estimator(models["Quantum kernel"], X, y)

# %%
# Depth of the circuit
# --------------------
#
# A circuit can only find a measurement that its angles reach. Without an entangling layer it reads
# the qubits one by one, and that is not how these labels were made; from two layers on it can find
# them. Means over eight data sets, each with a measurement of its own.

sets = [make_ad_hoc(n_train=20, n_test=100, n_qubits=2, random_state=seed) for seed in range(8)]
depths = range(5)
scores = np.array(
    [
        [
            [model.score(X, y), model.score(X_test, y_test)]
            for X, y, X_test, y_test in sets
            for model in [VariationalQuantumClassifier(n_layers=depth, random_state=0).fit(X, y)]
        ]
        for depth in depths
    ]
)

# %%
# Shots
# -----
#
# A device does not give the kernel, but counts. Each of its entries is then a share of so many
# shots, and the matrix has negative eigenvalues, which are clipped. Few shots will do here, because
# the kernel of two qubits varies a lot; with each further qubit its entries are about half as
# large, and it takes more of them. Mind the scales: the kernel never was as bad as the circuit
# without layers.

shots = 2 ** np.arange(4, 13, 2)
measured = np.array(
    [
        [
            QuantumKernelSVC(bandwidth=1, shots=int(count), random_state=0)
            .fit(X, y)
            .score(X_test, y_test)
            for X, y, X_test, y_test in sets
        ]
        for count in shots
    ]
)
exact = np.mean([QuantumKernelSVC().fit(X, y).score(Xt, yt) for X, y, Xt, yt in sets])

fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for part, label, style in ((0, "training", "C7s--"), (1, "test", "C0o-")):
    values = scores[:, :, part]
    error = values.std(axis=1, ddof=1) / np.sqrt(len(sets))
    axes[0].errorbar(depths, values.mean(axis=1), error, fmt=style, capsize=3, label=label)
axes[0].set(title="Trained circuit", xlabel="entangling layers", ylabel="accuracy")
axes[0].set_xticks(depths)
error = measured.std(axis=1, ddof=1) / np.sqrt(len(sets))
axes[1].errorbar(shots, measured.mean(axis=1), error, fmt="C0o-", capsize=3, label="test")
axes[1].axhline(exact, color="k", ls=":", lw=1, label="test, exact kernel")
axes[1].set(title="Quantum kernel", xlabel="shots for each entry", ylim=(0.96, 1.002))
axes[1].set_xscale("log", base=2)
for ax in axes:
    ax.legend(loc="lower right")

# %%
# What it proves
# --------------
#
# That the two methods do what they should, and that they bear some noise. It does not prove that
# they are better: the labels are a function of the very states that the kernel compares. Data of
# another origin do not know of these states, and there the quantum kernel is one kernel among
# others. :ref:`sphx_glr_auto_examples_svm_plot_kernel_bandwidth.py` looks at three such sets.

# sphinx_gallery_thumbnail_number = 1
