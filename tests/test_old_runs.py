"""What earlier versions trained stays readable, and an unfinished training of theirs goes on: hours lie in them.

tests/old_run was made at commit 5f11356: logistic regression on the embedded digits 0 and 1, two epochs.
"""

import json

import pandas as pd
import torch

from report.results import COLUMNS, Run
from tests.workflow import ROOT
from workflow_scripts.common.checkpoints import epochs_kept, load_model
from workflow_scripts.common.combining import combined
from workflow_scripts.common.records import TRAINING, read_json
from workflow_scripts.data import main as write_data
from workflow_scripts.train import identity_of, main

FOLDER = ROOT / "tests/old_run/mnist01/lr/std/seed0"
SGD = {"learning_rate": 0.01, "momentum": 0.9, "batch_size": 128}


def test_checkpoints_curve_and_record_are_read():
    checkpoints = FOLDER / "checkpoints.safetensors"
    assert epochs_kept(checkpoints) == [1, 2]
    first, second = (load_model(checkpoints, "mnist01", "lr", epoch).head.weight for epoch in (1, 2))
    assert first.shape == (2, 784) and not torch.equal(first, second)
    curve = combined([str(FOLDER / "curve.csv")], "curves")
    assert list(curve) == COLUMNS["curves"] and list(curve["epoch"]) == [1, 2]
    record = read_json(FOLDER / "run.json", TRAINING)
    assert record["seconds"] > 0 and {"device", "torch", "python"} <= set(record)


def test_the_same_training_has_the_same_record_and_nearly_the_same_weights_today(tmp_path):
    write_data(tmp_path / "data.npz", tmp_path / "data.json", "mnist01", source="embedded", root="none")
    outputs = [tmp_path / name for name in ("checkpoints.safetensors", "curve.csv", "run.json")]
    objective = {"lam": 0.0, "beta": 0.0, "tau": None, "orthogonality": "penalty"}
    run, settings = Run("mnist01", "lr", "std", 0), {"epochs": 2, "keep": [1, 2], "sgd": SGD, "dropout": 0}
    main(tmp_path / "data.npz", *outputs, run, objective=objective, **settings, device="cpu")
    old, new = (json.loads((folder / "run.json").read_text()) for folder in (FOLDER, tmp_path))
    machine = {"seconds", "device", "torch", "python", "commit"}
    assert {k: v for k, v in old.items() if k not in machine} == {k: new[k] for k in old if k not in machine}
    models = [load_model(folder / "checkpoints.safetensors", "mnist01", "lr", 2) for folder in (FOLDER, tmp_path)]
    torch.testing.assert_close(*(model.head.weight for model in models), rtol=1e-4, atol=1e-5)
    pd.testing.assert_frame_equal(*(pd.read_csv(folder / "curve.csv") for folder in (FOLDER, tmp_path)), rtol=1e-4)


def test_an_unfinished_training_is_recognised(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.13.0")
    settings = SGD | {"lam": 0.1, "beta": 0.001, "tau": 5, "orthogonality": "penalty", "epochs": 200}
    settings |= {"layers": "all", "precision": "float32", "gradient": "batch", "dropout": 0}  # could not be set then
    identity = identity_of(Run("mnist", "mlp", "amr", 0), settings, "0123", "cpu", keep={1, 200})
    assert identity == "cd36a9d57d2b47d138edaf6eca83f15ff1bf9448a3afb41f0011c4d198d3d969"  # computed at 5f11356
