"""Where a job computes: on a GPU of its own or on the CPU, and how exactly."""

import ctypes
import fcntl
import os
import platform
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from time import sleep

import torch

from workflow_scripts.common import job

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # mallopt(3)


def pick_device(name):
    """Return the torch device for auto, cpu or cuda; ValueError where a GPU is demanded and there is none.

    A GPU is this process's alone among the jobs of this user; where all are taken, it waits for one. There float32 is
    float32, not TF32, and operations are deterministic, but for those of which torch has no such form (it warns).
    On the CPU, this process keeps the memory that it frees, for the next step.
    """
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise ValueError("device: cuda is configured, but torch finds no GPU: set device to auto or cpu")
    if name == "auto" and not found and shutil.which("nvidia-smi"):
        job.tell("This machine has nvidia-smi, but torch finds no GPU: computing on the CPU")
    if name == "cpu" or not found:
        _keep_freed_memory()
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic sums; read when CUDA starts
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads such memory
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.fp32_precision = torch.backends.cudnn.conv.fp32_precision = "ieee"
    device = torch.device("cuda", _free_gpu())
    torch.cuda.set_device(device)
    return device


def arithmetic(device):
    """Return what decides the last digits on a GPU, as torch has it now, for the record of a run; {} for the CPU."""
    if device.type == "cpu":
        return {}
    return {
        "float32_products": torch.backends.cuda.matmul.fp32_precision,
        "float32_convolutions": torch.backends.cudnn.conv.fp32_precision,
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def warn_of_slow_products(precision, device):
    """Say on the terminal where bfloat16, which one asks for to be faster, is slower."""
    units = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public question for them
    has_units = any(getattr(torch.cpu, name, lambda: True)() for name in units)
    if precision == "bfloat16" and device.type == "cpu" and platform.machine() in ("x86_64", "AMD64") and not has_units:
        job.tell("objective.precision is bfloat16, for which this processor has no units: float32 is many times faster")


@cache
def _free_gpu():
    """The number of a GPU that no other process of this user has: its file stays locked for as long as this one lives.

    The file is named after the card itself, as Slurm counts the GPUs of each job from 0.
    """
    told = False
    while True:
        for i in range(torch.cuda.device_count()):
            card = f"minavg-{os.getuid()}-{torch.cuda.get_device_properties(i).uuid}.lock"
            lock = os.open(Path(tempfile.gettempdir(), card), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            except OSError:
                pass  # a file system without locks
            return i
        if not told:
            job.tell("every GPU has a job of yours: waiting for the end of one")
        told = True
        sleep(1)


def _keep_freed_memory():
    """Tell glibc's malloc to give nothing back: every page of a layer's output would be faulted in again each step."""
    with suppress(AttributeError):  # another C library has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_MMAP_THRESHOLD, 2**30)
