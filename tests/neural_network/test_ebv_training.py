"""EBVClassifier: callbacks, weights, threads, interruptions, and fits that go on."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LRScheduler  # noqa: E402
from torch.optim.lr_scheduler import StepLR  # noqa: E402

from skmatrix.neural_network import MLPBackbone  # noqa: E402
from tests.callbacks import Watcher  # noqa: E402
from tests.neural_network.digits import QUERIES, TRUTH, X, Y, classifier  # noqa: E402


class Interrupt(Callback):
    """An interruption while an epoch is under way."""

    def on_batch_end(self, net, **_):
        raise KeyboardInterrupt


def rates(model):
    """Learning rate of each epoch."""
    return [epoch["lr"] for epoch in model.history_]


def test_a_callback_of_skorch_may_stop_the_fit():
    stopping = EarlyStopping(monitor="train_loss", patience=2, sink=lambda text: None)
    model = classifier(lr=1e-12, lr_schedule=None, callbacks=[stopping], max_epochs=50)
    model.fit(X, Y)
    assert 2 <= model.n_iter_ < 10
    assert model.predict(QUERIES).shape == TRUTH.shape
    # The next fit is not stopped by the last.
    assert model.partial_fit(X, Y).n_iter_ > model.n_iter_ - 1


def test_a_callback_of_skorch_may_set_the_learning_rate():
    steps = LRScheduler(StepLR, step_size=1, gamma=0.1)
    model = classifier(lr=1e-2, lr_schedule=None, callbacks=[steps], max_epochs=4).fit(X, Y)
    assert_allclose(rates(model), [1e-2, 1e-3, 1e-4, 1e-5])


def test_checkpoints_of_skorch_know_the_best_loss(tmp_path):
    checkpoint = Checkpoint(dirname=str(tmp_path), f_pickle=None, f_history=None)
    classifier(early_stopping=True, callbacks=[checkpoint], max_epochs=3).fit(X, Y)
    assert (tmp_path / "params.pt").exists()


@pytest.mark.parametrize("optimizer", [torch.optim.LBFGS, torch.optim.Rprop])
def test_optimisers_without_weight_decay_are_taken(optimizer):
    model = classifier(optimizer=optimizer, batch_size=-1, lr=0.01, max_epochs=4).fit(X, Y)
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]


@pytest.mark.parametrize("weight", [1e-50, 1e50])
def test_the_size_of_weights_does_not_matter(weight):
    plain = classifier(max_epochs=2).fit(X, Y)
    weighted = classifier(max_epochs=2).fit(X, Y, sample_weight=np.full(len(Y), weight))
    assert_allclose(weighted.transform(QUERIES), plain.transform(QUERIES), atol=1e-5)


@pytest.mark.parametrize("constant", [1e17, 1e20, 1e300, -1e20])
def test_a_large_constant_column_does_no_harm(constant):
    Z, queries = X.copy(), QUERIES.copy()
    Z[:, 0] = queries[:, 0] = constant
    assert classifier().fit(Z, Y).score(queries, TRUTH) > 0.93


def test_fits_in_threads_are_those_one_after_the_other():
    backbone = MLPBackbone((32,), dropout=0.3)
    models = [classifier(backbone=backbone, max_epochs=3, random_state=i) for i in range(4)]
    alone = [copy.deepcopy(model).fit(X, Y).transform(QUERIES) for model in models]
    before = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda model: model.fit(X, Y).transform(QUERIES), models))
    assert_array_equal(together, alone)
    assert torch.equal(torch.get_rng_state(), before)


def test_after_an_interruption_training_goes_on_as_if_there_had_been_none():
    model = classifier(max_epochs=2, dim=12).fit(X[Y < 8], Y[Y < 8])
    other = copy.deepcopy(model)
    model.net_.callbacks_.append(("interrupt", Interrupt()))
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, Y)
    del model.net_.callbacks_[-1]
    for each in (model, other):
        each.partial_fit(X, Y)
    assert_array_equal(model.transform(QUERIES), other.transform(QUERIES))
    assert model.history_[-1]["train_cosine"] == other.history_[-1]["train_cosine"]


def test_a_warm_start_takes_new_settings():
    model = classifier(max_epochs=2, warm_start=True).fit(X, Y)
    model.set_params(lr=1e-5, lr_schedule=None, temperature=0.5, loss="softmax").fit(X, Y)
    assert rates(model)[2:] == [1e-5, 1e-5]
    fresh = classifier(max_epochs=2, temperature=0.5).fit(X, Y)
    # With nearly orthogonal vectors and a high temperature all losses are near log 10.
    assert abs(model.history_[-1]["train_loss"] - np.log(10)) < 1
    assert fresh.net_.criterion_._temperature == model.net_.criterion_._temperature == 0.5


def test_precision_is_that_of_the_fit():
    model = classifier(max_epochs=1).fit(X, Y)
    expected = model.predict(QUERIES)
    assert_array_equal(model.set_params(dtype="float64").predict(QUERIES), expected)


def test_repeated_entries_of_sparse_samples_stay():
    dense = np.where(X > 8, X, 0)
    once = sp.csr_array(dense)
    twice = (np.repeat(once.data / 2, 2), np.repeat(once.indices, 2), once.indptr * 2)
    repeated = sp.csr_array(twice, shape=X.shape)
    before = repeated.nnz
    model = classifier(max_epochs=1).fit(repeated, Y)
    assert repeated.nnz == before
    expected = classifier(max_epochs=1).fit(once, Y)
    assert_allclose(model.transform(repeated), expected.transform(once), atol=1e-5)


def test_a_first_layer_that_works_in_place_leaves_samples_alone():
    single = (X - 8).astype(np.float32)
    before = single.copy()
    backbone = torch.nn.Sequential(torch.nn.ReLU(inplace=True), torch.nn.Linear(64, 10))
    classifier(backbone=backbone, standardize=False, batch_size=-1, max_epochs=1).fit(single, Y)
    assert_array_equal(single, before)


def test_a_network_that_a_function_hands_out_is_not_trained_itself():
    shared = torch.nn.Linear(64, 10)
    before = shared.weight.detach().clone()
    classifier(backbone=lambda shape, dim: shared, max_epochs=1).fit(X, Y)
    assert torch.equal(shared.weight, before)


class Pair(torch.nn.Module):
    """Two outputs."""

    def forward(self, x):
        return x, x


def test_an_output_that_is_no_tensor_is_refused():
    with pytest.raises(ValueError, match="output is a tuple"):
        classifier(backbone=Pair()).fit(X, Y)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8.5), (-1, -8, 8), (1, 8, 9), "188"])
def test_shapes_that_are_none_of_images_are_refused(shape):
    with pytest.raises(ValueError, match="image_shape"):
        classifier(backbone="cnn", image_shape=shape, max_epochs=1).fit(X, Y)


def test_callbacks_see_the_history_so_far():
    watcher = Watcher(lambda X, y, now: (now.n_iter_, now.best_epoch_, len(now.history_)))
    classifier(max_epochs=3).set_callbacks(watcher).fit(X, Y)
    assert watcher.seen == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]


def test_more_epochs_than_progress_has_tasks():
    model = classifier(max_epochs=1).fit(X, Y)
    model.n_iter_ = 10_001
    assert model.partial_fit(X, Y).n_iter_ == 10_002
