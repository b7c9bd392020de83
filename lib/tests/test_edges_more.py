"""More of the edges: first layers in place, hidden networks, steps that rounding swallows, ties, odd settings."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from lib import (
    attack_distances,
    breaking_steps,
    evaluate,
    gradient_lengths,
    hard_margin_svm,
    linear_margins,
    robust_accuracy,
    sampled_margins,
    withstands,
)
from lib.margins import margins_by_samples
from lib.pullback import is_fast
from lib.tests.test_edges import MEASURES, PGD, Held, Through, X, Y, assert_same, measured, network
from lib.tests.test_edges_limits import separable
from lib.tests.test_edges_refused import MODE, at_threads, new_head, said, state

pytestmark = pytest.mark.filterwarnings("ignore:.* has no fast gradients")


@pytest.mark.filterwarnings("ignore:inputs range from")
@pytest.mark.parametrize("layers", [(nn.ReLU(True), nn.Flatten()), (nn.Flatten(), nn.ReLU(True))])
def test_a_first_layer_in_place_leaves_the_points_as_they_were(layers):
    torch.manual_seed(0)
    model = nn.Sequential(*layers, nn.Linear(16, 4))
    assert is_fast(model)
    for name in ("margins", "norms", "lengths", "distances"):
        x = X - 0.5
        found = MEASURES[name](model, x, Y)
        assert torch.equal(x, X - 0.5), name
        torch.testing.assert_close(found, MEASURES[name](Through(model), x, Y), rtol=1e-3, atol=1e-5)


class Holder:
    def __init__(self, net):
        self.net = net

    def logits(self, x):
        return self.net(x)


class Slots:
    __slots__ = ("net",)

    def __init__(self, net):
        self.net = net

    def __call__(self, x):
        return self.net(x)


HIDDEN = {
    "method of an object": lambda net: Holder(net).logits,
    "object in a closure": lambda net: (lambda holder: lambda x: holder.logits(x))(Holder(net)),
    "default": lambda net: lambda x, net=net: net(x),
    "keyword default": lambda net: lambda x, *, nets={"all": [net]}: nets["all"][0](x),
    "slots": Slots,
}


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.BatchNorm1d(4)])
@pytest.mark.parametrize("name", HIDDEN)
def test_a_network_in_training_mode_is_found_wherever_it_hides(name, layer):
    hidden = new_head(layer)
    before = state(hidden)
    found = []
    caught = said(lambda: found.append(measured(HIDDEN[name](hidden), y=Y)))
    assert len(caught) == len(MEASURES) and all(MODE in str(warning.message) for warning in caught)
    assert_same(found[0], measured(hidden.eval(), y=Y))
    assert all(torch.equal(now, kept) for now, kept, *_ in before[1].values())


@pytest.mark.parametrize("kind", [torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.bfloat16])
def test_labels_come_in_the_newer_types_of_torch(kind):
    y, linear = Y % 2, (torch.rand(4, 16), torch.rand(4))
    assert torch.equal(gradient_lengths(network(), X, y.to(kind)), gradient_lengths(network(), X, y))
    assert torch.equal(linear_margins(*linear, X, y.to(kind)), linear_margins(*linear, X, y))
    if kind != torch.bool:
        with pytest.raises(ValueError, match=r"^y holds 7(\.0)?: give whole labels, from 0 to 3$"):
            gradient_lengths(network(), X, (7 * y).to(kind))


class Tripled(torch.Tensor):
    """A weight that changes what a linear layer does with it, as quantised ones do."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            found = function(*args, **(kwargs or {})) if function is nn.functional.linear else None
        if found is not None:
            return 3 * found.as_subclass(torch.Tensor)
        return super().__torch_function__(function, types, args, kwargs)


class Squared(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        return found * found if function is nn.functional.relu else found


def test_weights_of_other_types_and_function_modes_count():
    odd, plain = network(), network()
    odd[1].weight = nn.Parameter(odd[1].weight.detach().as_subclass(Tripled))
    assert is_fast(plain) and not is_fast(odd)
    assert_same(measured(odd, y=Y), measured(Through(odd), y=Y))
    expected = measured(nn.Sequential(*plain[:2], Through(nn.ReLU()), Through(Square()), plain[3]), y=Y)
    with Squared():
        assert not is_fast(plain)
        assert_same(measured(plain, y=Y), expected)


class Square(nn.Module):
    def forward(self, x):
        return x * x


@pytest.mark.parametrize("around", [Through, lambda model: model])
def test_a_default_device_that_is_not_that_of_the_points_is_no_obstacle(around):
    model, screened = around(network()), {"samples": 40, "radius": 90.0, "seeds": range(6), "precision": "bfloat16"}
    expected, plain = measured(model, y=Y), sampled_margins(model, X, Y, **screened)
    with torch.device("meta"):
        for name in ("margins", "foretold", "norms", "steps", "strong", "lengths", "distances"):
            torch.testing.assert_close(MEASURES[name](model, X, Y), expected[name], rtol=1e-3, atol=1e-5)
        evaluate(model, X, Y, samples=20, drawn=None, radius=90.0, steps=8, progress=False, **PGD, eps=0.1)
        assert torch.equal(sampled_margins(model, X, Y, **screened), plain)
        sampled_margins(model, X, Y, samples=2, radius=90)


@pytest.mark.filterwarnings("ignore:moves of")
def test_ties_are_at_distance_zero():
    for classes in (2, 3):
        x = torch.tensor([0.0, 0.3, -4.0])[:, None].expand(3, classes)
        assert attack_distances(nn.Flatten(), x).max() < 1e-6
        assert not withstands(nn.Flatten(), x, [0, 0, 0], eps=0.001, bounds=None).any()


def test_a_class_without_others_has_no_gradient_and_no_boundary():
    def alone(z):
        return z.masked_fill(torch.arange(4) != 2, -torch.inf)

    model, y = Held(network(), alone), torch.full((6,), 2)
    assert torch.equal(gradient_lengths(model, X, y), torch.zeros(6, dtype=torch.float64))
    assert attack_distances(model, X, steps=8).isinf().all()
    assert robust_accuracy(model, X, y, eps=(0, 1.0), step=0.5, iterations=3) == [100, 100]


class Overwritten(nn.Module):
    def forward(self, x):
        y = x.exp()
        z = y * y
        y.add_(1)
        return z


class OneWay(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()


def checkpointed(x):
    return torch.utils.checkpoint.checkpoint(network(), x, use_reentrant=True)


NO_WAY_BACK = {
    "in place": nn.Sequential(network(), Overwritten()),
    "one way": lambda x: network()(OneWay.apply(x)),
    "numpy": lambda x: network()(torch.tensor(x.numpy())),
    "batch of one": lambda x: network()(x.view(1, 1, 4, 4)),
    "checkpoint": checkpointed,
}


@pytest.mark.filterwarnings("ignore:None of the inputs")
@pytest.mark.parametrize("name", NO_WAY_BACK)
def test_a_model_that_fails_on_the_way_back_is_named_in_one_line(name):
    for measure in MEASURES.values():
        with pytest.raises(ValueError, match=r"^the model fails at x \(6, 1, 4, 4\) of .* with gradients: .+") as error:
            measure(NO_WAY_BACK[name], X, Y)
        assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:`torch.jit", "ignore::DeprecationWarning")
def test_a_frozen_script_has_no_mode_and_is_measured():
    frozen = torch.jit.freeze(torch.jit.script(network()))
    assert_same(measured(frozen, y=Y), measured(network(), y=Y))


WRONG_SETTINGS = {
    "counts": [5.5, [4.5, 8], [0, 4], [8, 4], "ab"], "seeds": [5, [0.5] * 6, [torch.nan] * 6, "abcdef", [-1] * 6],
    "generator": [0, "cpu"], "progress": [True, False, 1],
}  # fmt: skip


@pytest.mark.parametrize("setting", WRONG_SETTINGS)
def test_odd_counts_seeds_generators_and_progress_are_refused_in_one_line(setting):
    for value in WRONG_SETTINGS[setting]:
        with pytest.raises(ValueError, match=r": (draw|give) ") as error:
            margins_by_samples(network(), X, Y, **{"counts": [4, 8], "samples": 8, setting: value})
        assert "\n" not in str(error.value)


def test_counts_and_seeds_come_in_many_forms():
    expected = margins_by_samples(network(), X, Y, counts=[4, 8], samples=8, radius=90, seeds=range(6))[0]
    for counts in ([4.0, 8.0], torch.tensor([4, 8]), (4, 8)):
        for seeds in (torch.arange(6), [float(i) for i in range(6)]):
            given = {"counts": counts, "seeds": seeds}
            assert torch.equal(margins_by_samples(network(), X, Y, **given, samples=8, radius=90)[0], expected)
    alone = margins_by_samples(network(), X, Y, counts=8, samples=8, radius=90, seeds=range(6))[0]
    assert torch.equal(alone[0], expected[1])


COARSE = "moves of .* are lost to rounding, x is torch.{} up to .*: take x and model.double()"


def test_moves_that_rounding_swallows_are_named():
    torch.manual_seed(0)
    model, x, y, far = nn.Sequential(nn.Flatten(), nn.Linear(784, 2)), torch.rand(4, 784), [0] * 4, 3e6
    given = {"eps": 0.2, "step": 0.01, "iterations": 30, "bounds": None}
    for kind, work in (
        ("float32", lambda: robust_accuracy(lambda x: model(x - far), x + far, y, **given)),
        ("float32", lambda: attack_distances(lambda x: model(x - far), x + far, steps=20)),
        ("bfloat16", lambda: robust_accuracy(model.bfloat16(), x.bfloat16(), y, **given)),
    ):
        (warning,) = said(work)
        assert re.match(COARSE.format(kind), str(warning.message)) and warning.filename == __file__
    assert not said(lambda: robust_accuracy(model.float(), x, y, **given))


@pytest.mark.parametrize("offset", [0, 1, 100, -1000, 1e6])
def test_the_svm_takes_features_far_from_zero(offset):
    x, y = separable()
    weight, bias = hard_margin_svm(x, y)
    for labels in (y, y + 0.5, np.array(["no", "yes"])[y], y.astype(object), torch.tensor(y)):
        found, shift = hard_margin_svm(x + offset, labels)
        np.testing.assert_allclose(found, weight, rtol=1e-3, atol=1e-3)
        assert shift + found @ np.full(8, offset) == pytest.approx(bias, abs=1e-3)
    hard_margin_svm(torch.tensor(x).bfloat16(), y)


@pytest.mark.parametrize("window", [2, (2, 1), 3])
def test_images_without_channels_are_pooled(window):
    torch.manual_seed(0)
    pooled = nn.MaxPool2d(window)(X[:, 0])[0].numel()
    model = nn.Sequential(nn.MaxPool2d(window), nn.ReLU(), nn.Flatten(), nn.Linear(pooled, 4))
    assert is_fast(model)
    assert_same(measured(model, X[:, 0], Y), measured(Through(model), X[:, 0], Y))


def test_numbers_whose_squares_overflow_are_refused():
    for name, value in (("eps", 1e30), ("step", 1e29), ("iterations", 10**30), ("averaged_over", 1e300)):
        with pytest.raises(ValueError, match=rf"^{name} is 1.*: give a finite number, below 1e18"):
            robust_accuracy(network(), X, Y, **{"eps": 0.1, "bounds": None, **PGD, name: value})
    with pytest.raises(ValueError, match=r"^radius is 1e.300: give a finite number"):
        sampled_margins(network(), X, Y, samples=4, radius=1e300)


def test_distances_of_float64_are_compared_in_float64():
    model, x = nn.Flatten(), 1e-50 * torch.tensor([[9.0, 4.0], [2.0, 5.0]], dtype=torch.float64)
    assert withstands(model, x, [0, 1], eps=(1e-51, 1e-49), bounds=None, step=1e-50).tolist() == [[True, False]] * 2


@pytest.mark.parametrize("odd", [lambda t: t * 1j, torch.Tensor.to_sparse, lambda t: t.to("meta")])
def test_numbers_that_are_not_real_and_dense_are_refused(odd):
    weight, bias = torch.eye(16)[:4], torch.zeros(4)
    for work in (lambda: linear_margins(odd(weight), bias, X, Y), lambda: gradient_lengths(network(), odd(X), Y)):
        with pytest.raises(ValueError, match=r"^(x|weight) holds torch\..*: give real numbers, dense$"):
            work()


def test_what_progress_measures_enters_by_the_door():
    images, found, model = (
        (255 * X).byte(),
        [],
        network(),
    )  # built once: two threads would share the seed of the weights

    def measure(*_):
        found.append(gradient_lengths(model, images, Y.tolist()))

    for threads in (1, 2):
        at_threads(threads, lambda: breaking_steps(network(), X, Y, eps=0.1, **PGD, progress=measure))
    assert found and all(torch.equal(one, gradient_lengths(model, images, Y)) for one in found)
