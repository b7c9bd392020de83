"""The machine: its name, its clock, and the rate of its matrix products, which bounds everything else."""

import platform
from pathlib import Path
from time import perf_counter

import torch

from .timing import measure, row


def clock_of(device):
    """Return a clock, in seconds, that waits for the device to finish."""
    if device.type != "cuda":
        return perf_counter

    def clock():
        torch.cuda.synchronize(device)
        return perf_counter()

    return clock


def describe(device):
    """Return what was measured on, in one line: processor, threads, graphics card, versions."""
    card = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    threads = torch.get_num_threads()
    return (
        f"{processor()}, {threads} thread{'s' if threads > 1 else ''}{card}; torch {torch.__version__}, "
        f"Python {platform.python_version()}, {platform.system()}"
    )


def products(device, scale, seconds, clock):
    """Return (rows, {precision: GFLOP/s}) of the product of two square matrices: fp32, and TF32 (GPU) or bf16."""
    side = 2048 if device.type == "cpu" else 8192
    side = max(64, int(side * scale))
    a, b = (torch.rand((side, side), device=device) for _ in range(2))
    low = a.bfloat16(), b.bfloat16()

    def product(precision):
        torch.backends.cuda.matmul.fp32_precision = precision
        try:
            return a @ b
        finally:
            torch.backends.cuda.matmul.fp32_precision = "ieee"  # as pick_device has it

    methods = {"fp32": lambda: product("ieee")}
    methods |= {"TF32": lambda: product("tf32")} if device.type == "cuda" else {"bf16": lambda: low[0] @ low[1]}
    times = measure(methods, seconds, clock)
    values = {name: [2e-9 * side**3 / s for s in found] for name, found in times.items()}
    rows = [row(f"matrix product {side} x {side}", name, found, "GFLOP/s") for name, found in values.items()]
    if device.type == "cpu":
        rows.append(row("GPU", "all of the below", note="not measured: this run was on the CPU"))
    return rows, {r["method"]: r["value"] for r in rows if r["value"]}


def processor():
    """The name of the processor: platform knows it on few systems, Linux has it in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
