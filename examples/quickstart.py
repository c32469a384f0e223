"""Paint a photograph from 30 % of its pixels.

The picture is cut into small patches that overlap. Each patch is a row of a matrix, each position
in the patch a column, and each lost pixel a hole. Patches look alike, so that the matrix is close
to low rank and `MatrixCompletion` can fill the holes. Run it as

    python examples/quickstart.py

It needs a few seconds (the first run also compiles), prints the errors on the lost pixels and
writes quickstart.png.
"""

from pathlib import Path
from time import perf_counter

import matplotlib

matplotlib.use("Agg")  # write a file, open no window
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.impute import SimpleImputer

from skmatrix.impute import MatrixCompletion

SIZE, STEP = 8, 4  # patches of 8 x 8 pixels, one every 4 pixels


def cut(picture, corners):
    """The matrix with one patch in each row."""
    return np.array([picture[i : i + SIZE, j : j + SIZE].ravel() for i, j in corners])


def paste(patches, corners, shape):
    """The picture again; where patches overlap, their mean."""
    total, count = np.zeros(shape), np.zeros((*shape[:2], 1))
    for (i, j), patch in zip(corners, patches, strict=True):
        total[i : i + SIZE, j : j + SIZE] += patch.reshape(SIZE, SIZE, 3)
        count[i : i + SIZE, j : j + SIZE] += 1
    return total / count


# A photograph of which 70 % of the pixels are lost.
original = load_sample_image("china.jpg") / 255.0
height, width, _ = original.shape
lost = np.random.default_rng(0).random((height, width)) < 0.7
seen = np.where(lost[:, :, None], np.nan, original)

# Its patches as rows of a matrix with holes.
tops = [*range(0, height - SIZE, STEP), height - SIZE]
lefts = [*range(0, width - SIZE, STEP), width - SIZE]
corners = [(i, j) for i in tops for j in lefts]
X = cut(seen, corners)
print(f"A matrix of {X.shape[0]:,} patches x {X.shape[1]} values, {np.isnan(X).mean():.0%} missing")
print(f"\n{'':<20}{'RMSE':>8}{'PSNR':>10}{'time':>9}")

# The penalty was chosen on held-out pixels, as examples/impute/plot_image_completion.py shows.
pictures = {}
for imputer in (
    SimpleImputer(),  # the mean of the column
    MatrixCompletion(n_components=16, alpha=0.02, clip=(0, 1), dtype="float32", random_state=0),
):
    begin = perf_counter()
    filled = paste(imputer.fit_transform(X), corners, original.shape)
    seconds = perf_counter() - begin
    filled[~lost] = original[~lost]
    rmse = np.sqrt(np.mean((filled[lost] - original[lost]) ** 2))
    name = type(imputer).__name__
    print(f"{name:<20}{rmse:8.3f}{-20 * np.log10(rmse):7.1f} dB{seconds:7.1f} s")
    pictures[name] = filled

fig, axes = plt.subplots(1, 3, figsize=(16, 3.9), layout="constrained")
for ax, picture, title in zip(
    axes,
    (np.nan_to_num(seen, nan=0.0), pictures["MatrixCompletion"], original),
    ("What is seen: 30 % of the pixels", "Completed by MatrixCompletion", "The original"),
    strict=True,
):
    ax.imshow(picture, interpolation="nearest")
    ax.set_title(title, fontsize=14)
    ax.axis("off")
path = Path("quickstart.png").resolve()
fig.savefig(path, dpi=120)
print(f"\nThe picture is in {path}")
