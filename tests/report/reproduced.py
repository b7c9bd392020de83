"""Made-up tables of a whole reproduction: `tidy`'s, and what only the verdicts and the page read."""

import numpy as np
import pandas as pd
import yaml

from report.settings import networks
from report.verdicts import judge
from tests.report.tidy import QUICK, tidy_tables
from tests.workflow import ROOT

SETTINGS = yaml.safe_load((ROOT / "config.yaml").read_text())
SETTINGS["attack"]["gradient_floor"] = 0.0
RUN = ["dataset", "model", "method", "seed"]


def reproduced(*, official=True, **shape):
    """Return all tables and context: at the paper's scale with official data, or small with a stand-in for CIFAR-10."""
    tables = tidy_tables(**({} if official else {"checkpoints": QUICK}) | shape)
    context = tables.pop("context")
    if official:
        context = context._replace(differences="")
    titles = {"mnist01": "MNIST 0/1", "mnist": "MNIST", "cifar10": "CIFAR-10"}
    points = int(tables["margin_summary"]["points"].max())
    for name, data in context.datasets.items():
        data |= {
            "source": "torchvision" if official else "embedded",
            "sha256": "0123456789abcdef" * 4,
            "train": points,
            "test": points,
        }
        data |= {"title": titles[name], "stand_in": False, "origin": "official files"} if official else {}
    tables["attacks"]["broken_at"] = np.where(tables["attacks"]["held"] == 1, -1, 40)
    tables["strong"] = tables["attacks"].drop(columns="broken_at").assign(gradient=1.0)
    tables["brackets"] = brackets(tables["margins"])
    tables["convergence"] = convergence(tables["margins"])
    settings = SETTINGS if official else small(tables)
    return tables, context._replace(settings=settings, networks=networks(settings))


def small(tables):
    points = int(tables["margin_summary"]["points"].max())
    return SETTINGS | {
        "training": SETTINGS["training"] | {"epochs": {"lr": 100, "mlp": 16, "cnn": 16}},
        "points": {"train": points, "test": points, "seed": 0, "whole": []},
        "margins": SETTINGS["margins"] | {"samples": 32},
        "attack": SETTINGS["attack"] | {"points": 40, "iterations": 50, "step": 0.05},
        "strong": {"iterations": 50},
    }


def brackets(margins):
    """Adversarial points found at 1.3 times the estimate, at every tenth point just below it."""
    table = margins[(margins["model"] != "lr")].copy()
    table["margin"] = table["margin"].abs()
    table["distance"] = table["margin"] * np.where(table["index"] % 10 == 0, 0.9, 1.3)
    return table[[*RUN, "epoch", "split", "index", "margin", "distance"]]


def convergence(margins):
    """Estimates that fall by less and less with each doubling of the samples."""
    last = margins[(margins["model"] != "lr") & (margins["method"] == "std") & (margins["split"] == "test")]
    last = last[last["epoch"] == last.groupby(RUN)["epoch"].transform("max")]
    tables = [
        last.assign(samples=n, margin=last["margin"] * (1 + 2 / n), foretold=last["margin"])
        for n in (64, 128, 256, 512)
    ]
    return pd.concat(tables, ignore_index=True)[[*RUN, "index", "samples", "margin", "foretold"]]


def verdict(key, tables, context):
    """Return the Claim `key` with its verdict."""
    return judge(tables, context, [key])[0]
