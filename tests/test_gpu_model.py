"""The model of a GPU counts what arithmetic on the layers gives, and takes the longer of launches and work."""

import pytest
import torch

from benchmarks import gpu_model
from benchmarks.gradients import backward_flops
from lib.models import build
from lib.tests.simulated_gpu import simulated_gpu


def of_a_sample(dataset, model):
    """What one more draw adds to a block."""
    small, large = (gpu_model.block(dataset, model, n) for n in (8, 16))
    assert small["launches"] == large["launches"]
    return {kind: (large[kind] - small[kind]) / 8 for kind in gpu_model.RATES}


def test_operations_of_an_mlp_are_those_of_its_matrices():
    forward, head = 2 * (784 * 1024 + 1024 * 10), 2 * 1024 * 10
    triangle = sum(2 * (1024 - i) * 98 for i in range(0, 784, 98))  # eight block rows without their zeros
    found = of_a_sample("mnist", "mlp")
    assert (found["products"], found["convolutions"]) == (forward + 9 * (head + triangle), 0)


def test_operations_of_a_cnn_are_those_of_a_forward_and_nine_backward_passes():
    found = of_a_sample("mnist", "cnn")
    every = 10 * backward_flops(build("mnist", "cnn"), torch.zeros(1, 1, 28, 28))
    assert found["products"] + found["convolutions"] == every
    assert found["products"] == 10 * 2 * (64 * 16 * 200 + 200 * 200 + 200 * 10)


def test_launches_and_bytes_of_a_few_kernels_by_hand():
    with simulated_gpu() as gpu, gpu_model.Count() as count:
        x = torch.ones(3, 4).to("cuda")  # a copy: 48 bytes on the card
        y = (x + x).relu()  # 3 x 48 bytes, then 2 x 48
        y.view(12).t()  # no kernel
        y @ y.T
    assert count.found == {"launches": 4, "bytes": 6 * 48, "products": 2 * 3 * 4 * 3}
    assert gpu.launches.total() == 4


@pytest.mark.parametrize(("operations", "spent"), [(1, 0.01), (45e10, 0.1)])
def test_a_step_takes_the_longer_of_launches_and_work(monkeypatch, operations, spent):
    monkeypatch.setattr(gpu_model, "LAUNCH", 0.001)

    def step(n):
        return {"launches": 10, "products": n * operations, "convolutions": 0, "bytes": 0}

    assert gpu_model.seconds(step, 10) == (pytest.approx(spent), 10)
