"""Networks as nested estimators."""

import numpy as np
import pytest
from sklearn.base import clone

from skmatrix.neural_network import CNNBackbone, EBVClassifier, MLPBackbone, TorchBackbone


def test_parameters_of_a_factory_are_parameters():
    backbone = TorchBackbone(dict, {"width": 3, "depth": 1})
    copy = clone(backbone).set_params(params__width=5)
    assert copy.params == {"width": 5, "depth": 1}
    assert backbone.params == {"width": 3, "depth": 1}
    assert copy.get_params()["params__width"] == 5
    with pytest.raises(ValueError, match="Invalid parameter 'width'"):
        copy.set_params(width=5)


def test_parameters_of_a_backbone_are_nested():
    model = clone(EBVClassifier(MLPBackbone())).set_params(backbone__hidden=(3, 4))
    assert model.backbone.hidden == (3, 4)
    model = EBVClassifier(TorchBackbone(dict, {"a": 1})).set_params(backbone__params__a=2)
    assert model.get_params()["backbone__params__a"] == 2


torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from skmatrix.neural_network._backbones_torch import built  # noqa: E402

IMAGE = (3, 12, 10)


@pytest.mark.parametrize(
    ("backbone", "shape"),
    [
        ("mlp", (5,)),
        (MLPBackbone((8, 6), activation="gelu", dropout=0.5, norm="batch"), (5,)),
        (MLPBackbone((), norm="layer"), (5,)),
        (MLPBackbone((8,), norm="layer"), IMAGE),
        ("cnn", IMAGE),
        (CNNBackbone((4, 4, 4, 4), dropout=0.2), IMAGE),
        (CNNBackbone((4,)), (2, 30)),
        (nn.Linear(5, 7), (5,)),
        (nn.Linear(5, 4), (5,)),
        (nn.Identity, (5,)),
        (TorchBackbone(nn.Linear, {"in_features": 5, "out_features": 9}), (5,)),
        (lambda shape, dim: nn.Linear(shape[0], dim), (5,)),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_network_has_the_outputs_that_are_needed(backbone, shape, dtype):
    module = built(backbone, shape, 4, dtype)
    output = module(torch.randn(3, *shape, dtype=dtype))
    assert output.shape == (3, 4)
    assert output.dtype == dtype


def test_a_module_is_copied():
    module = nn.Linear(5, 4)
    ours = built(module, (5,), 4, torch.float32)
    torch.testing.assert_close(ours.weight, module.weight)
    with torch.no_grad():
        ours.weight += 1
    assert (module.weight - ours.weight).abs().min() > 0.9


def test_width_of_an_mlp():
    module = built(MLPBackbone((8, 6), norm="batch"), (5,), 4, torch.float32)
    assert [layer.weight.shape for layer in module if isinstance(layer, nn.Linear)] == [
        (8, 5), (6, 8), (4, 6)
    ]  # fmt: skip
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in module) == 2


@pytest.mark.parametrize(
    ("backbone", "shape", "error", "match"),
    [
        ("cnn", (5,), ValueError, r"samples of shape \(channels, height, width\).* \(5,\)"),
        (lambda s, d: nn.Identity(), (3, 4), ValueError, r"output has shape \(2, 3, 4\)"),
        (lambda s, d: np.ones, (3,), TypeError, "must make a torch.nn.Module. Got"),
        (MLPBackbone((0,)), (3,), ValueError, r"hidden=\(0,\) must hold positive integers"),
        (MLPBackbone(dropout=1), (3,), ValueError, "'dropout' parameter"),
        (CNNBackbone(("a",)), IMAGE, ValueError, "channels=.* must hold positive integers"),
    ],
)
def test_what_makes_no_vectors_is_refused(backbone, shape, error, match):
    with pytest.raises(error, match=match):
        built(backbone, shape, 4, torch.float32)


def test_a_class_of_backbones_is_answered_with_how_to_pass_one():
    pytest.importorskip("torch")
    pytest.importorskip("skorch")
    with pytest.raises(TypeError, match=r"Got MLPBackbone\. Pass MLPBackbone\(\)\."):
        EBVClassifier(MLPBackbone).fit(np.eye(4), np.arange(4))
