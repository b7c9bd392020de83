"""The simulated GPU must catch the faults planted here, and let through what CUDA lets through."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from .simulated_gpu import simulated_gpu

TWO_DEVICES, GENERATOR = "two devices, cuda:0 and cpu", "device type for generator"
FAULTS = {
    "sum": (TWO_DEVICES, lambda x, c: x + c),
    "product": (TWO_DEVICES, lambda x, c: x @ c.T),
    "product with a fresh identity": (TWO_DEVICES, lambda x, c: x @ torch.eye(4)),
    "cat": (TWO_DEVICES, lambda x, c: torch.cat([x, c])),
    "stack of scalars": (TWO_DEVICES, lambda x, c: torch.stack([x[0, 0], torch.tensor(1.0)])),
    "where": (TWO_DEVICES, lambda x, c: torch.where(x > 0.5, x, c)),
    "gather": (TWO_DEVICES, lambda x, c: x.gather(1, torch.zeros(3, 1, dtype=torch.long))),
    "index of the GPU": (TWO_DEVICES, lambda x, c: c[torch.tensor([0, 1], device="cuda")]),
    "mask of the GPU": (TWO_DEVICES, lambda x, c: c[x > 0.5]),
    "values set": (TWO_DEVICES, lambda x, c: x.__setitem__(x[:, 0] < 2, c)),
    "sum in place, out of a scalar": (TWO_DEVICES, lambda x, c: torch.tensor(1.0).add_(x[0, 0])),
    "model left on the CPU": (TWO_DEVICES, lambda x, c: nn.Linear(4, 2)(x)),
    "labels left on the CPU": (TWO_DEVICES, lambda x, c: cross_entropy(x, torch.zeros(3, dtype=torch.long))),
    "generator of the CPU": (GENERATOR, lambda x, c: torch.rand(3, device="cuda", generator=torch.Generator())),
    "generator of the GPU": (GENERATOR, lambda x, c: torch.rand(3, generator=torch.Generator("cuda"))),
    "numpy": ("to numpy", lambda x, c: x.numpy()),
    "numpy by itself": ("to numpy", lambda x, c: np.asarray(x)),
    "more memory than there is": ("out of memory", lambda x, c: torch.zeros(2000, device="cuda")),
}
ALLOWED = {
    "scalar of the CPU": lambda x: x * torch.tensor(2.0),
    "index of the CPU": lambda x: x[torch.tensor([0, 2])],
    "index of numpy": lambda x: x[np.array([0, 2])],
    "mask of the CPU": lambda x: x[torch.tensor([True, False, True])],
    "copy": lambda x: x.copy_(torch.zeros(3, 4)),
    "back to the CPU": lambda x: x.cpu().numpy(),
    "numbers": lambda x: (x.tolist(), float(x[0, 0]), int(x.sum()), bool((x > 2).any()), f"{x[0, 0]:.2f}"),
    "a number set": lambda x: x.__setitem__((slice(None), 0), 5.0),
    "a module": lambda x: nn.Linear(4, 2).cuda()(x).sum().backward(),
    "a new tensor": lambda x: torch.tensor([1.0, 2.0], device="cuda") + x[0, :2],
    "generator": lambda x: torch.rand(3, device="cuda", generator=torch.Generator("cuda").manual_seed(0)) + x[0, :3],
}


@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_caught(name):
    message, fault = FAULTS[name]
    with simulated_gpu(limit=4096) as gpu:
        x = torch.rand(3, 4, device="cuda")
        with pytest.raises((RuntimeError, TypeError), match=message):
            fault(x, torch.rand(3, 4))
        assert gpu.held == 512  # x alone


@pytest.mark.parametrize("name", ALLOWED)
def test_what_cuda_allows_is_allowed(name):
    with simulated_gpu():
        ALLOWED[name](torch.rand(3, 4, device="cuda"))


def test_values_and_gradients_are_those_of_the_cpu():
    torch.manual_seed(0)
    model, x, y = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten()), torch.rand(4, 1, 5, 5), torch.arange(4)
    loss = cross_entropy(model(x), y)
    expected = torch.autograd.grad(loss, list(model.parameters()))
    with simulated_gpu() as gpu:
        model = model.to("cuda")
        found = cross_entropy(model(x.to("cuda")), y.to("cuda"))
        found.backward()
        assert found.is_cuda and found.item() == loss.item()
        for parameter, gradient in zip(model.parameters(), expected, strict=True):
            assert parameter.grad.is_cuda and torch.equal(parameter.grad.cpu(), gradient)
        assert gpu.launches["convolution"] == gpu.launches["convolution_backward"] == 1


def test_waits_of_the_host_are_counted_by_line():
    with simulated_gpu() as gpu:
        x = torch.rand(3, 4, device="cuda")
        for _ in range(5):
            if x.sum() > 0:  # waits
                x = x + 1
        assert [(line.split(":")[0], why, n) for (line, why), n in gpu.waits.items()] == [
            ("tests/test_simulated_gpu.py", "_local_scalar_dense", 5)
        ]
        x[x > 2], torch.where(x > 2, x, 0.0), x.cpu(), x.nonzero()
        x[x > 2] = 0.0
        assert gpu.waits_in("tests/test_simulated_gpu.py") == sum(gpu.waits.values()) == 5 + 3


def test_only_pinned_memory_goes_up_without_a_wait():
    with simulated_gpu() as gpu:
        pinned = torch.ones(3).pin_memory().to("cuda", non_blocking=True)
        assert pinned.is_cuda and not gpu.waits
        torch.ones(3).to("cuda", non_blocking=True), torch.ones(3).pin_memory().to("cuda")
        assert [why for _, why in gpu.waits.elements()] == ["upload", "upload"]


def test_memory_is_freed_with_its_last_tensor():
    with simulated_gpu(limit=8192) as gpu:
        x = torch.zeros(1024, device="cuda")
        view = x[:2]
        x = x + 1
        assert gpu.held == gpu.peak == 8192
        del view
        assert (gpu.held, gpu.peak) == (4096, 8192) and torch.cuda.mem_get_info() == (4096, 8192)
        assert x.is_cuda


def test_nothing_of_it_stays_behind():
    before = torch.cuda.is_available(), torch.Generator, torch.Tensor.pin_memory
    with simulated_gpu():
        x = torch.zeros(2, device="cuda")
    assert (torch.cuda.is_available(), torch.Generator, torch.Tensor.pin_memory) == before
    with pytest.raises(RuntimeError, match="has gone"):
        x + 1
