import pytest
import torch

from lib.models import build, linear_layers

PARAMETERS = {  # counted by hand from appendix A and Carlini and Wagner (2017)
    ("mnist01", "lr"): 784 * 2 + 2,
    ("mnist", "lr"): 784 * 10 + 10,
    ("mnist", "mlp"): 784 * 1024 + 1024 + 1024 * 10 + 10,
    ("mnist", "cnn"): (9 * 32 + 32) + (288 * 32 + 32) + (288 * 64 + 64) + (576 * 64 + 64)
    + (1024 * 200 + 200) + (200 * 200 + 200) + (200 * 10 + 10),
    ("cifar10", "lr"): 3072 * 10 + 10,
    ("cifar10", "mlp"): 3072 * 1024 + 1024 + 1024 * 10 + 10,
    ("cifar10", "cnn"): (27 * 64 + 64) + (576 * 64 + 64) + (576 * 128 + 128) + (1152 * 128 + 128)
    + (3200 * 256 + 256) + (256 * 256 + 256) + (256 * 10 + 10),
}  # fmt: skip
SHAPE = {"mnist01": (1, 28, 28), "mnist": (1, 28, 28), "cifar10": (3, 32, 32)}


@pytest.mark.parametrize(("dataset", "model"), PARAMETERS)
def test_parameters_and_logits(dataset, model):
    network = build(dataset, model)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[dataset, model]
    x = torch.rand(3, *SHAPE[dataset])
    logits = network(x)
    assert logits.shape == (3, 2 if dataset == "mnist01" else 10)
    torch.testing.assert_close(network.head(network.features(x)), logits)


def test_seed_decides_the_weights_and_nothing_else():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (build("mnist", "mlp", seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected), "building a model disturbed the global random state"
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.head.weight, other.head.weight)


def test_linear_layers_are_matrices_in_order():
    shapes = [tuple(w.shape) for w in linear_layers(build("mnist", "cnn"))]
    assert shapes == [(32, 9), (32, 288), (64, 288), (64, 576), (200, 1024), (200, 200), (10, 200)]


@pytest.mark.parametrize(("dataset", "model"), [("mnits", "lr"), ("mnist", "resnet")])
def test_unknown_names_are_refused(dataset, model):
    with pytest.raises(ValueError, match=r"unknown .* choose one of"):
        build(dataset, model)
