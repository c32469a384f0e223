"""
====================================================
A map of the sea out of a few thousand thermometers
====================================================

Temperatures of the sea surface along the equator, at scattered places and times. Four and a half
years make a tensor of time, latitude and longitude, of which a month sees some hundred and fifty
values. We fill in the rest, and look at where the map is in doubt and at what its error bars are
worth.
"""

# %%
# The data
# --------
#
# Monthly means from April 2006 to September 2010 between 5° S and 4.4° N, all around the globe: the
# OSTIA analysis of satellites, ships and buoys. The file comes with the package
# ``iris-sample-data`` (Open Government Licence) and is read by ``h5py``. A quarter of the elements
# is land. Longitude has an end where the globe has none: we cut it open at 20° E, in the middle of
# Africa, where nothing has to be continued.

from importlib.util import find_spec
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np

from skmatrix.decomposition import FunBaT, entries_to_tensor, tensor_to_entries

folder = Path(find_spec("iris_sample_data").submodule_search_locations[0]) / "sample_data"
with h5py.File(folder / "ostia_monthly.nc") as file:
    kelvin, latitude, longitude = (
        file[name][:].astype(float) for name in ("surface_temperature", "latitude", "longitude")
    )
celsius = np.where(kelvin > 1000, np.nan, kelvin - 273.15)
longitude = np.where(longitude < 20, longitude + 360, longitude)
order = np.argsort(longitude)
celsius, longitude = celsius[:, :, order], longitude[order]
year = 2006 + (3.5 + np.arange(len(celsius))) / 12
print(f"{celsius.shape}, {np.isfinite(celsius).sum()} at sea, sd {np.nanstd(celsius):.2f} °C")

# %%
# What is observed
# ----------------
#
# 8000 of them, 2.6 %, with an error of 0.2 °C each, and none from a part of the Pacific between
# October 2007 and March 2008, while it was cold: an outage. 20,000 others are for the test.

coords = [year, latitude, longitude]
X, y = tensor_to_entries(celsius, coords)
rng = np.random.default_rng(0)
noise = 0.2
outage = (X[:, 0] > 2007.75) & (X[:, 0] < 2008.25) & (X[:, 2] > 200) & (X[:, 2] < 240)
observed = np.zeros(len(y), dtype=bool)
observed[rng.choice(np.flatnonzero(~outage), 8000, replace=False)] = True
y_observed = y[observed] + noise * rng.standard_normal(8000)
test = rng.choice(np.flatnonzero(~observed & ~outage), 20_000, replace=False)

# %%
# How many components?
# --------------------
#
# In CP the r-th component is a product of a course in time, a profile from south to north and a
# profile from west to east, all of them smooth, over lengths that are found from the data. Boosted
# trees get the same three columns. They do better than four components and worse than twelve. In
# the outage they fall behind, since a tree can only repeat what is next to it.

from sklearn.ensemble import HistGradientBoostingRegressor


def rmse(model, rows):
    """Error of the map there."""
    return np.sqrt(np.mean((model.predict(X[rows]) - y[rows]) ** 2))


models = {
    f"FunBaT, {rank} components": FunBaT(
        rank, decomposition="cp", kernel="matern32", tol=1e-3, random_state=0
    )
    for rank in (1, 4, 12)
}
models["boosted trees"] = HistGradientBoostingRegressor(
    learning_rate=0.2, max_iter=200, random_state=0
)
for name, model in models.items():
    model.fit(X[observed], y_observed)
    print(f"{name:<21} {rmse(model, test):.2f} °C, in the outage {rmse(model, outage):.2f} °C")

# %%
# The map
# -------
#
# January 2008, in the middle of the outage. What other months say of these places, and other places
# of this month, is enough for the shape of the cold tongue, which comes out too cold. The last map
# is the standard deviation of the values behind the noise. It is larger in the outage, still larger
# off Ecuador, and largest on the speck at 33° E: Lake Victoria, from which few values have come.

model = models["FunBaT, 12 components"]
month = 21
at = X[:, 0] == year[month]
mean, std = model.predict(X[at], return_std=True, include_noise=False)


def on_grid(values):
    """Values of the month on the grid, NaN on land."""
    return entries_to_tensor(X[at], values, [year[[month]], latitude, longitude])[0][0]


seen = at & observed
limits = {"vmin": 22, "vmax": 31, "cmap": "RdYlBu_r"}
fig, axes = plt.subplots(4, 1, figsize=(11, 7.4), sharex=True, layout="constrained")
for ax in axes:
    ax.set(facecolor="0.85", ylabel="latitude", xlim=(20, 380), ylim=(-5.3, 4.8))
    ax.add_patch(plt.Rectangle((200, -5.2), 40, 9.9, fill=False, ls="--", lw=1, zorder=3))
dots = axes[0].scatter(*X[seen][:, [2, 1]].T, c=y_observed[at[observed]], ec="k", lw=0.3, **limits)
axes[0].set_title(f"Observed: {seen.sum()} values of January 2008 (dashed: outage)")
axes[1].pcolormesh(longitude, latitude, on_grid(mean), **limits)
axes[1].set_title("Predicted")
axes[2].pcolormesh(longitude, latitude, on_grid(y[at]), **limits)
axes[2].set_title("Truth")
fig.colorbar(dots, ax=axes[:3], label="°C", pad=0.01)
doubt = axes[3].pcolormesh(longitude, latitude, on_grid(std), cmap="magma_r", vmin=0)
axes[3].set(title="Standard deviation of the prediction", xlabel="longitude")
fig.colorbar(doubt, ax=axes[3], label="°C", pad=0.01)
_ = axes[3].set_xticks(range(60, 361, 60), ["60° E", "120° E", "180°", "120° W", "60° W", "0°"])

# %%
# What it has learnt
# ------------------
#
# Three of the components, those of most weight. Nobody has told the model that a year has seasons.
# Between 285° and 305° is South America: there the functions are only what their prior makes of
# them.

from skmatrix.inspection import FactorFunctionDisplay, IntervalCalibrationDisplay

display = FactorFunctionDisplay.from_estimator(model, n_functions=3)
for ax, label in zip(display.ax_, ("year", "latitude", "longitude"), strict=True):
    ax.set_xlabel(label)

# %%
# What the error bars are worth
# -----------------------------
#
# What is left over is not only the noise of the thermometers but also what no dozen of products can
# hold. To the model all of it is noise: ``noise_std_`` is well above the 0.2 °C that we have added,
# and intervals for *measurements*, the default, are about right. Intervals for the *values behind
# the noise* take the low rank for granted, and the functions of one mode as independent of those of
# another: they are far too narrow. Take the map of the doubt for what it is. It says where to send
# a ship, and not how wrong the map is.

mean, std = model.predict(X[test], return_std=True, include_noise=False)
inside = np.abs(mean - y[test]) < 1.96 * std
print(f"noise_std_ {model.noise_std_:.2f} °C")
print(f"intervals of 95 % for the values behind the noise hold {100 * inside.mean():.0f} %")
measured = y[test] + noise * rng.standard_normal(len(test))
_ = IntervalCalibrationDisplay.from_estimator(model, X[test], measured)

# %%
# A Gaussian process on the three columns needs no low rank. It would have to factorise a matrix of
# 8000 by 8000 for each step of its parameters, and here the time grows in proportion to the number
# of values. :ref:`The user guide <functional_tensors>` says which to take when.

# sphinx_gallery_thumbnail_number = 1
