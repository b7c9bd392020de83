"""Margins by norms that bfloat16 found and float32 computed, beside those that float32 alone computes."""

import warnings

import pytest
import torch
from torch import nn

from lib import screen
from lib.gradients import cross_lipschitz
from lib.margins import margins_by_samples, margins_with_errors, sampled_margins
from lib.models import SHAPES, build
from lib.screen import BOUND, is_screened, largest_first
from lib.training import train


@pytest.fixture(scope="module")
def learned():
    """An MLP whose gradients have some structure: trained on bright and dark halves."""
    model, source = build("mnist", "mlp"), torch.Generator().manual_seed(0)
    x = torch.rand(256, 1, 28, 28, generator=source)
    y = (4 * x.unflatten(3, (4, 7)).mean((1, 2, 4))).argmax(1)  # the brightest quarter
    for _ in train(model, x, y, x, y, epochs=3, learning_rate=0.1, batch_size=32):
        pass
    return model.eval().requires_grad_(False)


def images(dataset, n):
    return torch.rand(n, *SHAPES[dataset], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("dataset", "name", "points", "samples"),
    [("mnist", "mlp", 3, 1500), ("mnist", "cnn", 1, 200), ("cifar10", "cnn", 1, 80)],
)
def test_the_largest_norms_are_those_of_float32(dataset, name, points, samples):
    model, x = build(dataset, name).requires_grad_(False), images(dataset, points)
    y = torch.zeros(points, dtype=torch.int64)
    options = {"counts": [1, 7, 33, samples], "samples": samples, "seeds": range(points), "radius": 50.0}
    expected = margins_by_samples(model, x, y, precision="float32", **options)[0]
    found = margins_by_samples(model, x, y, precision="bfloat16", **options)[0]
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_extrapolation_is_off_by_less_than_a_tenth_of_its_error(learned):
    x = images("mnist", 6)
    options = {"samples": 51200, "drawn": 1024, "seeds": range(6), "radius": 50.0}
    expected, errors = margins_with_errors(learned, x, learned(x).argmax(1), precision="float32", **options)
    found, _ = margins_with_errors(learned, x, learned(x).argmax(1), precision="bfloat16", **options)
    assert (errors > 0).all() and not torch.equal(found, expected)  # some norms were those of bfloat16
    assert ((found - expected).abs() < errors / 10).all()


def test_every_norm_that_leads_is_exact_and_most_others_are_not_computed_again(learned):
    x = images("mnist", 512)
    top, exact = torch.full((512,), 3), cross_lipschitz(learned)
    so_far = exact(x[:1], top[:1])[0] * 0.5
    expected, found = exact(x, top), largest_first(learned, x, "bfloat16")(x, top, so_far, [99, 511])
    largest = torch.stack([expected[:100].amax(0)] * 100 + [expected.amax(0)] * 412)
    leads = expected >= torch.maximum(largest, so_far)
    torch.testing.assert_close(found[leads], expected[leads], rtol=1e-6, atol=0)
    others = torch.arange(10) != 3
    error = (found / expected - 1)[:, others].abs()
    assert error.max() < BOUND / 2 and (error > 1e-5).double().mean() > 0.5
    nothing_leads = largest_first(learned, x, "bfloat16")(x, top, expected.amax(0) * 2, [511])
    assert (nothing_leads / expected - 1)[:, others].abs().max() < BOUND / 2


def test_where_bfloat16_is_too_coarse_float32_does_it_and_says_so():
    torch.manual_seed(0)
    w, v = torch.randn(64, 16), torch.randn(10, 64)
    first, second = nn.Linear(16, 128), nn.Linear(128, 10)
    first.weight.data, second.weight.data = torch.cat([w, -w + 0.004 * torch.randn(64, 16)]), torch.cat([v, v], 1)
    first.bias.data.fill_(1e4)  # every ReLU is on: the halves cancel almost wholly
    model = nn.Sequential(first, nn.ReLU(), second).requires_grad_(False)
    x, y = torch.rand(2, 16), torch.tensor([0, 1])
    second.bias.data -= model(x).mean(0)  # else no boundary is near
    with pytest.warns(UserWarning, match="off in bfloat16: float32 computes them"):
        found = sampled_margins(model, x, y, samples=100, seeds=[1, 2], radius=50.0, precision="bfloat16")
    expected = sampled_margins(model, x, y, samples=100, seeds=[1, 2], radius=50.0, precision="float32")
    assert torch.equal(found, expected)


def test_rows_of_the_head_that_nearly_cancel_do_no_harm(learned):
    model = nn.Sequential(learned.features, nn.Linear(1024, 10)).requires_grad_(False)
    model[1].weight.data = learned.head.weight[:1] + 1e-4 * learned.head.weight
    x, top = images("mnist", 64), torch.zeros(64, dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = largest_first(model, x, "bfloat16")(x, top, torch.full((10,), 1e9), [63])  # nothing is computed again
    assert (found / cross_lipschitz(model)(x, top) - 1)[:, 1:].abs().max() < BOUND / 2


@pytest.mark.parametrize("where", ["lr", "float64", "autograd", "float32"])
def test_only_float32_networks_of_known_layers_are_screened(where):
    model, x = build("mnist", "lr" if where == "lr" else "mlp"), images("mnist", 1)
    if where == "autograd":
        model = nn.Sequential(model, nn.Tanh())
    x = x.double() if where == "float64" else x
    assert not is_screened(model, x, "float32" if where == "float32" else "bfloat16")
    assert is_screened(build("mnist", "mlp"), images("mnist", 1), "bfloat16")


def test_auto_asks_the_processor(monkeypatch):
    for able in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda able=able: able, raising=False)
        assert is_screened(build("mnist", "cnn"), images("mnist", 1)) == able
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")  # an older torch
    assert not is_screened(build("mnist", "cnn"), images("mnist", 1))
    with pytest.raises(ValueError, match="precision is 'half': choose auto, bfloat16 or float32"):
        screen.is_screened(build("mnist", "cnn"), images("mnist", 1), "half")
