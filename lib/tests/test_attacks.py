import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lib import attacks
from lib.attacks import HELD, breaking_steps, gradient_lengths, loss_direction, pgd_l2, robust_accuracy
from lib.margins import linear_margins
from lib.models import build
from lib.pullback import pullback


def linear(seed=0, d=20, n=10):
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(d, 4))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn((4, d), generator=generator))
        model[0].bias.zero_()
    x = 0.5 + 0.02 * torch.randn((n, d), generator=generator)  # far from the edges of [0, 1]
    y = model(x).argmax(1)
    return model.requires_grad_(False), x, y


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_linear_models_break_just_beyond_their_margin(loss):
    model, x, y = linear()
    margins = linear_margins(model[0].weight, model[0].bias, x, y)
    for i in range(len(x)):
        steps = breaking_steps(
            model, x[i : i + 1], y[i : i + 1], eps=[0.99 * margins[i].item(), 1.02 * margins[i].item()],
            step=0.002, iterations=800, loss=loss,
        )  # fmt: skip
        assert steps[0, 0] == HELD, "an attack within the margin flipped a linear model"
        if loss == "margin":
            assert steps[0, 1] > 0, "an attack beyond the margin failed"


def test_iterates_stay_in_the_ball_and_the_box():
    model = build("mnist", "cnn").requires_grad_(False)
    x = torch.rand((6, 1, 28, 28), generator=torch.Generator().manual_seed(0)).round(decimals=1).clamp(0, 1)
    y = model(x).argmax(1)
    for eps in (0.05, 0.5, 3.0):
        adversarial = pgd_l2(model, x, y, eps=eps, step=0.1, iterations=30)
        assert (adversarial - x).flatten(1).norm(dim=1).max() <= eps * (1 + 1e-5)
        assert adversarial.min() >= 0 and adversarial.max() <= 1


def test_a_step_is_that_of_autograd():
    model = build("mnist", "mlp").requires_grad_(False)
    x = 0.3 + 0.4 * torch.rand((5, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    y = model(x).argmax(1)
    found = pgd_l2(model, x, y, eps=0.01, step=0.01, iterations=1)
    z = x.clone().requires_grad_()
    g = torch.autograd.grad(cross_entropy(model(z), y, reduction="sum"), z)[0]
    expected = x + 0.01 * g / g.flatten(1).norm(dim=1)[:, None, None, None]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_direction_and_length_of_the_loss_gradient(loss):
    logits = torch.randn((8, 5), generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    y = torch.arange(8) % 5
    others = logits.masked_fill(torch.eye(5, dtype=torch.bool)[y], -torch.inf).amax(1)
    value = (
        cross_entropy(logits, y, reduction="sum") if loss == "cross_entropy" else (others - logits[range(8), y]).sum()
    )
    expected = torch.autograd.grad(value, logits)[0]
    u, length = loss_direction(logits.detach(), y, loss)
    torch.testing.assert_close(u * length[:, None], expected)
    torch.testing.assert_close(u.norm(dim=1), torch.ones(8, dtype=torch.float64))


def test_confidence_hides_nothing_without_a_floor_and_everything_with_one():
    """Logits times 1e4: same decisions, same distances; in float32 the softmax is exactly one-hot."""
    model, x, y = linear()
    margins = linear_margins(model[0].weight, model[0].bias, x, y)
    eps = [2 * margins.max().item()]
    confident = nn.Sequential(nn.Linear(20, 4)).requires_grad_(False)
    confident[0].load_state_dict({"weight": 1e4 * model[0].weight, "bias": model[0].bias})
    settings = {"eps": eps, "step": 0.01, "iterations": 200}
    assert robust_accuracy(confident, x, y, **settings) == [0.0]
    assert robust_accuracy(confident, x, y, gradient_floor=1e-6, **settings)[0] > 90
    assert robust_accuracy(model, x, y, gradient_floor=1e-6, **settings) == [0.0]


def test_gradient_lengths_are_those_of_autograd_in_float64():
    model = build("mnist", "mlp").requires_grad_(False)
    x, y = torch.rand((5, 1, 28, 28), generator=torch.Generator().manual_seed(0)), torch.arange(5)
    found = gradient_lengths(model, x, y, batch=2)
    model, z = model.double(), x.double().requires_grad_()
    expected = torch.autograd.grad(cross_entropy(model(z), y, reduction="sum"), z)[0].flatten(1).norm(dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    with torch.no_grad():
        model.head.weight.mul_(3000)
        model.head.bias.mul_(3000)
        top = model(z).argmax(1)
    tiny = gradient_lengths(model, z.detach(), top)
    assert tiny.dtype == torch.float64 and (tiny > 0).all() and tiny.min() < 1e-40  # float32 would say 0


def test_floor_and_average_scale_the_step():
    model = build("mnist", "mlp").requires_grad_(False)
    x = 0.3 + 0.4 * torch.rand((4, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    y = model(x).argmax(1)
    z = x.clone().requires_grad_()
    norm = torch.autograd.grad(cross_entropy(model(z), y, reduction="sum"), z)[0].flatten(1).norm(dim=1)
    for share in (1, 4):
        settings = {"step": 0.01, "iterations": 1, "gradient_floor": 10.0, "averaged_over": share}
        moved = pgd_l2(model, x, y, eps=0.01, **settings) - x
        torch.testing.assert_close(moved.flatten(1).norm(dim=1), 0.01 * norm / share / 10, rtol=1e-3, atol=0)


@pytest.mark.filterwarnings("ignore:.* cannot reach eps")
def test_breaking_steps_are_monotone_and_those_of_a_plain_attack():
    model, x, y = linear()
    wrong = y.clone()
    wrong[:5] = (y[:5] + 1) % 4
    eps = [0.0, 0.05, 0.2, 1.0]
    steps = breaking_steps(model, x, wrong, eps=eps, iterations=100, batch=3)
    assert (steps[:5] == 0).all() and (steps[5:, 0] == HELD).all()
    assert ((steps[:, :-1] == HELD) | (steps[:, 1:] == steps[:, :-1])).all(), "broken at an eps, not at a larger one"
    last = steps[5:, -1]
    assert (last > 5).all()  # further away than five steps
    for i, n in enumerate(last.tolist(), start=5):
        for iterations, holds in ((n - 1, True), (n, False)):
            moved = pgd_l2(model, x[i : i + 1], y[i : i + 1], eps=1.0, iterations=iterations)
            assert (model(moved).argmax(1) == y[i]).item() is holds
    shares = robust_accuracy(model, x, wrong, eps=eps, iterations=100)
    assert shares == (100 * (steps == HELD).double().mean(0)).tolist() and shares == sorted(shares, reverse=True)


@pytest.mark.filterwarnings("ignore:.* cannot reach eps")
def test_steps_that_no_radius_shortened_are_taken_once(monkeypatch):
    """The iterates of one radius are those of a larger one up to the first that is shortened; results are the same."""
    model = build("mnist", "mlp").double().eval().requires_grad_(False)
    x = torch.rand((6, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y, counted = model(x).argmax(1), []
    monkeypatch.setattr(attacks, "pulling", lambda model: lambda x: counted.append(len(x)) or pullback(model, x))
    rule = {"step": 0.01, "iterations": 20}
    alone = torch.cat([breaking_steps(model, x, y, eps=[eps], **rule) for eps in (0.0, 0.05, 0.1, 9.0)], 1)
    apart = sum(counted)
    counted.clear()
    assert torch.equal(breaking_steps(model, x, y, eps=(0.0, 0.05, 0.1, 9.0), **rule), alone)
    held = (alone == HELD).sum(0)
    assert held[2] > 0 and sum(counted) < apart - 3 * held[1] - 8 * held[2]  # the first 4 or 5, and 9 or 10 steps
    counted.clear()
    rule["gradient_floor"] = 1e9  # nothing moves: no radius is ever met, and the first attack answers for all
    assert (breaking_steps(model, x, y, eps=(0.5, 1.0, 2.0), **rule) == HELD).all()
    assert sum(counted) == len(x) * 21


def test_threads_share_the_points_and_change_nothing():
    model = build("mnist", "mlp").double().eval().requires_grad_(False)
    x = torch.rand((9, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y, threads, told = model(x).argmax(1), torch.get_num_threads(), []
    rule = {"eps": (0.0, 0.05, 0.6), "step": 0.03, "iterations": 20}
    try:
        torch.set_num_threads(1)
        alone = breaking_steps(model, x, y, **rule)
        torch.set_num_threads(2)
        assert torch.equal(breaking_steps(model, x, y, progress=lambda *at: told.append(at), **rule), alone)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert set(alone.flatten().tolist()) > {HELD} and sorted(told) == told and told[-1] == (27, 27)


@pytest.mark.filterwarnings("ignore:the gradients of 2 of 2 points")
def test_a_point_without_a_gradient_stays_where_it_is():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2)).requires_grad_(False)
    model[0].bias.fill_(-100)
    x = torch.full((2, 3), 0.5)
    y = model(x).argmax(1)
    assert torch.equal(pgd_l2(model, x, y, eps=0.03, iterations=3), x)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"eps": 0.0}, "eps"),
        ({"step": -1}, "step"),
        ({"iterations": 0}, "iterations"),
        ({"gradient_floor": -1}, "gradient_floor"),
        ({"loss": "hinge"}, "hinge"),
        ({"averaged_over": 0}, "averaged_over"),
        ({"x": torch.full((2, 20), 1.5)}, "scale them"),
        ({"y": torch.zeros(3, dtype=torch.long)}, "labels"),
    ],
)
def test_bad_arguments(change, match):
    model, x, y = linear(n=2)
    arguments = {"x": x, "y": y, "eps": 0.5} | change
    with pytest.raises(ValueError, match=match):
        pgd_l2(model, arguments.pop("x"), arguments.pop("y"), **arguments)


def test_radii_come_in_any_order():
    model, x, y = linear()
    steps = breaking_steps(model, x, y, eps=[0.05, 0.2, 1.0], iterations=100)
    assert torch.equal(breaking_steps(model, x, y, eps=(1.0, 0.05, 0.2, 1.0), iterations=100), steps[:, [2, 0, 1, 2]])
    assert torch.equal(breaking_steps(model, x, y, eps=0.2, iterations=100), steps[:, 1:2])
