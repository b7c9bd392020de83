"""Networks, shapes, types and devices at random, against autograd in float64 on the CPU."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from lib import attack_distances, breaking_steps, cross_lipschitz_norms, gradient_lengths, pgd_l2
from lib.attacks import HELD
from lib.gradients import cross_lipschitz
from lib.pullback import pullback
from lib.tests.simulated_gpu import simulated_gpu

pytestmark = pytest.mark.filterwarnings("ignore:.* has no fast gradients", "ignore:the gradients of")
ALWAYS = {"derandomize": True, "database": None, "deadline": None, "suppress_health_check": list(HealthCheck)}


@st.composite
def images_layers(draw, channels, size):
    """Layers of images, and what they make of (channels, size, size)."""
    kind = draw(st.sampled_from(["conv", "relu", "max", "mean", "norm", "tanh", "same"]))
    if kind == "conv":
        k, out, groups = (
            draw(st.integers(1, min(3, size))),
            2 * draw(st.integers(1, 3)),
            draw(st.sampled_from([1, channels])),
        )
        options = {"stride": draw(st.integers(1, 2)), "padding": draw(st.integers(0, 2)), "groups": groups}
        out *= groups
        layer = nn.Conv2d(channels, out, k, bias=draw(st.booleans()), **options)
        return layer, out, (size + 2 * options["padding"] - k) // options["stride"] + 1
    if kind in ("max", "mean") and size > 1:
        window = draw(st.integers(1, min(3, size)))
        layer = nn.MaxPool2d(window) if kind == "max" else nn.AvgPool2d(window)
        return layer, channels, size // window
    if kind == "norm":
        return nn.BatchNorm2d(channels), channels, size
    if kind == "same":
        return nn.Conv2d(channels, channels, 3, padding="same"), channels, size
    return (nn.Tanh() if kind == "tanh" else nn.ReLU()), channels, size


@st.composite
def problems(draw):
    """A network in float64, points and labels."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    channels, size = draw(st.integers(1, 3)), draw(st.integers(2, 7))
    x, layers = torch.rand(draw(st.integers(1, 5)), channels, size, size, dtype=torch.float64), []
    for _ in range(draw(st.integers(0, 4))):
        layer, channels, size = draw(images_layers(channels, size))
        layers.append(layer)
    width, classes = channels * size * size, draw(st.integers(2, 12))
    layers.append(nn.Flatten())
    for activation in draw(st.lists(st.sampled_from([nn.ReLU, nn.GELU, nn.LeakyReLU, nn.Identity]), max_size=2)):
        layers += [nn.Linear(width, 8), activation()]
        width = 8
    layers.append(nn.Linear(width, classes))
    if draw(st.booleans()):
        layers = [nn.Sequential(*layers[: len(layers) // 2]), *layers[len(layers) // 2 :]]
    model = nn.Sequential(*layers).double().eval()
    return model, x, torch.randint(classes, (len(x),))


def jacobian(model, x):
    x = x.clone().requires_grad_()
    logits = model(x)
    rows = [torch.autograd.grad(f.sum(), x, retain_graph=True)[0] for f in logits.unbind(1)]
    return logits.detach(), torch.stack(rows, 1)


def on(device, dtype, *given):
    return [
        part.to(dtype).to(device) if not torch.is_tensor(part) or part.is_floating_point() else part.to(device)
        for part in given
    ]


@settings(max_examples=20, **ALWAYS)
@given(problems(), st.sampled_from([torch.float32, torch.float64]), st.booleans())
def test_gradients_are_those_of_autograd_in_float64(problem, dtype, gpu):
    model, x, y = problem
    logits, j = jacobian(model, x)
    v = torch.randn(len(x), 3, logits.shape[1], dtype=torch.float64)
    pulled = torch.einsum("nkc,nc...->nk...", v, j)
    norms = (j[torch.arange(len(x)), y][:, None] - j).flatten(2).norm(dim=2)
    entropy = torch.autograd.functional.jacobian(lambda x: nn.functional.cross_entropy(model(x), y, reduction="sum"), x)
    close = {"rtol": 1e-3, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-12}
    model = copy.deepcopy(model)
    if gpu:
        with simulated_gpu():
            found = computed(*on("cuda", dtype, model, x, y, v))
            found = [part.cpu() for part in found]
    else:
        found = computed(*on("cpu", dtype, model, x, y, v))
    expected = logits, pulled, norms, norms, entropy.flatten(1).norm(dim=1)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs, **close)


def computed(model, x, y, v):
    logits, vjp = pullback(model, x)
    return (
        logits,
        vjp(v),
        cross_lipschitz_norms(model, x, y),
        cross_lipschitz(model)(x, y),
        gradient_lengths(model, x, y),
    )


@settings(max_examples=12, **ALWAYS)
@given(problems(), st.lists(st.floats(0, 0.3), min_size=1, max_size=3), st.sampled_from(["cross_entropy", "margin"]))
def test_attacks_keep_what_they_promise(problem, eps, loss):
    model, x, y = problem
    rule = {"step": 0.05, "iterations": 6, "loss": loss}
    steps = breaking_steps(model, x, y, eps=eps, **rule)
    for radius, broken in zip(eps, steps.T, strict=True):
        clean = model(x).argmax(1) == y
        assert ((broken == 0) == ~clean).all() and (broken <= 6).all()
        if radius:
            found = pgd_l2(model, x, y, eps=radius, **rule)
            assert (found - x).flatten(1).norm(dim=1).max() <= radius * (1 + 1e-6)
            assert found.min() >= 0 and found.max() <= 1 and torch.equal(model(found).argmax(1) == y, broken == HELD)
    order = sorted(range(len(eps)), key=eps.__getitem__)
    held = (steps == HELD)[:, order]
    assert (held[:, 1:] <= held[:, :-1]).all()
    distances = attack_distances(model, x, steps=6)
    assert (distances > 0).all() and distances.shape == (len(x),)
