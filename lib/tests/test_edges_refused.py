"""What cannot be measured is refused in one line, what misleads meets one warning, and no model is changed."""

import inspect
import re
import warnings

import pytest
import torch
from torch import inf, nan, nn

import lib
from lib import (
    attack_distances,
    evaluate,
    gradient_lengths,
    linear_margins,
    pgd_l2,
    robust_accuracy,
    sampled_margins,
    withstands,
)
from lib.tests.simulated_gpu import simulated_gpu
from lib.tests.test_edges import MEASURES, PGD, Held, Through, X, Y, network, stale

pytestmark = pytest.mark.filterwarnings("ignore:.* has no fast gradients")


def odd(x, value):
    x = x.clone()
    x[1, 0, 2, 3] = value
    return x


def with_weight(value):
    model = network()
    model[1].weight.data[2, 3] = value
    return model


def with_logits(value):
    return Held(network(), lambda z: torch.where(torch.arange(len(z))[:, None] == len(z) - 1, value, z))


REFUSED = {  # what came, in which place, and words of the line
    "a column of labels": ("y", Y[:, None], r"y has shape \(6, 1\).*y.flatten\(\)"),
    "one-hot labels": ("y", torch.eye(4)[Y], r"y has shape \(6, 4\).*y.argmax\(1\)"),
    "fewer labels": ("y", Y[:2], "6 points and y 2 labels"),
    "a single label": ("y", 3, r"y has shape \(\)"),
    "half labels": ("y", Y + 0.5, "y holds 0.5: give whole labels, from 0 to 3"),
    "a label too large": ("y", Y + 1, "y holds 4: give whole labels, from 0 to 3"),
    "a negative label": ("y", Y - 1, "y holds -1"),
    "NaN labels": ("y", Y * nan, "y holds nan"),
    "words as labels": ("y", ["a"] * 6, "y is no array of numbers"),
    "no points": ("x", X[:0], r"x has shape \(0, 1, 4, 4\): give one or more points"),
    "numbers instead of points": ("x", X[:, 0, 0, 0], r"x has shape \(6,\)"),
    "points of other size": ("x", X[..., :3], r"the model fails at x \(6, 1, 4, 3\)"),
    "float64": ("x", X.double(), r"take x.to\('cpu', torch.float32\)"),
    "whole numbers": ("x", (255 * X).long(), "x holds torch.int64: give floats, or uint8 images"),
    "complex numbers": ("x", X * 1j, "x holds torch.complex64"),
    "NaN pixels": ("x", odd(X, nan), "1 of 6 points in x are not finite, the first is 1"),
    "infinite pixels": ("x", odd(X, -inf).numpy(), "1 of 6 points in x are not finite"),
    "NaN weights": ("model", with_weight(nan), "the model's weight 1.weight is not finite"),
    "infinite weights": ("model", with_weight(inf), "the model's weight 1.weight is not finite"),
    "NaN logits": ("model", with_logits(nan), "the logits of 1 of [16] points are not finite"),
    "infinite logits": ("model", with_logits(inf), "the logits of 1 of [16] points are not finite"),
    "all classes masked": ("model", with_logits(-inf), "the logits of 1 of [16] points are not finite"),
    "a tiny scale": (
        "model",
        Held(network(), lambda z: 1e-30 * z),
        "gradients of length .*e-3.* are beyond",
    ),
    "a huge scale": ("model", Held(network(), lambda z: 1e22 * z), "gradients of length .* are beyond torch.float32"),
    "one logit": (
        "model",
        Held(network(), lambda z: z[:, :1]),
        r"\(1, 1\) for 1 points.* torch.cat",
    ),
    "one number": ("model", Held(network(), lambda z: z[:, 0]), r"give logits \(n, c\) of two or more classes"),
    "images as outputs": ("model", Held(network(), lambda z: z[..., None]), r"outputs \(1, 4, 1\) for 1 points"),
    "text as output": ("model", Held(network(), str), "the model gives a str"),
    "an empty tuple": ("model", Held(network(), lambda z: ()), "the model gives a NoneType"),
    "detached logits": ("model", Held(network(), torch.Tensor.detach), "logits have no gradient"),
    "no model": ("model", "model.pt", "model is a str: give a module, or a function"),
    "a model that fails": ("model", Held(network(), lambda z: z.no), "the model fails at .*no attribute 'no'"),
}
SETTINGS = {
    "eps": [inf, nan, -0.1, [0.1, -1], "a", None, []], "iterations": [2.5, 0, -1, nan, "a", None],
    "step": [0, nan, inf], "steps": [0, 1.5], "radius": [0, -1, nan, inf], "samples": [0, 9.5], "drawn": [2.5, 0],
    "batch": [0, -1, 2.5], "starts": [0], "gradient_floor": [-1, nan, inf], "averaged_over": [0],
    "loss": ["hinge", None],
}  # fmt: skip
FUNCTIONS = {
    f.__name__: f
    for f in (attack_distances, evaluate, gradient_lengths, pgd_l2, robust_accuracy, sampled_margins, withstands)
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_measured_is_refused_in_one_line(name):
    place, value, words = REFUSED[name]
    given = {"model": network(), "x": X, "y": Y} | {place: value}
    for measure in MEASURES.values() if place == "model" else (MEASURES["robust"], MEASURES["lengths"]):
        with pytest.raises(ValueError, match=words) as error:
            measure(*given.values())
        assert "\n" not in str(error.value) and len(str(error.value)) < 250


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_make_no_sense_are_refused(setting):
    for function in FUNCTIONS.values():
        names = inspect.signature(function).parameters
        given = {"y": Y} if "y" in names else {}
        given |= {"eps": 0.1} if "eps" in names else {}
        for value in SETTINGS[setting] if setting in names else ():
            with pytest.raises(ValueError, match=f"^{setting} is ") as error:
                function(network(), X, **given | {setting: value})
            assert "\n" not in str(error.value)


def test_points_on_another_device_are_refused():
    with simulated_gpu():
        with pytest.raises(ValueError, match=r"on cuda:0: .*; take x.to\('cpu', torch.float32\)"):
            robust_accuracy(network(), X.to("cuda"), Y, eps=0.1)
        on_gpu = network().to("cuda")
        for x, y in ((X.to("cuda"), Y), (X.numpy(), Y.numpy()), (X.to("cuda"), Y.to("cuda"))):
            assert robust_accuracy(on_gpu, x, y, eps=0.1, **PGD) == robust_accuracy(network(), X, Y, eps=0.1, **PGD)


def test_weights_of_linear_margins_are_looked_at():
    weight, bias = torch.rand(4, 16), torch.rand(4)
    for given in ((weight, bias[:3]), (weight[:1], bias[:1]), (weight[:, 1:], bias), (weight[0], bias)):
        with pytest.raises(ValueError, match=r"do not fit: give \(c, d\), \(c,\) and \(n, d\)"):
            linear_margins(*given, X, Y)
    with pytest.raises(ValueError, match="the logits of 6 of 6 points are not finite"):
        linear_margins(weight * nan, bias, X, Y)
    with pytest.raises(ValueError, match=r"y has shape \(6, 1\)"):
        linear_margins(weight, bias, X, Y[:, None])
    expected = linear_margins(weight, bias, X.double(), Y)
    found = linear_margins(weight.numpy(), bias.requires_grad_(), X.double().numpy(), Y.tolist())
    assert torch.equal(found, expected) and not found.requires_grad


class Noisy(nn.Module):
    def forward(self, z):
        return z + 0.1 * torch.randn_like(z)


class Centred(nn.Module):
    """A layer whose answer hangs on the other points of the batch."""

    def forward(self, z):
        return z - 0.2 * z.mean(0)


def new_head(*layers):
    model = nn.Sequential(*network(), nn.Linear(4, 4), *layers)
    return model.eval().append(nn.Sequential(*layers).train())


MODE, TWICE = "a part of the model is in training mode", "answers differently the second time"
SLIPS = {  # a model and the warning that it meets; "" for none
    "dropout under a root in eval mode": (lambda: new_head(nn.Dropout(0.5)), MODE),
    "batch norm in training mode": (lambda: new_head(nn.BatchNorm1d(4)), MODE),
    "hidden in a function": (lambda: Held(new_head(nn.Dropout(0.5)).__call__), MODE),
    "in a closure": (lambda: (lambda net: lambda x: net(x))(new_head(nn.Dropout(0.5))), MODE),
    "a wrapper of a network in eval mode": (lambda: nn.Sequential(Through(nn.Identity()), network()), ""),
    "dropout of nothing": (lambda: new_head(nn.Dropout(0.0)), ""),
    "layer norm": (lambda: new_head(nn.LayerNorm(4)), ""),
    "fast layers in training mode": (lambda: network().train(), ""),
    "noise": (lambda: nn.Sequential(network(), Noisy()).eval(), TWICE),
    "other points of the batch": (lambda: nn.Sequential(network(), Centred()).eval(), TWICE),
    "probabilities": (lambda: nn.Sequential(network(), nn.Softmax(1)).eval(), "look like probabilities"),
}


def said(work):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    return [w for w in caught if "has no fast" not in str(w.message)]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", SLIPS)
def test_each_slip_meets_one_line_where_the_function_was_called(name, measure):
    make, words = SLIPS[name]
    model = make()
    caught = said(lambda: MEASURES[measure](model, X, Y))
    assert [bool(re.search(words, str(w.message))) for w in caught] == [True] * bool(words), caught
    for warning in caught:
        assert "\n" not in str(warning.message) and warning.filename in (__file__, inspect.getsourcefile(network))


def test_an_attack_that_cannot_reach_its_radius_is_named():
    model, few = network(), {"step": 0.01, "iterations": 50}
    for work in (
        lambda: robust_accuracy(model, X, Y, eps=(0.1, 2.0), **few),
        lambda: pgd_l2(model, X, Y, eps=2.0, **few),
        lambda: withstands(model, X, Y, eps=[2.0, 0.1], steps=2, **few),
        lambda: evaluate(model, X, Y, eps=2.0, steps=2, samples=20, drawn=None, radius=90, **few, progress=False),
    ):
        (warning,) = said(work)
        assert str(warning.message) == "50 steps of 0.01 cannot reach eps 2: take 200, or longer ones"
        assert warning.filename == __file__
    assert not said(lambda: robust_accuracy(model, X, Y, eps=0.5, **few))
    assert not said(lambda: robust_accuracy(model, X, Y, eps=9.0, step=0.1, iterations=50))  # no pixel is so far


def test_margins_at_the_cap_are_named():
    (warning,) = said(lambda: sampled_margins(network(), X, Y, samples=8, radius=1e-4))
    assert str(warning.message).startswith("every margin is at the cap") and warning.filename == __file__


def state(model):
    modules = {
        name: (m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for name, m in model.named_modules()
    }
    tensors = {name: (t, t.clone(), t.requires_grad, t.grad) for name, t in model.state_dict(keep_vars=True).items()}
    return modules, tensors


@pytest.mark.filterwarnings("ignore:a part of the model")
@pytest.mark.parametrize("measure", MEASURES)
def test_measuring_leaves_the_model_as_it_was(measure):
    norm = nn.utils.parametrizations.spectral_norm
    models = [
        new_head(nn.BatchNorm1d(4)), new_head(nn.Dropout(0.5), nn.BatchNorm1d(4)), network(0, norm).train(),
        stale(nn.utils.spectral_norm).train(), nn.Sequential(*network(), Counting()), network().requires_grad_(False),
    ]  # fmt: skip
    for model in models:
        nn.functional.cross_entropy(model(X), Y).backward() if next(model.parameters()).requires_grad else None
        modules, tensors = state(model)
        MEASURES[measure](model, X, Y)
        now, after = state(model)
        assert now == modules and after.keys() == tensors.keys()
        for name, (tensor, value, wanted, gradient) in tensors.items():
            same, kept, still, grad = after[name]
            assert same is tensor and torch.equal(value, kept) and still == wanted and grad is gradient, name


class Counting(nn.Module):
    """A layer that counts its calls in a new buffer each."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls = self.calls + 1
        return x


MEASURING = [function for name in lib.__all__ if hasattr(function := getattr(lib, name), "__wrapped__")]
GIVEN = {"eps": 0.5, "counts": [20], "samples": 20}  # for those that have no default


@pytest.mark.parametrize("function", MEASURING, ids=lambda function: function.__name__)
def test_every_setting_is_looked_at(function):
    parameters = inspect.signature(function).parameters
    points = {"x": X} | {name: Y for name in ("y", "top") if name in parameters}
    needed = {name: value for name, value in GIVEN.items() if name in parameters}
    for name in parameters.keys() - {"model", *points}:
        if (function, name) != (evaluate, "progress"):  # shown or not: anything tells
            with pytest.raises(ValueError, match=name):
                function(network(), **points, **needed | {name: object()})


def test_a_model_is_left_as_it_was_where_something_fails():
    model = new_head(nn.Dropout(0.5))

    def stop(*_):
        raise KeyError("enough")

    modes = [m.training for m in model.modules()]
    for threads in (1, 2):
        with pytest.raises(KeyError), pytest.warns(UserWarning, match=MODE):
            robust_accuracy(model, X, Y, eps=0.1, **PGD, progress=stop)
        with pytest.raises(KeyError, match="enough"):
            at_threads(threads, lambda: robust_accuracy(network(), X, Y, eps=0.1, **PGD, progress=stop))
    assert [m.training for m in model.modules()] == modes


def at_threads(threads, work):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return work()
    finally:
        assert torch.get_num_threads() == threads
        torch.set_num_threads(before)
