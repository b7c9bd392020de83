"""The minimum-norm attack and the strongest attack beside exact distances of tiny networks."""

import numpy as np
import pytest
import torch
from torch import nn

from lib.margins import linear_margins
from lib.minimum_norm import attack_distances
from lib.strong_attack import withstands
from lib.tests.exact_distances import exact_distances, tiny_network

EPS = np.arange(1, 9) / 10  # the exact distances are 0.003 to 1.2, 0.2 in the mean
BOXES = (None, (0, 1))


def test_the_oracle_meets_closed_forms():
    x = 3 * torch.randn((20, 6), generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    linear = nn.Linear(6, 4)
    split = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4)).requires_grad_(False)  # relu(z) - relu(-z) = z
    split[0].weight.copy_(torch.cat([linear.weight, -linear.weight]))
    split[0].bias.copy_(torch.cat([linear.bias, -linear.bias]))
    split[2].weight.copy_(torch.cat([torch.eye(4), -torch.eye(4)], 1))
    split[2].bias.zero_()
    expected = linear_margins(linear.weight, linear.bias, x, torch.zeros(20)).abs().numpy()
    np.testing.assert_allclose(exact_distances(split, x), expected, rtol=1e-5)

    plane = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2)).requires_grad_(False)
    weights = {"0.weight": [[1.0, 1.0]], "0.bias": [0.0], "2.weight": [[0.0], [1.0]], "2.bias": [0.0, -1.8]}
    plane.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    x = torch.tensor([[0.95, 0.5], [0.5, 0.5], [-0.4, -0.6]])  # class 1 above x1 + x2 = 1.8: at (1, 0.8) in the box
    np.testing.assert_allclose(exact_distances(plane, x), np.array([0.35, 0.8, 2.8]) / 2**0.5, rtol=1e-6)
    np.testing.assert_allclose(exact_distances(plane, x[:2], (0, 1)), [np.hypot(0.05, 0.3), 0.8 / 2**0.5], rtol=1e-6)
    plane[2].bias[1] = -2.1
    assert exact_distances(plane, x[:1], (0, 1)) == np.inf


def compared(seed, points):
    """Attack over exact distance by bounds, and which points (n, radii) are called robust that are not."""
    model, x, _ = tiny_network(seed)
    x, ratios = x[:points], {}
    for bounds in BOXES:
        exact = exact_distances(model, x, bounds)
        found = attack_distances(model, x, bounds=bounds).double().numpy()
        assert (found >= exact * (1 - 1e-4) - 1e-5).all(), "an attack crossed a boundary that is further away"
        ratios[bounds] = found / exact
    held = withstands(model, x, model(x).argmax(1), eps=EPS.tolist(), iterations=200).numpy()
    assert held[exact[:, None] > EPS].all()
    return ratios, held & (exact[:, None] < EPS)


def test_few_distances_are_too_long_and_no_point_is_called_robust_that_is_not():
    ratios, wrong = compared(seed=0, points=40)
    assert not wrong.any()
    assert all((ratio > 1.01).sum() <= 3 and np.isfinite(ratio).all() for ratio in ratios.values())


@pytest.mark.slow
def test_no_point_of_500_is_called_robust_that_is_not():
    ratios, wrong = zip(*(compared(seed, points=100) for seed in range(5)), strict=True)
    counts = {bounds: sum((ratio[bounds] > 1.01).sum() for ratio in ratios) for bounds in BOXES}
    print("distances over 1 % too long, of 500:", counts)
    assert sum(part.any(1).sum() for part in wrong) == 0
    assert counts[None] <= 16 and counts[0, 1] <= 20  # measured: 14 and 18; from the nearest class alone 37 and 65
