"""The paper's section 3 on the full MNIST; MINAVG_DATA names a folder with it in torchvision's layout."""

import os

import numpy as np
import pandas as pd
import pytest
import torch

from lib.attacks import breaking_steps
from lib.data.arrays import to_float
from lib.data.sources import load
from lib.margins import linear_margins
from lib.models import build
from lib.svm import hard_margin_svm
from lib.training import train
from tests.workflow import ROOT
from workflow_scripts.common.checkpoints import load_model

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("MINAVG_DATA" not in os.environ, reason="MINAVG_DATA names no folder with the full MNIST"),
]


def digits(name):
    return load(name, source="torchvision", root=os.environ["MINAVG_DATA"])


def margins(model, x, y):
    return linear_margins(model.head.weight.detach(), model.head.bias.detach(), x, y)


def test_minimum_margin_rises_towards_the_svm_and_the_average_falls():
    data = digits("mnist01")
    assert (len(data.x_train), len(data.x_test)) == (5923 + 6742, 980 + 1135)
    x, y = to_float(data.x_train), torch.from_numpy(data.y_train).long()
    weight, bias = hard_margin_svm(data.x_train / 255, data.y_train)
    flat = data.x_train.reshape(len(x), -1) / 255
    svm = np.where(data.y_train == 1, 1, -1) * (flat @ weight + bias) / np.linalg.norm(weight)
    model, found = build("mnist01", "lr"), {}
    for record, _ in train(model, x, y, data.x_test, data.y_test, epochs=300):
        if record.epoch in (1, 10, 30, 100, 300):
            m = margins(model, x, y)
            found[record.epoch] = (m.min().item(), m.mean().item())
    minimum, average = (np.array([pair[i] for pair in found.values()]) for i in (0, 1))
    assert (np.diff(minimum) > 0).all() and minimum[-1] < svm.min()
    assert (np.diff(average) < 0).all() and average[-1] > svm.mean()
    assert svm.min() == pytest.approx(0.4245, abs=1e-3)


def test_logistic_regression_on_all_digits():
    data = digits("mnist")
    assert data.provenance["title"] == "MNIST" and len(data.x_train) == 60000
    records = [r for r, _ in train(build("mnist", "lr"), *data[:4], epochs=3)]
    assert records[-1].test_error < 9.0


@pytest.mark.parametrize("method", ["std", "lcr", "amr"])
def test_the_committed_weights_repeat_the_committed_attack(method):
    folder, data = ROOT / "reference_results/mnist", digits("mnist")
    model = load_model(folder / f"weights/mnist-mlp-{method}-seed0.safetensors", "mnist", "mlp", 200)
    attacks = pd.read_csv(folder / "attacks.csv.gz").query("model == 'mlp' and method == @method and eps in (0, 1)")
    broken_at = attacks.pivot(index="index", columns="eps", values="broken_at").head(50)
    x, y = to_float(data.x_test[broken_at.index]), torch.from_numpy(data.y_test[broken_at.index]).long()
    found = breaking_steps(model, x, y, eps=(0, 1), gradient_floor=1e-7).numpy()
    same = (found < 0) == (broken_at.to_numpy() < 0)
    assert same[:, 0].all() and same[:, 1].mean() >= 0.96  # the last bits of another processor may decide one
