"""EBVClassifier: what it learns, predicts, and takes in later."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, log_softmax
from sklearn.datasets import make_blobs
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")
from skorch.callbacks import Callback  # noqa: E402

from skmatrix.neural_network import EBVClassifier, MLPBackbone, coherence, make_ebv  # noqa: E402
from tests.neural_network.digits import QUERIES, TRUTH, X, Y, classifier  # noqa: E402

# Learning


@pytest.mark.parametrize(
    ("arguments", "least"),
    [
        ({}, 0.93),
        ({"loss": "cosine"}, 0.93),
        ({"loss": "angular"}, 0.93),
        ({"label_smoothing": 0.1}, 0.93),
        ({"dim": 5}, 0.85),
        ({"dim": 64, "basis": "kerdock"}, 0.93),
        ({"basis": "simplex"}, 0.93),
        ({"optimizer": "sgd", "lr": 0.1, "lr_schedule": "warmup_cosine"}, 0.9),
        ({"optimizer": torch.optim.RMSprop, "lr": 1e-3}, 0.9),
        ({"lr_schedule": None, "batch_size": -1, "max_epochs": 40}, 0.9),
        ({"dtype": "float64", "class_chunk": 3}, 0.93),
        ({"backbone": "cnn", "image_shape": (1, 8, 8), "max_epochs": 8}, 0.9),
        ({"backbone": torch.nn.Linear(64, 20)}, 0.85),
    ],
)
def test_digits_are_learnt(arguments, least):
    assert classifier(**arguments).fit(X, Y).score(QUERIES, TRUTH) > least


def test_images_in_four_dimensions_are_the_same_as_rows_with_a_shape():
    settings = {"backbone": "cnn", "standardize": False, "max_epochs": 2}
    images, queries = (a.reshape(-1, 1, 8, 8) for a in (X, QUERIES))
    as_images = classifier(**settings).fit(images, Y)
    as_rows = classifier(**settings, image_shape=(1, 8, 8)).fit(X, Y)
    assert as_images.input_shape_ == as_rows.input_shape_ == (1, 8, 8)
    assert_array_equal(as_images.transform(queries), as_rows.transform(QUERIES))


def test_sparse_samples_are_made_dense_by_the_batch():
    settings = {"max_epochs": 4, "standardize": False}
    dense = classifier(**settings).fit(X, Y)
    sparse = classifier(**settings).fit(sp.csr_array(X), Y)
    assert_array_equal(dense.transform(QUERIES), sparse.transform(sp.csr_array(QUERIES)))
    # Rare pixels weigh more where nothing is centred.
    scaled = classifier().fit(sp.csr_matrix(X), Y)
    assert not scaled.mean_.any()
    assert scaled.score(QUERIES, TRUTH) > 0.9


def test_features_are_scaled_with_weights():
    weight = np.random.default_rng(0).integers(0, 3, len(Y)).astype(float)
    repeated = np.repeat(X, weight.astype(int), axis=0)
    model = classifier(max_epochs=1).fit(X, Y, sample_weight=weight)
    assert_allclose(model.mean_, repeated.mean(axis=0), rtol=1e-12)
    spread = repeated.std(axis=0)
    assert_allclose(model.scale_, np.where(spread > 0, spread, 1), rtol=1e-12)
    sparse = classifier(max_epochs=1).fit(sp.csr_array(X), Y, sample_weight=weight)
    assert_allclose(sparse.scale_, model.scale_, rtol=1e-12)
    huge = classifier(max_epochs=1).fit(X * 1e200, Y, sample_weight=weight)
    assert_allclose(huge.scale_[1:], np.where(spread > 0, 1e200 * spread, 1)[1:], rtol=1e-12)


def test_weights_are_repetitions():
    weight = np.random.default_rng(0).integers(0, 3, len(Y))
    settings = {"dtype": "float64", "batch_size": -1, "max_epochs": 3}
    weighted = classifier(**settings).fit(X, Y, sample_weight=weight)
    repeated = classifier(**settings).fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight))
    assert_allclose(weighted.transform(QUERIES), repeated.transform(QUERIES), atol=1e-9)


def test_balanced_classes_raise_the_recall_of_the_rare_one():
    P, t = make_blobs([900, 60], 2, centers=[[0, 0], [1.5, 0]], random_state=0)
    settings = {"backbone": MLPBackbone(()), "max_epochs": 20}
    plain, balanced, chosen = (
        recall_score(t, classifier(**settings, class_weight=w).fit(P, t).predict(P))
        for w in (None, "balanced", {0: 1.0, 1: 15.0})
    )
    assert balanced > plain + 0.2
    assert chosen > plain + 0.2


def test_fits_are_reproducible_and_leave_the_random_state_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    settings = {"backbone": MLPBackbone((32,), dropout=0.3), "max_epochs": 3}
    one, other = (classifier(**settings).fit(X, Y).transform(QUERIES) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert_array_equal(one, other)
    different = classifier(**settings, random_state=1).fit(X, Y).transform(QUERIES)
    assert np.abs(one - different).max() > 0.1


def test_early_stopping_takes_the_best_epoch():
    model = classifier(early_stopping=True, max_epochs=200, n_iter_no_change=5).fit(X, Y)
    losses = [epoch["valid_loss"] for epoch in model.history_]
    assert model.n_iter_ == len(losses) < 200
    assert model.best_epoch_ == np.argmin(losses) + 1
    assert model.score(QUERIES, TRUTH) > 0.9
    assert {"train_loss", "valid_accuracy", "lr", "seconds"} <= set(model.history_[0])


def test_early_stopping_works_with_classes_of_one_sample():
    y = Y.copy()
    y[:30] = 100 + np.arange(30)
    model = classifier(early_stopping=True, max_epochs=3).fit(X, y)
    assert model.classes_.size == 40


def test_schedules_have_their_courses():
    def rates(schedule):
        model = classifier(lr_schedule=schedule, max_epochs=10, lr=1.0, optimizer="sgd")
        model.set_params(lr=1e-3)
        return np.array([epoch["lr"] for epoch in model.fit(X, Y).history_]) / 1e-3

    assert_allclose(rates(None), 1)
    assert_allclose(rates("cosine"), (1 + np.cos(np.pi * np.arange(10) / 10)) / 2)
    assert_allclose(rates("warmup_cosine")[:6], 0.01 + 0.99 * np.arange(6) / 5)


def test_loss_falls_and_cosines_rise(fitted):
    first, last = fitted.history_[0], fitted.history_[-1]
    assert last["train_loss"] < 0.1 * first["train_loss"]
    assert last["train_cosine"] > first["train_cosine"]


# Prediction


def test_methods_agree(fitted):
    decision, P = fitted.decision_function(QUERIES), fitted.predict_proba(QUERIES)
    Z = fitted.transform(QUERIES)
    V = fitted.basis_.dense()[fitted.basis_index_]
    assert_allclose(decision, Z @ V.T / 0.07, atol=1e-4)
    assert_allclose(P.sum(axis=1), 1, rtol=1e-12)
    assert_allclose(np.log(P), log_softmax(decision.astype(float), axis=1), atol=1e-6)
    assert_allclose(fitted.predict_log_proba(QUERIES), np.log(P), atol=1e-6)
    labels = fitted.predict(QUERIES)
    assert_array_equal(labels, fitted.classes_[P.argmax(axis=1)])
    best, cosines = fitted.predict_topk(QUERIES, k=3)
    assert_array_equal(best[:, 0], labels)
    assert_array_equal(best, fitted.classes_[np.argsort(-decision, axis=1)[:, :3]])
    assert_allclose(cosines[:, 0], fitted.similarity(QUERIES))
    assert_allclose(np.linalg.norm(Z, axis=1), 1, rtol=1e-6)
    assert list(fitted.get_feature_names_out())[:2] == ["ebvclassifier0", "ebvclassifier1"]


def test_results_do_not_hang_on_the_piece_or_the_company(fitted):
    model = copy.deepcopy(fitted)
    whole = model.decision_function(QUERIES)
    assert_array_equal(model.decision_function(QUERIES[70:71])[0], whole[70])
    assert_allclose(model.set_params(class_chunk=1).decision_function(QUERIES), whole, atol=1e-5)


def test_two_classes_have_one_decision():
    used = Y < 2
    model = classifier(max_epochs=3).fit(X[used], Y[used].astype(str))
    decision, P = model.decision_function(QUERIES), model.predict_proba(QUERIES)
    assert decision.shape == (len(QUERIES),)
    assert_allclose(expit(decision.astype(float)), P[:, 1], atol=1e-6)
    assert_array_equal(model.predict(QUERIES), np.array(["0", "1"])[(decision > 0).astype(int)])


def test_zero_embeddings_are_uniform():
    class Zero(torch.nn.Linear):
        def forward(self, x):
            return 0 * super().forward(x)

    model = EBVClassifier(Zero(64, 4), dim=4, max_epochs=1).fit(X, Y % 4)
    assert_allclose(model.predict_proba(QUERIES), 0.25)
    assert not model.predict(QUERIES).any()
    assert not model.transform(QUERIES).any()


def test_relabelling_permutes_the_probabilities():
    """Vectors go to labels in order; so does their place in the results."""
    names = np.array(list("jihgfedcba"))
    basis = make_ebv(10, 10, random_state=0)
    plain = classifier(basis=basis, max_epochs=3).fit(X, Y)
    renamed = classifier(basis=basis[::-1], max_epochs=3).fit(X, names[Y])
    assert_allclose(
        plain.predict_proba(QUERIES), renamed.predict_proba(QUERIES)[:, ::-1], atol=1e-4
    )


def test_rotated_vectors_and_last_layer_leave_the_scores_alone(fitted):
    rotation = make_ebv(10, 10, random_state=1)
    model = copy.deepcopy(fitted)
    before = fitted.decision_function(QUERIES)
    last = model.module_.backbone[-1]
    with torch.no_grad():
        R = torch.tensor(rotation, dtype=torch.float32)
        last.weight.copy_(R.T @ last.weight)
        last.bias.copy_(R.T @ last.bias)
    model.basis_._vectors = model.basis_._vectors @ rotation
    assert_allclose(model.decision_function(QUERIES), before, atol=1e-4)


# Many classes


def test_thousands_of_classes_are_learnt_without_a_table():
    rng = np.random.default_rng(0)
    centres = 3 * rng.standard_normal((2000, 32))
    y = np.repeat(np.arange(2000), 3)
    P = centres[y] + 0.1 * rng.standard_normal((6000, 32))
    model = EBVClassifier(dim=64, max_epochs=20, lr=1e-2, random_state=0).fit(P, y)
    assert model.basis_.kind == "kerdock"
    assert model.coherence_ == 0.125
    assert model.score(P[::20], y[::20]) > 0.9
    assert len(pickle.dumps(model.basis_)) < 1000
    numbers = sum(p.numel() for p in model.module_.parameters())
    assert numbers == (32 + 1) * 256 + (256 + 1) * 64


# New classes


def test_new_labels_take_the_next_vectors(of_eight):
    model = copy.deepcopy(of_eight)
    V = model.basis_.dense().copy()
    for _ in range(6):
        model.partial_fit(X, Y)
    assert_array_equal(model.basis_.dense()[:8], V)
    assert_array_equal(model.classes_, np.arange(10))
    assert model.score(QUERIES, TRUTH) > 0.9
    assert model.n_iter_ == len(model.history_) == 21


def test_labels_between_the_old_ones_keep_classes_sorted():
    y = 2 * (Y % 5)
    model = classifier(dim=16, max_epochs=4).fit(X, y)
    old = model.decision_function(QUERIES)
    model.add_classes([3, 5, 4])
    assert_array_equal(model.classes_, [0, 2, 3, 4, 5, 6, 8])
    assert_array_equal(model.basis_index_, [0, 1, 5, 2, 6, 3, 4])
    assert_allclose(model.decision_function(QUERIES)[:, [0, 1, 3, 5, 6]], old, atol=1e-5)
    assert_allclose(model.basis_.dense() @ model.basis_.dense().T, np.eye(7), atol=1e-12)


def test_partial_fit_from_the_start_is_one_epoch():
    model = classifier()
    for _ in range(8):
        model.partial_fit(X, Y, classes=np.arange(12))
    assert model.classes_.size == 12
    assert model.n_iter_ == 8
    assert model.score(QUERIES, TRUTH) > 0.9


def test_enrolled_classes_are_found_without_training(of_eight):
    model = copy.deepcopy(of_eight)
    weights = {name: value.clone() for name, value in model.module_.state_dict().items()}
    model.enroll(X[Y >= 8], Y[Y >= 8].astype(int))
    for name, value in model.module_.state_dict().items():
        assert torch.equal(value, weights[name])
    assert_array_equal(model.basis_index_, np.arange(10))
    mean = of_eight.transform(X[Y == 9]).astype(float).sum(axis=0)
    own = model._table.targets.take([9])[0]
    assert_allclose(own, mean / np.linalg.norm(mean), atol=1e-6)
    everything = np.concatenate([model.basis_.dense(), model._table.enrolled])
    assert model.enrolled_coherence_ == pytest.approx(coherence(everything).max)
    new = TRUTH >= 8
    assert model.score(QUERIES[new], TRUTH[new]) > 0.5
    # They stay when others come, and when training goes on.
    model.add_classes([77])
    assert_array_equal(model._table.targets.take(model._table.positions)[9], own)
    assert model.partial_fit(X, Y).score(QUERIES, TRUTH) > 0.85


def test_warm_start_goes_on():
    model = classifier(max_epochs=2, warm_start=True).fit(X, Y)
    first = model.history_[-1]["train_loss"]
    model.fit(X, Y)
    assert model.n_iter_ == 4
    assert model.history_[-1]["train_loss"] < first
    assert model.set_params(warm_start=False).fit(X, Y).n_iter_ == 2


# With others


def test_pickles_load_in_a_fresh_process(fitted, tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps((fitted, QUERIES, fitted.predict(QUERIES))))
    code = (
        "import pickle, sys; m, X, y = pickle.load(open(sys.argv[1], 'rb'));"
        "assert (m.predict(X) == y).all(); m.partial_fit(X, y)"
    )
    run = [sys.executable, "-W", "error", "-c", code, str(path)]
    assert subprocess.run(run, check=False).returncode == 0
    # The weights once, neither moments of the optimiser nor samples.
    weights = sum(p.numel() for p in fitted.module_.parameters())
    assert path.stat().st_size - pickle.dumps(QUERIES).__len__() < 4 * weights + 50_000


def test_parameters_can_be_searched():
    grid = {
        "ebvclassifier__backbone__hidden": [(8,), (32, 32)],
        "ebvclassifier__temperature": [0.07, 0.3],
        "ebvclassifier__dim": [12],
        "ebvclassifier__max_epochs": [8],
    }
    search = GridSearchCV(
        make_pipeline(MinMaxScaler(), classifier(max_epochs=4)), grid, cv=2, n_jobs=2
    )
    assert search.fit(X, Y).best_score_ > 0.8


def test_callbacks_of_skorch_are_called():
    class Count(Callback):
        def __init__(self):
            self.epochs = 0

        def on_epoch_end(self, net, **kwargs):
            self.epochs += 1

    given = Count()
    model = classifier(max_epochs=3, callbacks=[("count", given)]).fit(X, Y)
    assert dict(model.net_.callbacks_)["count"].epochs == 3
    assert given.epochs == 0


def test_callbacks_of_scikit_learn_are_told_of_epochs():
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    model = classifier(max_epochs=3).set_callbacks(monitor).fit(X, Y)
    scores = [r["accuracy"] for r in monitor.get_logs().data if r["task_name"] == "iteration"]
    assert len(scores) == 3
    assert scores[-1] == model.score(X, Y) > scores[0]


def test_verbose_prints_a_line_for_each_epoch(capsys):
    classifier(max_epochs=2, verbose=1).fit(X, Y)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2
    assert "[EBVClassifier] iteration 2/2: objective=" in printed[1]


@pytest.mark.gpu
def test_a_gpu_learns_as_well():
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    model = classifier(device="cuda").fit(X, Y)
    assert model.score(QUERIES, TRUTH) > 0.9
