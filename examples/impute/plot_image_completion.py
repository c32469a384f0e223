"""
=========================================
A photograph from three pixels out of ten
=========================================

Seven of ten pixels of a photograph are lost, and
:class:`~skmatrix.impute.MatrixCompletion` paints them again. The example shows the two decisions
that matter in every completion: **which matrix** the data are written as, and **how strongly** its
low-rank model is penalised. The penalty is chosen on pixels that are held out, as one would have to
without the original at hand.
"""

# %%
# The data
# --------
#
# We take one of the sample photographs of scikit-learn and lose 70 % of its pixels, all three
# colours of a pixel at once. Of the pixels that are left, one in ten is held out: it is hidden from
# every fit that we tune, and measures it.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

rng = np.random.default_rng(0)
original = load_sample_image("china.jpg") / 255.0
height, width, _ = original.shape
lost = rng.random((height, width)) < 0.7
held_out = ~lost & (rng.random((height, width)) < 0.1)

seen = np.where(lost[:, :, None], np.nan, original)
tuning = np.where(held_out[:, :, None], np.nan, seen)


def rmse(picture, where):
    """Root mean square error on some of the pixels."""
    return np.sqrt(np.mean((picture[where] - original[where]) ** 2))


fig, axes = plt.subplots(1, 2, figsize=(10, 3.7), layout="constrained")
axes[0].imshow(original)
axes[0].set_title("The photograph")
axes[1].imshow(np.nan_to_num(seen), interpolation="nearest")
axes[1].set_title("What is seen of it: 30 % of the pixels")
for ax in axes:
    ax.axis("off")

# %%
# First matrix: the rows of the picture
# -------------------------------------
#
# The simplest matrix is the picture itself: 427 rows of 640 pixels with 3 colours each. A low rank
# says that every line of the picture is a mixture of a few patterns of lines. The sky and the
# storeys of the tower are; the trees are not.


def to_lines(picture):
    """The picture as a matrix with one row per line."""
    return picture.reshape(height, -1)


def from_lines(X):
    """The picture out of the matrix of its lines."""
    return X.reshape(original.shape)


# %%
# Second matrix: its patches
# --------------------------
#
# What is alike in a photograph are not its lines but its small patches: most are smooth, many
# contain one edge. So we cut squares of 8 by 8 pixels, one every four pixels, and make each of
# them a row of 192 values. Every pixel then comes in about four patches, and the picture is the
# mean of what they say about it.

SIZE = 8


def corners(step):
    """Upper left corners of patches, one every `step` pixels and one at each border."""
    tops = [*range(0, height - SIZE, step), height - SIZE]
    lefts = [*range(0, width - SIZE, step), width - SIZE]
    return [(i, j) for i in tops for j in lefts]


def to_patches(picture, step):
    """The picture as a matrix with one row per patch."""
    return np.array([picture[i : i + SIZE, j : j + SIZE].ravel() for i, j in corners(step)])


def from_patches(X, step):
    """The picture out of the matrix of its patches; the mean where they overlap."""
    total, count = np.zeros(original.shape), np.zeros((height, width, 1))
    for (i, j), patch in zip(corners(step), X, strict=True):
        total[i : i + SIZE, j : j + SIZE] += patch.reshape(SIZE, SIZE, 3)
        count[i : i + SIZE, j : j + SIZE] += 1
    return total / count


print("lines:  ", to_lines(seen).shape)
print("patches:", to_patches(seen, step=4).shape)

# %%
# How many factors, and which penalty
# -----------------------------------
#
# Both matrices are completed for several ranks and penalties, and the error is measured on the
# pixels that were held out. (Patches that do not overlap are enough for the choice.) They were
# hidden from the *picture* before any matrix was made of it: had we hidden entries of the patches,
# the same pixel would have been hidden in one and seen in its neighbour.

from skmatrix.impute import MatrixCompletion

ranks, alphas = [4, 8, 16, 32, 64], [0.005, 0.02, 0.05, 0.1]
tables = {
    "lines": (to_lines(tuning), from_lines),
    "patches": (to_patches(tuning, step=SIZE), lambda X: from_patches(X, step=SIZE)),
}
errors = {}
for name, (X, back) in tables.items():
    for alpha in alphas:
        for rank in ranks:
            completion = MatrixCompletion(
                rank, alpha=alpha, clip=(0, 1), tol=1e-3, dtype="float32", random_state=0
            )
            errors[name, alpha, rank] = rmse(back(completion.fit_transform(X)), held_out)

colors = plt.get_cmap("viridis")(np.linspace(0.05, 0.85, len(alphas)))
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, name in zip(axes, tables, strict=True):
    for alpha, color, marker in zip(alphas, colors, "osD^", strict=True):
        curve = [errors[name, alpha, rank] for rank in ranks]
        ax.plot(ranks, curve, marker=marker, color=color, label=f"alpha = {alpha}")
    ax.set_xscale("log", base=2)
    ax.set_xticks(ranks, ranks)
    ax.set(title=f"The matrix of {name}", xlabel="n_components")
axes[0].set_ylabel("RMSE on held-out pixels")
_ = axes[0].legend()

# %%
# The patches end well below the lines. With a penalty of 0.02 or more the number of factors hardly
# matters once it is large enough: the penalty decides how many of them count. With too small a
# penalty the factors fit chance, most of all those of the patches, which show only some 50 values
# each; with too large a one every factor is shrunk away. This is the usual course of things: **take
# enough factors and tune the penalty**.
#
# The result
# ----------
#
# Now the held-out pixels are given back, and each matrix is completed once with what was found. We
# compare with the mean of a column (:class:`~sklearn.impute.SimpleImputer`), and with linear
# interpolation between neighbouring pixels, which knows what our model does not: that pixels have
# neighbours.

from time import perf_counter

from scipy.interpolate import griddata
from sklearn.impute import SimpleImputer


def best(name):
    """The completion that predicted held-out pixels best."""
    _, alpha, rank = min((key for key in errors if key[0] == name), key=errors.get)
    return MatrixCompletion(rank, alpha=alpha, clip=(0, 1), dtype="float32", random_state=0)


def interpolate():
    """Each lost pixel from the triangle of seen ones around it, or from the nearest."""
    places, asked = np.argwhere(~lost), np.argwhere(lost)
    values = griddata(places, original[~lost], asked)
    nearest = griddata(places, original[~lost], asked, method="nearest")
    picture = original.copy()
    picture[lost] = np.clip(np.where(np.isnan(values), nearest, values), 0, 1)
    return picture


def complete(model, X, back):
    """The picture with its lost pixels filled; those that were seen stay as they are."""
    return np.where(lost[:, :, None], back(model.fit_transform(X)), original)


lines, patches = to_lines(seen), to_patches(seen, step=4)
ways = {
    "Column mean": lambda: complete(SimpleImputer(), lines, from_lines),
    "Interpolation": interpolate,
    "Completed lines": lambda: complete(best("lines"), lines, from_lines),
    "Completed patches": lambda: complete(
        best("patches"), patches, lambda X: from_patches(X, step=4)
    ),
}
pictures = {}
for name, way in ways.items():
    begin = perf_counter()
    pictures[name] = way()
    seconds = perf_counter() - begin
    decibel = -20 * np.log10(rmse(pictures[name], lost))
    print(f"{name:<20}{rmse(pictures[name], lost):.3f} RMSE{decibel:8.1f} dB{seconds:8.1f} s")

# %%
# The second row shows where the errors are. The lines carry the storeys of the tower and smear what
# does not run along a row or a column. The patches keep edges of any direction, and are best on the
# tiles of the roofs, a pattern that repeats. In the sky, where the best guess is the neighbour,
# interpolation is better; in the leaves, where nothing repeats, all of them fail.
#
# Programs made for painting pictures do better than either. What the example is about is that the
# model got this far without being told that it looks at a picture.

shown = ["Completed lines", "Interpolation", "Completed patches"]
fig, axes = plt.subplots(2, 3, figsize=(12, 6.0), layout="constrained")
for (top, bottom), name in zip(axes.T, shown, strict=True):
    decibel = -20 * np.log10(rmse(pictures[name], lost))
    top.imshow(pictures[name])
    top.set_title(f"{name}: {decibel:.1f} dB")
    size = np.sqrt(np.mean((pictures[name] - original) ** 2, axis=2))
    image = bottom.imshow(size, cmap="magma", vmin=0, vmax=0.4)
    top.axis("off")
    bottom.axis("off")
_ = fig.colorbar(
    image, ax=axes, location="bottom", aspect=60, label="error (range 0 to 1)", extend="max"
)

# %%
# What a factor looks like
# ------------------------
#
# The factors of the columns, in `components_`, are patches themselves. The first is the colour that
# tells sky from the rest, the next two are brightness that changes from top to bottom and from side
# to side; then come stripes and other colours. They were learned from patches of which every one
# has holes.

completion = best("patches").fit(patches)
fig, axes = plt.subplots(2, 8, figsize=(10, 2.9), layout="constrained")
for k, (ax, component) in enumerate(zip(axes.flat, completion.components_, strict=False)):
    component = component.reshape(SIZE, SIZE, 3)
    ax.imshow(0.5 + 0.5 * component / np.abs(component).max())
    ax.set_title(f"{k + 1}", fontsize=9)
    ax.axis("off")
_ = fig.suptitle("The first factors of the patches, the strongest first")
