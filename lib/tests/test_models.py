import pytest
import torch

from lib.models import as_matrix, build, weights

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


def test_weights_are_matrices_in_order():
    shapes = [tuple(as_matrix(weight).shape) for weight in weights(build("mnist", "cnn"))]
    assert shapes == [(32, 9), (32, 288), (64, 288), (64, 576), (200, 1024), (200, 200), (10, 200)]
    assert [tuple(weight.shape) for weight in weights(build("mnist", "cnn"), "linear")] == shapes[4:]


def test_dropout_drops_in_training_alone_and_keeps_the_names_of_the_weights():
    plain, dropping = build("mnist", "cnn"), build("mnist", "cnn", dropout=0.5)
    assert plain.state_dict().keys() == dropping.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), dropping.parameters(), strict=True))
    x = torch.rand((2, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    hidden = []
    dropping.features[13].register_forward_pre_hook(lambda layer, inputs: hidden.append(inputs[0]))
    assert torch.equal(dropping.eval()(x), plain(x))
    dropping.train()(x)
    kept = hidden[1] != 0
    torch.testing.assert_close(hidden[1][kept], 2 * hidden[0][kept])
    positive = hidden[0] > 0
    assert 0.35 < kept[positive].float().mean() < 0.65


@pytest.mark.parametrize(("dataset", "model"), [("mnits", "lr"), ("mnist", "resnet")])
def test_unknown_names_are_refused(dataset, model):
    with pytest.raises(ValueError, match=r"unknown .* choose one of"):
        build(dataset, model)
