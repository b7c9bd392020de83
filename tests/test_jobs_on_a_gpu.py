"""Every job that takes a device, on the simulated GPU: it runs, and writes what the CPU writes."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from lib.tests.simulated_gpu import simulated_gpu
from tests import jobs
from tests.jobs import JOBS, LR
from workflow_scripts.common import device

TABLES = ["margins", "attack", "attack_strong", "bracket", "convergence", "masking"]


@pytest.fixture
def on_both(tmp_path, monkeypatch):
    """A function that calls a job on the CPU, then on the GPU, and reads what it wrote each time."""
    jobs.write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(device, "_free_gpu", lambda: 0)
    before = torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision

    def call(job, read):
        JOBS[job]()
        expected = read()
        with simulated_gpu(), monkeypatch.context() as patch:
            patch.setitem(jobs.OF_NETWORK, "device", "cuda")
            patch.setattr(torch.cuda, "set_device", lambda _: None)
            patch.setattr(torch.cuda, "get_device_name", lambda _: "simulated")
            patch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            JOBS[job]()
        return expected, read()

    yield call
    torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision = before
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("job", TABLES)
def test_a_job_writes_what_it_writes_on_the_cpu(on_both, job):
    expected, found = on_both(job, lambda: pd.read_csv("out.csv"))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4, atol=1e-6)


def test_training_gives_the_same_network_and_says_how_a_gpu_computed(on_both):
    folder = Path(LR).parent

    def read():
        record = json.loads((folder / "run.json").read_text())
        return SimpleNamespace(weights=load_file(LR), curve=pd.read_csv(folder / "curve.csv"), record=record)

    expected, found = on_both("train", read)
    for name, weights in expected.weights.items():
        np.testing.assert_allclose(found.weights[name], weights, rtol=1e-5, atol=1e-6)
    pd.testing.assert_frame_equal(found.curve, expected.curve, rtol=1e-4)
    assert found.record["device"] == "simulated" and found.record["float32_convolutions"] == "ieee"
    assert found.record["deterministic_algorithms"] is True and "float32_products" not in expected.record
