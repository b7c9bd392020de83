"""Inputs from public bug reports and others of their kind: the right value, one line of refusal, or one warning."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import inf, nn
from torch.nn.utils import prune

from lib import (
    attack_distances,
    breaking_steps,
    cross_lipschitz_norms,
    evaluate,
    gradient_lengths,
    linear_margins,
    margins_with_errors,
    pgd_l2,
    robust_accuracy,
    sampled_margins,
    withstands,
)
from lib.pullback import is_fast

pytestmark = pytest.mark.filterwarnings("ignore:.* has no fast gradients")
X = torch.rand((6, 1, 4, 4), generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 2, 3, 0, 1])
PGD = {"step": 0.04, "iterations": 5}
MEASURES = {  # of every public function, numbers that tell a wrong model
    "margins": lambda m, x, y: sampled_margins(m, x, y, samples=8, radius=90.0, seeds=range(len(x))),
    "foretold": lambda m, x, y: margins_with_errors(m, x, y, samples=40, drawn=20, radius=90.0, seeds=range(len(x)))[0],
    "norms": cross_lipschitz_norms,
    "points": lambda m, x, y: pgd_l2(m, x, y, eps=0.2, **PGD),
    "steps": lambda m, x, y: breaking_steps(m, x, y, eps=(0.0, 0.1, 0.2), **PGD),
    "robust": lambda m, x, y: torch.tensor(robust_accuracy(m, x, y, eps=(0.0, 0.1, 0.2), **PGD)),
    "strong": lambda m, x, y: withstands(m, x, y, eps=(0.0, 0.1, 0.2), steps=8, **PGD).double(),
    "lengths": gradient_lengths,
    "distances": lambda m, x, y: attack_distances(m, x, steps=8),
    "whole": lambda m, x, y: torch.tensor(
        evaluate(m, x, y, eps=0.1, steps=8, samples=20, drawn=None, radius=90.0, **PGD, progress=False)
        .points[["prediction", "distance", "gradient", "eps0.1"]].tolist()
    ),
}  # fmt: skip


def network(seed=0, around=lambda layer: layer):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), around(nn.Linear(16, 9)), nn.ReLU(), around(nn.Linear(9, 4))).eval()


def measured(model, x=X, y=None):
    y = model(x).argmax(1).detach() if y is None else y
    return {name: measure(model, x, y) for name, measure in MEASURES.items()}


def assert_same(found, expected):
    for name in MEASURES:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


class Through(nn.Module):
    """A model inside another: autograd sees whatever torch runs around it."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)


class Leaky(nn.ReLU):
    def forward(self, x):
        return torch.where(x > 0, x, 0.5 * x)


class Doubled(nn.Module):
    def forward(self, w):
        return 2 * w


def stale(norm):
    """A network of the old normalisation, whose weights are those of another until a forward pass renews them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, other = network(0, norm), network(1, norm)
    model.load_state_dict(other.state_dict())
    return model


def changed(change):
    model = network()
    change(model)
    return model


def replace_forward(module, factor):
    inner = module.forward
    module.forward = lambda x: inner(factor * x - 0.3)


AROUND = {
    "pre-hook": lambda: changed(lambda m: m.register_forward_pre_hook(lambda _, a: ((a[0] - 0.5) / 0.1,))),
    "pre-hook of a layer": lambda: changed(lambda m: m[3].register_forward_pre_hook(lambda _, a: (3 * a[0] - 1,))),
    "hook": lambda: changed(lambda m: m.register_forward_hook(lambda *a: a[-1] * torch.arange(1, 5))),
    "hook of a layer": lambda: changed(lambda m: m[2].register_forward_hook(lambda *a: a[-1] ** 2)),
    "backward hook": lambda: changed(
        lambda m: m[2].register_full_backward_hook(lambda _, g, __: (g[0] * g[0].sign(),))
    ),
    "backward pre-hook": lambda: changed(lambda m: m[3].register_full_backward_pre_hook(lambda _, g: (2 * g[0],))),
    "forward": lambda: changed(lambda m: replace_forward(m, 2)),
    "forward of a layer": lambda: changed(lambda m: replace_forward(m[1], 5)),
    "subclass": lambda: changed(lambda m: m.__setitem__(2, Leaky())),
    "old weight norm": lambda: stale(nn.utils.weight_norm),
    "old spectral norm": lambda: stale(nn.utils.spectral_norm),
    "new weight norm": lambda: network(0, nn.utils.parametrizations.weight_norm),
    "new spectral norm": lambda: network(0, nn.utils.parametrizations.spectral_norm).eval(),
    "parametrisation": lambda: changed(
        lambda m: nn.utils.parametrize.register_parametrization(m[1], "weight", Doubled())
    ),
    "pruning": lambda: changed(lambda m: prune.l1_unstructured(m[1], "weight", 0.5)),
    "empty": lambda: nn.Sequential(nn.Sequential(), *network()),
    "nested with a hook": lambda: changed(
        lambda m: m.__setitem__(2, nn.Sequential(nn.ReLU())) or m[2].register_forward_hook(lambda *a: 2 - a[-1])
    ),
}


@pytest.mark.parametrize("name", AROUND)
def test_what_torch_runs_around_a_layer_counts(name):
    model, same = AROUND[name](), Through(AROUND[name]())
    assert is_fast(model) == (name == "empty")
    assert_same(measured(model, y=Y), measured(same, y=Y))


def test_global_hooks_and_patched_classes_count(monkeypatch):
    plain = network()
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, _, out: 2 - out if type(module) is nn.ReLU else None
    )
    try:
        assert not is_fast(plain)
        with_hook = measured(plain, y=torch.zeros(6))
    finally:
        handle.remove()
    assert is_fast(plain)
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: 2 - x.relu())
    assert not is_fast(plain)
    assert_same(measured(plain, y=torch.zeros(6)), with_hook)


@pytest.mark.parametrize("threads", [1, 3])
def test_autocast_reaches_every_thread(threads):
    model, before = network(), torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with torch.autocast("cpu", torch.bfloat16):
            found, same = (robust_accuracy(m, X, Y, eps=(0.0, 0.1, 0.2), **PGD) for m in (model, Through(model)))
            lengths = gradient_lengths(model, X, Y)
    finally:
        torch.set_num_threads(before)
    assert found == same
    torch.testing.assert_close(lengths, gradient_lengths(model, X, Y), rtol=0.1, atol=0.01)


class Held:
    """A model that is no module."""

    def __init__(self, model, give=lambda logits: logits):
        self.model, self.give = model, give

    def __call__(self, x):
        return self.give(self.model(x))


class Output:
    def __init__(self, logits):
        self.logits = logits


def in_place(x):
    return network()(x.mul_(2).div_(2))


FORMS = {
    "function": lambda m: lambda x: m(x),
    "partial": lambda m: partial(m),
    "method": lambda m: m.forward,
    "object": Held,
    "tuple": lambda m: Held(m, lambda z: (z, None)),
    "list": lambda m: Held(m, lambda z: [z]),
    "dict": lambda m: Held(m, lambda z: {"loss": None, "logits": z}),
    "dict of another name": lambda m: Held(m, lambda z: {"out": z}),
    "attribute": lambda m: Held(m, Output),
    "squeezed": lambda m: Held(m, torch.squeeze),
    "in place": lambda m: in_place,
    "traced": lambda m: torch.jit.trace(m, X[:1]),
    "scripted": lambda m: torch.jit.script(m),
    "compiled": lambda m: torch.compile(m, backend="aot_eager"),
    "compiled inside": lambda m: Through(torch.compile(m, backend="aot_eager")),
    "compiled function": lambda m: torch.compile(lambda x: m(x), backend="aot_eager"),
    "frozen": lambda m: m.requires_grad_(False),
}


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", FORMS)
def test_models_come_in_many_forms(name):
    kept = X.clone()
    assert_same(measured(FORMS[name](network()), y=Y), measured(network(), y=Y))
    assert torch.equal(X, kept), "a model that works in place got the caller's points"
    assert is_fast(network()), "torch's own compiler changes classes too"


IMAGES = (255 * X).byte()
READ_ONLY = X.numpy().copy()
READ_ONLY.setflags(write=False)
POINTS = {
    "numpy": X.numpy(), "float64 array": X.double().numpy(), "list": X.tolist(), "read-only": READ_ONLY,
    "big-endian": X.numpy().astype(">f4"), "strides": np.ascontiguousarray(X.numpy()[::-1])[::-1],
    "with a graph": X.clone().requires_grad_(), "parameter": nn.Parameter(X),
    "channels last": X.contiguous(memory_format=torch.channels_last),
}  # fmt: skip
LABELS = {
    "list": list, "array": torch.Tensor.numpy, "int8": torch.Tensor.char, "uint8": torch.Tensor.byte,
    "int32": torch.Tensor.int, "float": torch.Tensor.float, "half": torch.Tensor.half,
    "uint16": lambda y: y.numpy().astype("u2"),
    "float array": lambda y: y.numpy().astype(float), "bytes": lambda y: y.numpy().astype("u1"), "tuple": tuple,
    "big-endian": lambda y: y.numpy().astype(">i4"), "strides": lambda y: torch.stack([y, y], 1)[:, 0],
}  # fmt: skip


@pytest.mark.parametrize("name", POINTS)
def test_points_come_in_many_forms(name):
    found = measured(network(), POINTS[name], Y)
    assert_same(found, measured(network(), X, Y))
    assert not any(values.requires_grad for values in found.values())


@pytest.mark.parametrize("name", LABELS)
def test_labels_come_in_many_forms(name):
    assert_same(measured(network(), X, LABELS[name](Y)), measured(network(), X, Y))
    linear = torch.rand(4, 16), torch.rand(4)
    assert torch.equal(linear_margins(*linear, X, LABELS[name](Y)), linear_margins(*linear, X, Y))


@pytest.mark.parametrize(
    "images", [IMAGES, IMAGES.numpy(), IMAGES.permute(0, 2, 3, 1), IMAGES.permute(0, 2, 3, 1).numpy()]
)
def test_images_of_bytes_are_divided_by_255(images):
    assert_same(measured(network(), images, Y), measured(network(), IMAGES / 255, Y))


def test_colours_of_bytes_go_to_the_channels():
    images = torch.randint(256, (5, 3, 4, 4), dtype=torch.uint8)
    torch.manual_seed(0)
    model, y = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)), torch.tensor([0, 1, 2, 0, 1])
    expected = gradient_lengths(model, images / 255, y)
    for given in (images, images.permute(0, 2, 3, 1), images.permute(0, 2, 3, 1).numpy()):
        torch.testing.assert_close(gradient_lengths(model, given, y), expected)


@pytest.mark.parametrize("where", ["call", "points", "weights", "all"])
def test_inference_mode_is_no_obstacle(where):
    with torch.inference_mode(where in ("points", "all")):
        x = X.clone()
    with torch.inference_mode(where in ("weights", "all")):
        models = network(), Through(network())
    with torch.inference_mode(where in ("call", "all")):
        found = [measured(model, x, Y) for model in models]
    for of_model in found:
        assert_same(of_model, measured(network(), X, Y))


def test_masked_classes_are_served():
    model, y = network(), torch.tensor([0, 1, 2, 2, 0, 1])
    few = network()
    few[3] = nn.Linear(9, 3)
    few[3].load_state_dict({name: values[:3] for name, values in model[3].state_dict().items()})
    model[3].bias.data[3] = -inf
    expected = measured(few, X, y)
    with torch.no_grad():
        for masked in (model, Through(model), lambda x: network()(x).masked_fill(torch.arange(4) == 3, -inf)):
            found = measured(masked, X, y)
            found["norms"] = found["norms"][:, :3]
            assert_same(found, expected)
    weight, bias = torch.rand(4, 16), torch.tensor([0.1, 0.2, 0.3, -inf])
    assert torch.equal(linear_margins(weight, bias, X, y), linear_margins(weight[:3], bias[:3], X, y))
