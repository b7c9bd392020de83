"""Attacks keep to the values that inputs may take: pixels, standardised features, a range for each column, or none."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lib.attacks import HELD, breaking_steps, pgd_l2, robust_accuracy
from lib.bounds import limits_of
from lib.margins import linear_margins
from lib.minimum_norm import attack_distances
from lib.strong_attack import withstands
from lib.tests.exact_distances import exact_distances, tiny_network

STEPS = {"step": 0.02, "iterations": 150}


def table(n=30, d=6):
    """A linear classifier of standardised features, its points and their exact distances in R^d."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(d, 3)).requires_grad_(False), 2 * torch.randn((n, d))
    y = model(x).argmax(1)
    return model, x, y, linear_margins(model[0].weight, model[0].bias, x, y)


def test_without_bounds_a_table_is_attacked_to_its_exact_distances_and_nothing_is_said():
    model, x, y, exact = table()
    eps = exact.quantile(torch.tensor([0.2, 0.5, 0.8]).double()).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        held = withstands(model, x, y, eps=eps, bounds=None, **STEPS)
        share = robust_accuracy(model, x, y, eps=eps, bounds=None, loss="margin", **STEPS)
    assert torch.equal(held, exact[:, None] > torch.tensor(eps).double())
    assert share == pytest.approx((100 * held.double().mean(0)).tolist(), abs=100 / len(x) + 1e-9)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, list])
def test_each_feature_keeps_to_a_range_of_its_own(kind):
    model, x, y, exact = table()
    low, high = x.min(0).values - 0.1, x.max(0).values
    low[2], high[3] = -torch.inf, torch.inf
    bounds = (kind(low.tolist()), kind(high.tolist()))
    found = pgd_l2(model, x, y, eps=3.0, bounds=bounds, **STEPS)
    low, high = (torch.as_tensor(end, dtype=x.dtype) for end in bounds)
    assert (found >= low).all() and (found <= high).all() and ((found == low) | (found == high)).any()
    distances = attack_distances(model, x, bounds=bounds)
    assert (distances >= exact * (1 - 1e-4)).all() and (distances > 1.01 * exact).any()
    eps = [1.01 * distances.median().item()]
    assert not withstands(model, x, y, eps=eps, bounds=bounds, **STEPS)[distances < eps[0], 0].any()


def test_distances_inside_ranges_of_their_own_are_the_exact_ones():
    model, x, _ = tiny_network(seed=1)
    x, source = x[:15], torch.Generator().manual_seed(0)
    low = x.min(0).values - 0.2 * torch.rand(64, generator=source)
    high = x.max(0).values + 0.2 * torch.rand(64, generator=source)
    exact = exact_distances(model, x, (low.double().numpy(), high.double().numpy()))
    ratio = attack_distances(model, x, bounds=(low, high), starts=9).double().numpy() / exact
    assert ratio.min() > 1 - 1e-4 and np.median(ratio) < 1.0001 and (ratio < 1.01).mean() > 0.9


def test_shifted_inputs_with_shifted_bounds_are_the_same_question():
    model, x, _ = tiny_network(seed=1)
    model, x = model.double(), x[:40].double()
    y, shift = model(x).argmax(1), torch.randn(64, generator=torch.Generator().manual_seed(0)).double()
    moved = nn.Sequential(nn.Linear(64, 7), *model[1:]).double().requires_grad_(False)
    moved[0].weight.copy_(model[0].weight)
    moved[0].bias.copy_(model[0].bias - model[0].weight @ shift)
    settings = {"eps": [0.1, 0.2, 0.4, 0.8], "step": 0.01, "iterations": 100}
    inside = breaking_steps(model, x, y, **settings)
    assert torch.equal(breaking_steps(moved, x + shift, y, bounds=(shift, 1 + shift), **settings), inside)
    assert not torch.equal(breaking_steps(model, x, y, bounds=None, **settings) == HELD, inside == HELD)


def test_a_feature_whose_bounds_meet_is_never_changed():
    model, x, y, _ = table()
    x[:, 0] = 1.5
    low, high = torch.full((6,), -9.0), torch.full((6,), 9.0)
    low[0] = high[0] = 1.5
    assert (pgd_l2(model, x, y, eps=1.0, bounds=(low, high), **STEPS)[:, 0] == 1.5).all()
    weight = model[0].weight.clone()
    weight[:, 0] = 0  # what is left to vary
    exact = linear_margins(weight, model[0].bias + 1.5 * model[0].weight[:, 0], x, y).abs().float()
    torch.testing.assert_close(attack_distances(model, x, bounds=(low, high)), exact, rtol=0.01, atol=0)


@pytest.mark.parametrize("attack", [pgd_l2, robust_accuracy, withstands, attack_distances])
def test_inputs_outside_the_bounds_are_refused_in_a_line_that_names_the_way_out(attack):
    model, x, y, _ = table()
    x[7, 4] = 11.0
    labels, eps = ((), {}) if attack is attack_distances else ((y,), {"eps": 0.5 if attack is pgd_l2 else [0.5]})
    with pytest.raises(
        ValueError, match=r"to 11, in feature \(4,\) outside the bounds \(-9, 9\).*None for none"
    ) as error:
        attack(model, x, *labels, bounds=(-9, 9), **eps)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "bounds", [3, (0,), (1, 0), (0, None), ("a", 1), (np.zeros(5), 1), (0, float("nan")), (np.zeros((2, 6)), 1)]
)
def test_bounds_that_make_no_sense_are_refused(bounds):
    with pytest.raises(
        ValueError, match=r"bounds are .*: give \(lowest, highest\), .* a point \(6,\), or None$"
    ) as error:
        limits_of(bounds, torch.zeros(2, 6))
    assert "\n" not in str(error.value) and len(str(error.value)) < 200


def test_bounds_broadcast_as_arrays_do():
    x = torch.rand(2, 3, 4, 4)
    low, high = limits_of((0, [[[1.0]], [[2.0]], [[3.0]]]), x)  # of a channel
    assert low.shape == () and high.shape == (3, 1, 1) and limits_of((0, 1), x) == (0.0, 1.0)
    with pytest.raises(ValueError, match=r"in feature \(1, 0, 0\) outside the bounds"):
        limits_of((0, [[[1.0]], [[0.0]], [[1.0]]]), x)
