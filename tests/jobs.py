"""The jobs of a small run on one data set, called in this process, in a folder with all that they read."""

import os

import numpy as np
import pandas as pd

from lib.models import build
from lib.tests.sources import arrays
from report.results import Run
from workflow_scripts import (
    attack,
    attack_strong,
    bracket,
    combine,
    convergence,
    data,
    margins,
    margins_linear,
    masking,
    points,
    svm,
    train,
)
from workflow_scripts.common.checkpoints import save

SOURCE, NPZ, NPZ01 = "data/mnist.npz", "results/data/mnist.npz", "results/data/mnist01.npz"
POINTS, POINTS01 = "results/points/mnist/mlp/margins.npz", "results/points/mnist01/lr/margins.npz"
LR, MLP = (f"results/train/mnist/{model}/std/seed0/checkpoints.safetensors" for model in ("lr", "mlp"))
CURVE = "results/train/mnist/lr/std/seed0/curve.csv"
EPOCH, BRACKET = "results/margins/mnist/mlp/std/seed0/epoch1.csv", "results/bracket/mnist/mlp/std/seed0.csv"
RUN = Run("mnist", "mlp", "std", 0)
PGD = {"step": 0.5, "iterations": 1}
WHOLE_PGD = PGD | {
    "loss": "cross_entropy",
    "gradient_floor": 0.0,
    "averaged_over": 1,
    "start": "image",
    "attack_seed": 0,
}
OBJECTIVE = {
    **{"lam": 0.0, "beta": 0.0, "tau": None},
    **{"orthogonality": "penalty", "layers": "all", "precision": "float32"},
}
SGD = {"learning_rate": 0.01, "momentum": 0.9, "batch_size": 20, "gradient": "batch"}
NETWORK = (MLP, POINTS, "out.csv")
OF_NETWORK = {"run": RUN, "epoch": 1, "device": "cpu"}
ESTIMATE = {"radius": 1.0, "samples": 2, "drawn": None, "precision": "auto", "margins_seed": 0}


def prepare_data(source="npz", dataset="mnist"):
    data.main("out.npz", "out.json", dataset, source=source, root="data")


def train_lr(**sgd):
    folder = os.path.dirname(LR)
    outputs = [f"{folder}/{name}" for name in ("checkpoints.safetensors", "curve.csv", "run.json")]
    settings = {"objective": OBJECTIVE, "epochs": 1, "keep": {1}, "dropout": 0, "device": OF_NETWORK["device"]}
    train.main(NPZ, *outputs, RUN._replace(model="lr"), sgd=SGD | sgd, **settings)


JOBS = {
    "data": prepare_data,
    "points": lambda use="margins", **counts: points.main(
        NPZ, "a.npz", use, wanted={"train": 5, "test": 5} | counts, points_seed=0
    ),
    "train": train_lr,
    "svm": lambda: svm.main(NPZ01, POINTS01, "out.csv"),
    "margins_linear": lambda: margins_linear.main(LR, POINTS, "points.csv", "out.csv", "mnist", epochs=[1]),
    "margins": lambda **other: margins.main(*NETWORK, **OF_NETWORK | ESTIMATE | other),
    "attack": lambda: attack.main(*NETWORK, **OF_NETWORK, **WHOLE_PGD, eps=[0.5]),
    "attack_strong": lambda: attack_strong.main(*NETWORK, **OF_NETWORK, **PGD, eps=[0.5], distance_steps=1),
    "bracket": lambda: bracket.main(*NETWORK, RUN, epochs=[1], steps=1, device=OF_NETWORK["device"]),
    "convergence": lambda: convergence.main(*NETWORK, **OF_NETWORK, **ESTIMATE | {"drawn": 20}, subset=2),
    "masking": lambda: masking.main(
        *NETWORK, **OF_NETWORK, **PGD, eps=0.5, start="image", attack_seed=0, subset=2, factors=[1], floors=[0.0]
    ),
    "combine": lambda: combine.main([CURVE], "out.csv", "curves"),
    "combine_brackets": lambda: combine.main([EPOCH, BRACKET], "out.csv", "brackets"),
}


def write_inputs(folder):
    """Write below `folder` what the jobs read."""
    made = arrays((28, 28, 1))
    kept = {key: values[np.argsort(made["y" + key[1:]])[:4]] for key, values in made.items()}  # labels 0, 0, 1, 1
    for path, content in (
        (SOURCE, made),
        (NPZ, made),
        (NPZ01, kept),
        (POINTS, numbered(made)),
        (POINTS01, numbered(kept)),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        np.savez(folder / path, **content)
    for path, model in ((LR, "lr"), (MLP, "mlp")):
        save(folder / path, {1: build("mnist", model).state_dict()}, {})
    curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.5, 0.25]})
    points = pd.DataFrame({"split": "test", "index": [3, 8], "margin": [0.5, -0.25], "distance": [0.75, 0.5]})
    write_table(folder / CURVE, curve)
    write_table(folder / EPOCH, points.drop(columns="distance"))
    write_table(folder / BRACKET, points.drop(columns="margin").assign(epoch=1))


def numbered(made):
    return made | {f"index_{split}": np.arange(len(made[f"y_{split}"])) for split in ("train", "test")}


def write_table(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
