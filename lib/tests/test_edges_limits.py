"""At the limits of numbers, time and memory: infinite gradients, Ctrl-C, a thousand classes, units, frozen layers."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn

from lib import (
    attack_distances,
    gradient_lengths,
    hard_margin_svm,
    pgd_l2,
    robust_accuracy,
    sampled_margins,
    train,
    withstands,
)
from lib.minimum_norm import _starts
from lib.objectives import penalty
from lib.pullback import pulling
from lib.tests.simulated_gpu import simulated_gpu
from lib.tests.test_edges import X, Y, network
from tests.workflow import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:.* has no fast gradients")


class Contrast(nn.Module):
    """A local contrast normalisation: its gradient is 0 * inf where a patch is flat."""

    def forward(self, x):
        patches = nn.functional.unfold(x, 2, stride=2)
        mean = patches.mean(1, keepdim=True)
        return (patches - mean) / ((patches - mean).square().mean(1, keepdim=True).clamp(min=0).sqrt() + 0.01)


def contrasted():
    torch.manual_seed(0)
    model, x = nn.Sequential(Contrast(), nn.Flatten(), nn.Linear(64, 4)).eval(), torch.rand(6, 1, 8, 8)
    x[:, :, :2, :2] = 0.5
    return model, x, model(x).argmax(1)


@pytest.mark.filterwarnings("ignore:the gradients of 6 of 6 points are not finite")
def test_gradients_that_are_not_finite_neither_break_a_point_nor_hide_one():
    model, x, y = contrasted()
    assert robust_accuracy(model, x, y, eps=(0, 1e-6, 0.5), step=0.02, iterations=30) == [100, 100, 0]
    assert withstands(model, x, y, eps=(0, 1e-6, 0.5), step=0.02, iterations=30, steps=10).double().mean(
        0
    ).tolist() == [1, 1, 0]
    found = pgd_l2(model, x, y, eps=0.5, step=0.02, iterations=30)
    assert (model(found).argmax(1) != y).all() and (found - x).flatten(1).norm(dim=1).max() < 0.5001
    distances = attack_distances(model, x, steps=40)
    assert distances.max() < 0.6 and robust_accuracy(model, x, y, eps=0.5, step=0.02, iterations=30) == [0]


def test_gradients_that_are_not_finite_are_counted():
    model, x, y = contrasted()
    with pytest.warns(UserWarning, match="the gradients of 6 of 6 points are not finite"):
        robust_accuracy(model, x, y, eps=0.1, iterations=10)


def test_logits_that_turn_nan_under_attack_are_an_error():
    model = network()

    def far_is_unknown(x):
        far = torch.cdist(x.flatten(1), X.flatten(1)).amin(1) > 0.03
        return torch.where(far[:, None], torch.nan, model(x))

    with pytest.raises(ValueError, match=r"the logits at an iterate of \d points are not finite"):
        robust_accuracy(far_is_unknown, X, model(X).argmax(1), eps=0.5, step=0.01, iterations=50)


STOPPED = """
import os, signal, threading, time, torch
from torch import nn
import lib
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background of a shell ignores it
torch.set_num_threads({threads})
x, model = torch.rand(256, 1, 28, 28), lib.build("mnist", "mlp")
y, since = model(x).argmax(1), []
def interrupt():
    time.sleep(1.5)
    since.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    {work}
except KeyboardInterrupt:
    print(time.perf_counter() - since[0], torch.get_num_threads())
"""
LONG = [
    "lib.robust_accuracy(model, x, y, eps=(0.001, 9.0), step=1e-4, iterations=10**6)",
    "lib.sampled_margins(model, x, y)",
    "lib.evaluate(model, x, y, progress=False)",
]


@pytest.mark.parametrize("work", LONG)
def test_ctrl_c_ends_work_on_several_threads(work):
    code = STOPPED.format(threads=3, work=work)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=ROOT)
    after, threads = done.stdout.split()
    assert float(after) < 2 and threads == "3", done.stderr


def test_a_part_that_fails_ends_the_others():
    before, begun = torch.get_num_threads(), time.perf_counter()

    def stop(*_):
        raise KeyError("enough")

    torch.set_num_threads(3)
    try:
        y = network()(X).argmax(1)
        y[5] = (y[5] + 1) % 4  # is decided at once, where the others take all steps
        with pytest.raises(KeyError, match="enough"):
            robust_accuracy(network(), X, y, eps=1e-4, step=1e-9, iterations=10**6, progress=stop)
        assert torch.get_num_threads() == 3 and time.perf_counter() - begun < 10
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("layer", [nn.GELU, nn.ReLU])
def test_a_thousand_classes_take_the_memory_of_a_few(layer):
    """64 samples of 3 x 32 x 32: gradients along all classes at once would be 790 MB, and 12 a sample."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 4), layer(), nn.Linear(4, 1000)).eval()
    x = torch.rand(1, 3, 32, 32)
    with simulated_gpu(limit=300 << 20) as gpu:
        model, x = model.to("cuda"), x.to("cuda")
        sampled_margins(model, x, [1], samples=20, radius=1e9)
        assert gpu.peak < 200 << 20


def test_starts_of_many_classes_are_found_in_parts(monkeypatch):
    model = network().double()
    whole = _starts(pulling(model), X.double(), 5)
    monkeypatch.setattr("lib.minimum_norm._BYTES", 2 * 4 * 16 * 8)
    for part, expected in zip(_starts(pulling(model), X.double(), 5), whole, strict=True):
        torch.testing.assert_close(part, expected)


@pytest.mark.parametrize("function", ["distances", "lengths"])
def test_a_cpu_without_memory_halves_the_batch(function):
    model = network()

    def scarce(x):
        if len(x) > 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory")
        return model(x)

    work = {"distances": lambda m: attack_distances(m, X, steps=40), "lengths": lambda m: gradient_lengths(m, X, Y)}
    with pytest.warns(UserWarning, match="out of memory: going on with"):
        found = work[function](scarce)
    torch.testing.assert_close(found, work[function](model), rtol=1e-4, atol=0)


def separable():
    rng = np.random.default_rng(0)
    x = rng.random((42, 8))
    y = (x[:, 0] > 0.5).astype(int)
    x[:, 0] += 0.1 * (2 * y - 1)
    return x, y


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 1 / 255, 1, 255, 1e4, 1e8])
def test_the_svm_takes_any_unit(unit):
    x, y = separable()
    weight, bias = hard_margin_svm(x, y)
    found, shift = hard_margin_svm(torch.tensor(x * unit, requires_grad=True), y.tolist())
    np.testing.assert_allclose(found * unit, weight, rtol=1e-3, atol=1e-3)
    assert shift == pytest.approx(bias, abs=1e-3)
    with pytest.raises(ValueError, match=r"y \(42, 1\): give one label a point, y of shape \(42,\)"):
        hard_margin_svm(x * unit, y[:, None])
    with pytest.raises(ValueError, match="finite numbers"):
        hard_margin_svm(np.where(x > 0.9, np.nan, x), y)


def trained(model, x=X, y=Y, **settings):
    list(train(model, x, y, x, y, epochs=2, learning_rate=0.05, batch_size=3, **settings))
    return model


@pytest.mark.parametrize("orthogonality", ["penalty", "retraction"])
def test_frozen_layers_stay_and_the_others_are_regularised(orthogonality):
    model = network()
    model[1].requires_grad_(False)
    frozen, free = model[1].weight.clone(), model[3].weight.clone()
    trained(model, beta=0.01, orthogonality=orthogonality)
    assert torch.equal(model[1].weight, frozen) and not torch.equal(model[3].weight, free)


@pytest.mark.parametrize("norm", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_weights_computed_from_others_are_regularised_too(norm):
    model = network(0, norm)
    before = penalty(model).item()
    assert penalty(trained(model, beta=0.05)).item() < penalty(trained(network(0, norm))).item() and before > 0
    with pytest.raises(ValueError, match="retraction needs plain ones"):
        trained(network(0, norm), beta=0.05, orthogonality="retraction")


def test_training_refuses_what_measuring_refuses():
    for y, words in (
        (Y[:, None], r"shape \(6, 1\)"),
        (Y + 1, "y holds 4"),
        (Y + 0.5, "y holds 0.5"),
        (Y[:3], "3 labels"),
    ):
        with pytest.raises(ValueError, match=words):
            trained(network(), y=y)
    with pytest.raises(ValueError, match="not finite"):
        trained(network(), X * torch.nan)
    for x, y in ((X.numpy(), Y.float()), (X.double().numpy(), Y.tolist())):
        assert torch.equal(trained(network(), x, y)[1].weight, trained(network())[1].weight)
