"""
=====================================================
A photograph out of a quarter as many random mixtures
=====================================================

A camera that does not record pixels: 64 random mixtures of the rows of a picture, and of those 64
random mixtures of its columns. That is a quarter as many numbers as the picture has pixels.
Photographs have few large coefficients in cosines, and
:class:`~skmatrix.linear_model.KroneckerSBL` finds those that explain the mixtures. No penalty has
to be chosen, and the result comes with a map of where it is in doubt.
"""

# %%
# What is measured
# ----------------
#
# A temple near Beijing in 128 by 128 pixels, from a photograph that comes with scikit-learn and is
# read by *Pillow*. :math:`Y = B_1 \, T B_2^\top` and a little noise, with random :math:`B_k` of 64
# rows. With cosines on both sides, :math:`T = D X D^\top`, this is a regression of :math:`y` on
# :math:`A_1 \otimes A_2`, :math:`A_k = B_k D`. As a matrix it would have 4096 rows, 16,384 columns,
# and half a gigabyte; that is what :class:`~sklearn.linear_model.Lasso` or
# :class:`~sklearn.linear_model.ARDRegression` would need. Here it is two matrices of 64 by 128.

import matplotlib.pyplot as plt
import numpy as np
from scipy.fft import idct
from sklearn.datasets import load_sample_image

from skmatrix.linear_model import KroneckerSBL

photo = load_sample_image("china.jpg").mean(axis=2) / 255
truth = photo[:256, :256].reshape(128, 2, 128, 2).mean(axis=(1, 3))
cosines = idct(np.eye(128), axis=0, norm="ortho")
rng = np.random.default_rng(0)


def measure(n_rows):
    """Mixing matrices with cosines, and what they measure."""
    mixings = [rng.standard_normal((n_rows, 128)) / np.sqrt(n_rows) for _ in range(2)]
    y = mixings[0] @ truth @ mixings[1].T
    return tuple(B @ cosines for B in mixings), y + 0.002 * rng.standard_normal(y.shape)


def psnr(picture):
    """Peak signal-to-noise ratio in decibel."""
    return -10 * np.log10(np.mean((picture - truth) ** 2))


# %%
# Two other ways
# --------------
#
# Of all pictures that agree with the mixtures, *least norm* takes the smallest. A *penalty* on the
# absolute values of the coefficients, as in the Lasso, can be had without the large matrix too,
# since its gradient needs nothing but products with the two small ones: accelerated proximal
# gradients (FISTA), from large penalties to small ones. Of the whole path we take the picture that
# is closest to the truth, which nobody could choose who does not know it.


def with_least_norm(factors, y):
    """The smallest solution."""
    inverses = [np.linalg.pinv(A) for A in factors]
    return cosines @ inverses[0] @ y @ inverses[1].T @ cosines.T


def with_penalty(factors, y, n_steps=50):
    """The best picture on a path of 14 penalties."""
    A, B = factors
    rate = 1 / np.linalg.norm(A, 2) ** 2 / np.linalg.norm(B, 2) ** 2
    x, pictures = np.zeros(truth.shape), []
    for penalty in np.abs(A.T @ y @ B).max() * 0.5 ** np.arange(1, 15):
        ahead, t = x, 1.0
        for _ in range(n_steps):
            step = ahead - rate * (A.T @ (A @ ahead @ B.T - y) @ B)
            before, x = x, np.sign(step) * np.maximum(np.abs(step) - rate * penalty, 0)
            t, t_before = (1 + np.sqrt(1 + 4 * t * t)) / 2, t
            ahead = x + (t_before - 1) / t * (x - before)
        pictures.append(cosines @ x @ cosines.T)
    return max(pictures, key=psnr)


# %%
# The pictures
# ------------
#
# ``predict`` takes factors with other rows than those of the fit. With the cosines themselves in
# their place the "measurements" are the pixels.

factors, y = measure(64)
model = KroneckerSBL(random_state=0).fit(factors, y)
picture, std = model.predict((cosines, cosines), return_std=True)
pictures = {
    "Photograph": truth,
    "KroneckerSBL": picture,
    "Best penalty": with_penalty(factors, y),
    "Least norm": with_least_norm(factors, y),
}
fig, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
for ax, (name, found) in zip(axes, pictures.items(), strict=True):
    ax.imshow(found, cmap="gray", vmin=0, vmax=1)
    ax.set_title(name if found is truth else f"{name}: {psnr(found):.1f} dB")
    ax.set_axis_off()

# %%
# How much it is in doubt
# -----------------------
#
# ``return_std`` has standard deviations of *measurements*; without the variance of the noise they
# are those of the pixels. Their size is about right, somewhat too large here. Their pattern says
# little: errors are largest along edges, and the map knows of no edges, because variances of the
# prior belong to frequencies and not to places.

error = np.abs(picture - truth)
doubt = np.sqrt(std**2 - model.noise_variance_)
inside = np.mean(error < 1.96 * doubt)
print(f"intervals of 95 % hold {100 * inside:.0f} % of the pixels")
print(f"RMSE {np.sqrt(np.mean(error**2)):.3f}, mean standard deviation {doubt.mean():.3f}")
fig, axes = plt.subplots(1, 2, figsize=(8, 3.7), layout="constrained")
for ax, values, title in [
    (axes[0], doubt, "Standard deviation: alike everywhere"),
    (axes[1], error, "Error: largest along edges"),
]:
    drawn = ax.imshow(values, cmap="magma", vmin=0, vmax=0.3)
    ax.set_title(title)
    ax.set_axis_off()
_ = fig.colorbar(drawn, ax=axes, label="grey value, 0 to 1", extend="max")

# %%
# What it has learnt
# ------------------
#
# The prior variance of a coefficient is the product of those of its two frequencies. Nobody has
# said that photographs have more of the low frequencies. No others stand out, and most are kept: a
# photograph is compressible rather than sparse, and what the prior cannot hold counts as noise,
# which is estimated too large.

from skmatrix.inspection import KroneckerSpectrumDisplay

print(f"noise {np.sqrt(model.noise_variance_):.4f}, of which 0.002 was put in")
display = KroneckerSpectrumDisplay.from_estimator(
    model, scale="log", factor_names=["From top to bottom", "From left to right"]
)
for ax in display.ax_:
    ax.set_xlabel("frequency")

# %%
# How many mixtures?
# ------------------
#
# With the penalty, even at its best, it takes one and a half times as many of them or more for a
# picture of the same quality.

sizes = np.array([32, 48, 64, 80, 96])
lines = {"KroneckerSBL": [], "Best penalty": [], "Least norm": []}
for n_rows in sizes:
    factors, y = measure(n_rows)
    found = KroneckerSBL(random_state=0).fit(factors, y).predict((cosines, cosines))
    lines["KroneckerSBL"].append(psnr(found))
    lines["Best penalty"].append(psnr(with_penalty(factors, y)))
    lines["Least norm"].append(psnr(with_least_norm(factors, y)))
fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
styles = [("#0072B2", "o"), ("#D55E00", "s"), ("0.5", "^")]
for (name, values), (color, marker) in zip(lines.items(), styles, strict=True):
    ax.plot(100 * sizes**2 / truth.size, values, color=color, marker=marker)
    ax.annotate(f" {name}", (57, values[-1]), color=color, va="center")
_ = ax.set(
    title="Quality against the number of mixtures",
    xlabel="mixtures per 100 pixels",
    ylabel="peak signal-to-noise ratio (dB)",
    xlim=(0, 72),
)

# %%
# For comparison, a camera that records 64 by 64 ordinary pixels:

coarse = truth.reshape(64, 2, 64, 2).mean(axis=(1, 3)).repeat(2, axis=0).repeat(2, axis=1)
print(f"64 by 64 pixels: {psnr(coarse):.1f} dB")

# %%
# Whoever can record pixels should. Mixtures are for where they are what is measured: one detector
# behind a mask, coils of a scanner, arrays of antennas as in
# :ref:`sphx_glr_auto_examples_linear_model_plot_kronecker_channel.py`.
