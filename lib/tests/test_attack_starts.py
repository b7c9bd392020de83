"""PGD from a random point of the ball: the textbook attack from the same start, whatever the batch and the threads."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from lib.attacks import HELD, breaking_steps, pgd_l2, robust_accuracy
from lib.ball import uniform_ball
from lib.models import build

EPS = (0.0, 0.1, 0.4, 0.8)


def network(n=8):
    model = build("mnist", "mlp").double().eval().requires_grad_(False)
    x = torch.rand((n, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % 10  # wrong without an attack
    return model, x, y


def textbook(model, x, y, eps, step, iterations, floor, seed):
    """Which iterate of one point breaks it, the start being the first; autograd, one point at a time."""
    unit = uniform_ball(len(x), x.shape[1:], 1.0, torch.Generator().manual_seed(seed), like=x)
    found = []
    for x_i, y_i, u in zip(x.split(1), y.split(1), unit.split(1), strict=True):
        z, broken = (x_i + eps * u).clamp(0, 1), HELD
        if model(x_i).argmax(1) != y_i:
            broken = 0
        for number in range(1, iterations + 2):
            if broken == HELD and model(z).argmax(1) != y_i:
                broken = number
            z = z.detach().requires_grad_()
            g = torch.autograd.grad(cross_entropy(model(z), y_i), z)[0]
            delta = z.detach() + step * g / max(g.norm().item(), floor) - x_i
            z = (x_i + delta * min(1, eps / delta.norm().item())).clamp(0, 1)
        found.append(broken)
    return torch.tensor(found)


@pytest.mark.parametrize("floor", [0.0, 0.5])
def test_a_start_in_the_ball_is_that_of_the_textbook(floor):
    model, x, y = network()
    attack = {"step": 0.02, "iterations": 40, "gradient_floor": floor, "seed": 3}
    found = breaking_steps(model, x, y, eps=EPS, start="ball", **attack)
    assert (found[0] == 0).all() and (found[1:, 0] == HELD).all()
    expected = found[:, 0]
    for j, eps in enumerate(EPS[1:], start=1):
        alone = textbook(model, x, y, eps, 0.02, 40, floor, 3)
        expected = torch.where(expected == HELD, alone, expected)
        assert torch.equal(found[:, j], expected)
    assert len(set(found[1:].flatten().tolist())) > 4, "nothing was attacked"


def test_the_start_lies_in_the_ball_and_inside_the_bounds():
    model, x, _ = network(200)
    for eps in (0.1, 5.0):
        with pytest.warns(UserWarning, match="cannot reach eps"):
            start = pgd_l2(model, x, model(x).argmax(1), eps=eps, start="ball", step=1e-9, iterations=1)
        length = (start - x).flatten(1).norm(dim=1)
        assert start.min() >= 0 and start.max() <= 1 and length.max() <= eps * (1 + 1e-6)
    assert length.min() > 1 and (start == 0).any() and (start == 1).any()  # of 784 inputs: most of a ball is its rim


def test_the_seed_decides_and_neither_batch_nor_threads_nor_other_radii():
    model, x, y = network()
    attack = {"step": 0.02, "iterations": 40, "start": "ball"}
    steps = breaking_steps(model, x, y, eps=EPS, **attack)
    assert not torch.equal(breaking_steps(model, x, y, eps=EPS, seed=1, **attack), steps)
    assert torch.equal(breaking_steps(model, x, y, eps=EPS, batch=3, **attack), steps)
    assert torch.equal(breaking_steps(model, x, y, eps=(0.8, 0.1, 0.4, 0.0), **attack), steps[:, [3, 1, 2, 0]])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert torch.equal(breaking_steps(model, x, y, eps=EPS, **attack), steps)
    finally:
        torch.set_num_threads(threads)


def test_progress_counts_every_point_and_radius():
    model, x, y = network()
    told = []
    breaking_steps(model, x, y, eps=EPS, step=0.02, iterations=40, start="ball", progress=lambda *at: told.append(at))
    assert told == sorted(told) and told[-1] == (32, 32)


def test_a_point_that_is_wrong_is_returned_as_it_came():
    model, x, y = network()
    found = pgd_l2(model, x, y, eps=0.8, start="ball", step=0.02, iterations=40)
    assert torch.equal(found[0], x[0]) and not torch.equal(found[1], x[1])
    assert ((model(found).argmax(1) == y) == (breaking_steps(
        model, x, y, eps=0.8, start="ball", step=0.02, iterations=40)[:, 0] == HELD)).all()  # fmt: skip


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"start": "random"}, "start is 'random': choose image or ball"),
        ({"start": "ball", "seed": -1}, "seed is -1: give a whole number, at least 0"),
        ({"start": "ball", "seed": 0.5}, "seed is 0.5: give a whole number, at least 0"),
    ],
)
def test_what_is_no_start_is_refused(given, match):
    model, x, y = network(2)
    with pytest.raises(ValueError, match=match):
        robust_accuracy(model, x, y, eps=0.1, step=0.02, iterations=40, **given)


def test_a_large_seed_is_taken_to_its_last_digit():
    model, x, y = network()
    attack = {"step": 0.02, "iterations": 40, "start": "ball", "eps": EPS}
    large, next_one = (breaking_steps(model, x, y, seed=seed, **attack) for seed in (2**62, 2**62 + 1))
    assert not torch.equal(large, next_one)
