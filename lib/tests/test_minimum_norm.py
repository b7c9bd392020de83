import pytest
import torch
from torch import nn

from lib.attacks import HELD, breaking_steps, gradient_lengths, robust_accuracy
from lib.margins import linear_margins, sampled_margins
from lib.minimum_norm import attack_distances
from lib.models import build
from lib.strong_attack import withstands

FLOOR = 1e-12  # a common constant of attack libraries


def linear(c, d=30, n=40, scale=1.0):
    generator = torch.Generator().manual_seed(c)
    weight = scale * torch.randn((c, d), generator=generator)
    bias = scale * torch.randn(c, generator=generator)
    model = nn.Sequential(nn.Linear(d, c)).requires_grad_(False)
    model[0].load_state_dict({"weight": weight, "bias": bias})
    return model, 3 * torch.randn((n, d), generator=generator), torch.randint(c, (n,), generator=generator)


def mlp(scale=1.0):
    """An untrained network and images that it classifies as labelled, its logits times `scale`."""
    model = build("mnist", "mlp", seed=1).requires_grad_(False)
    model.head.weight.mul_(scale)
    model.head.bias.mul_(scale)
    x = torch.rand((20, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    return model, x, model(x).argmax(1)


@pytest.mark.filterwarnings("ignore:inputs range from")
@pytest.mark.parametrize("c", [2, 3, 10])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_linear_models_are_bracketed_tightly(c, scale):
    model, x, y = linear(c, scale=scale)
    exact = linear_margins(model[0].weight, model[0].bias, x, y).abs()
    estimate = sampled_margins(model, x, y, radius=1000.0, samples=2).abs()
    found = attack_distances(model, x, steps=50)
    assert (found >= exact * (1 - 1e-4) - 5e-6).all(), "an attack crossed a boundary that is further away"
    torch.testing.assert_close(found.double(), exact, rtol=0.01, atol=0)
    torch.testing.assert_close(found, estimate, rtol=0.01, atol=0)


@pytest.mark.filterwarnings("ignore:the gradients of 2 of 4 points")
def test_one_hidden_unit_meets_its_closed_form():
    """f_1 - f_0 = a * relu(w^T x + b) + c: boundary at w^T x + b = -c / a, no gradient where off."""
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 2)).requires_grad_(False)
    weights = {"0.weight": [[3.0, 4.0]], "0.bias": [1.0], "2.weight": [[0.0], [2.0]], "2.bias": [0.0, -1.0]}
    model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    # Class 1; class 0 with the unit on; off, but on halfway to the origin; off there too.
    x = torch.tensor([[1.0, 1.0], [-0.1, -0.1], [-0.1, -0.4], [0.5, -2.0]])
    found = attack_distances(model, x)
    assert found[0].item() == pytest.approx((3 + 4 + 1 - 0.5) / 5, rel=1e-4)
    assert found[1].item() == pytest.approx((0.5 - 0.3) / 5, rel=1e-4)
    assert found[2].item() == pytest.approx((0.5 + 0.9) / 5, rel=1e-4)
    assert found[3].item() == torch.inf


def test_a_batch_of_none_is_that_of_the_package():
    model, x, y = nn.Flatten(), torch.rand(3, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2])
    assert attack_distances(model, x, batch=None).equal(attack_distances(model, x))
    assert gradient_lengths(model, x, y, batch=None).equal(gradient_lengths(model, x, y))


def test_a_network_is_bracketed_whatever_its_confidence_and_the_batch():
    model, x, y = mlp()
    found = attack_distances(model, x, steps=30)
    confident, *_ = mlp(scale=1e4)
    torch.testing.assert_close(attack_distances(confident, x, steps=30, batch=7), found, rtol=1e-3, atol=0)
    assert (attack_distances(model, x, steps=100) <= found * 1.01).all()
    for i in range(0, 20, 5):  # nothing nearer in random directions, and PGD of that radius finds nothing much nearer
        noise = torch.randn((200, 1, 28, 28), generator=torch.Generator().manual_seed(i))
        noise *= 0.999 * found[i] / noise.flatten(1).norm(dim=1)[:, None, None, None]
        assert (model(x[i] + noise).argmax(1) == y[i]).all()
        assert breaking_steps(model, x[i : i + 1], y[i : i + 1], eps=[0.9 * found[i].item()], step=0.001)[0, 0] == HELD


def test_bounds_hide_what_lies_outside():
    model = nn.Sequential(nn.Linear(2, 2)).requires_grad_(False)
    model[0].load_state_dict({"weight": torch.tensor([[0.0, 0.0], [1.0, 1.0]]), "bias": torch.tensor([0.0, -1.8])})
    x = torch.tensor([[0.95, 0.5], [0.5, 0.5]])  # the boundary is x1 + x2 = 1.8: at (1, 0.8), (0.9, 0.9)
    torch.testing.assert_close(attack_distances(model, x), torch.tensor([0.35, 0.8]) / 2**0.5, rtol=1e-3, atol=0)
    inside = attack_distances(model, x, bounds=(0, 1))
    torch.testing.assert_close(inside, torch.tensor([(0.05**2 + 0.3**2) ** 0.5, 0.8 / 2**0.5]), rtol=0.01, atol=0)
    model[0].bias[1] = -2.1
    assert torch.equal(attack_distances(model, x, bounds=(0, 1)), torch.full((2,), torch.inf))


def test_masked_gradients_fool_the_published_attack_and_not_the_strong_one():
    """Logits times 1e4: the same decisions at the same distances, and cross-entropy gradients far below any floor."""
    model, x, y = mlp(scale=1e4)
    eps = [0.0, 2.0 * attack_distances(model, x, bounds=(0, 1)).max().item()]
    settings = {"eps": eps, "step": 0.04, "iterations": 30}
    assert (gradient_lengths(model, x, y) < FLOOR).double().mean() > 0.9
    clean, robust = robust_accuracy(model, x, y, gradient_floor=FLOOR, **settings)
    assert clean == 100 and robust > 90
    held = withstands(model, x, y, steps=30, **settings)
    assert held[:, 0].all() and not held[:, 1].any()


def test_strong_is_at_least_as_strong_as_each_of_its_attacks():
    model, x, y = mlp()
    y[:3] = (y[:3] + 1) % 10
    distance = attack_distances(model, x, steps=20, bounds=(0, 1))
    eps = [0.0, *distance.quantile(torch.tensor([0.2, 0.5, 0.8])).tolist()]
    settings = {"eps": eps, "step": 0.02, "iterations": 40}
    held, done = withstands(model, x, y, steps=20, **settings), []
    assert held.dtype == torch.bool and not held[:3].any() and held[3:, 0].all()
    assert (held[:, 1:] <= held[:, :-1]).all() and 0 < held[:, 1:].sum() < held[:, 1:].numel()
    assert (held <= (distance[:, None] > torch.tensor(eps))).all()
    for loss in ("cross_entropy", "margin"):
        assert (held <= (breaking_steps(model, x, y, loss=loss, **settings) == HELD)).all()
    withstands(model, x, y, steps=1, progress=lambda *p: done.append(p), **settings)
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_progress_and_bad_arguments():
    model, x, _ = mlp()
    done = []
    attack_distances(model, x, steps=1, batch=15, progress=lambda *p: done.append(p))
    assert done == [(15, 20), (20, 20)]
    with pytest.raises(ValueError, match="steps is 0"):
        attack_distances(model, x, steps=0)
    with pytest.raises(ValueError, match="starts is 0"):
        attack_distances(model, x, starts=0)
