"""What a job of the workflow asks of a GPU: one of its own, float32, the same bits; on a simulated GPU."""

import fcntl
import io
import os
import shutil
import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest
import torch

from lib.tests.simulated_gpu import simulated_gpu
from workflow_scripts.common import device as devices
from workflow_scripts.common import job
from workflow_scripts.common.device import arithmetic, pick_device

FLOAT32 = [torch.backends.cuda.matmul, torch.backends.cudnn.conv]


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(job, "_terminal", io.StringIO())
    return job._terminal.getvalue


@pytest.fixture
def two_gpus(monkeypatch, tmp_path, terminal):
    """torch finds two GPUs, and what a job decides is taken back after the test; the names of their lock files."""
    before = [place.fp32_precision for place in FLOAT32]
    mode = torch.get_deterministic_debug_mode()
    fill, benchmark = torch.utils.deterministic.fill_uninitialized_memory, torch.backends.cudnn.benchmark
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # to be taken back too
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    devices._free_gpu.cache_clear()
    with simulated_gpu(), monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "device_count", lambda: 2)
        patch.setattr(torch.cuda, "get_device_properties", lambda i: SimpleNamespace(uuid=f"card{i}"))
        yield [tmp_path / f"minavg-{os.getuid()}-card{i}.lock" for i in (0, 1)]
    devices._free_gpu.cache_clear()
    for place, precision in zip(FLOAT32, before, strict=True):
        place.fp32_precision = precision
    torch.set_deterministic_debug_mode(mode)
    torch.utils.deterministic.fill_uninitialized_memory, torch.backends.cudnn.benchmark = fill, benchmark


def lock(file):
    """Lock an open file as another process's job would."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_float32_is_float32_and_algorithms_are_deterministic(two_gpus):
    torch.backends.cudnn.benchmark = True
    device = pick_device("cuda")
    assert arithmetic(device) == {
        "float32_products": "ieee",
        "float32_convolutions": "ieee",
        "deterministic_algorithms": True,
        "cudnn_benchmark": False,
        "cublas_workspace": ":4096:8",
    }
    assert torch.get_deterministic_debug_mode() == 1  # it warns, and goes on
    assert not torch.utils.deterministic.fill_uninitialized_memory
    assert arithmetic(pick_device("cpu")) == {}


def test_the_workspace_of_the_environment_is_kept(two_gpus, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    assert arithmetic(pick_device("auto"))["cublas_workspace"] == ":16:8"


def test_a_job_takes_a_gpu_for_as_long_as_it_lives(two_gpus):
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda", 0)
    with two_gpus[0].open() as file, pytest.raises(BlockingIOError):
        lock(file)
    devices._free_gpu.cache_clear()  # as in another job
    assert pick_device("cuda") == torch.device("cuda", 1)


def test_where_all_are_taken_it_waits_for_the_first_that_is_free(two_gpus, monkeypatch, terminal):
    naps = []
    with two_gpus[0].open("w") as first, two_gpus[1].open("w") as second:
        lock(first), lock(second)
        monkeypatch.setattr(
            devices, "sleep", lambda seconds: naps.append(seconds) or (len(naps) == 3 and second.close())
        )
        assert pick_device("cuda") == torch.device("cuda", 1)
    assert terminal() == "every GPU has a job of yours: waiting for the end of one\n" and len(naps) == 3


def test_a_gpu_is_free_again_when_its_job_has_ended(two_gpus, tmp_path):
    code = f"""
import tempfile, torch
from types import SimpleNamespace
from workflow_scripts.common import device as devices
tempfile.gettempdir = lambda: {str(tmp_path)!r}
torch.cuda.device_count = lambda: 1
torch.cuda.get_device_properties = lambda i: SimpleNamespace(uuid="card0")
print(devices._free_gpu(), flush=True)
input()
"""
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as other:
        assert other.stdout.readline() == "0\n"
        assert pick_device("cuda") == torch.device("cuda", 1)
        other.kill()
    devices._free_gpu.cache_clear()
    assert pick_device("cuda") == torch.device("cuda", 0)


def test_a_file_system_without_locks_is_no_obstacle(two_gpus, monkeypatch):
    def flock(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert pick_device("cuda") == torch.device("cuda", 0)


@pytest.mark.parametrize("name, smi, said", [("auto", True, 1), ("auto", False, 0), ("cpu", True, 0)])
def test_one_line_says_that_torch_does_not_find_the_gpu(name, smi, said, monkeypatch, terminal):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi" if smi else None)
    assert pick_device(name).type == "cpu"
    assert terminal().count("torch finds no GPU: computing on the CPU\n") == said == terminal().count("\n")
