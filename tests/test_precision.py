"""The precision of the orthogonality term reaches what trains, what tells of it, and nobody else."""

import copy

import pandas as pd
import pytest
import torch
import yaml

from report.settings import objective_of
from rules.config_errors import first_mistake
from tests.workflow import ROOT
from workflow_scripts.common import device
from workflow_scripts.reference import orthogonality


@pytest.fixture
def config():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["objective"]["precision"] = {"mnist": "float32", "cifar10": "float32"}
    config["objective"]["precision"]["cifar10"] = {"lr": "float32", "mlp": "bfloat16", "cnn": "float32"}
    return config


def test_it_may_differ_by_network_and_is_checked(config):
    assert first_mistake(config | {"runs": {"mnist": {"mlp": ["std"]}, "cifar10": {"mlp": ["amr"]}}}) is None
    for wrong, told in (("float16", " is 'float16'; "), ({"mlp": "float16"}, ".mlp is 'float16'; ")):
        other = copy.deepcopy(config)
        other["objective"]["precision"] = wrong
        line = f"Config: objective.precision{told}did you mean bfloat16? Else choose one of float32, bfloat16."
        assert first_mistake(other).startswith(line)


def test_released_tables_tell_it(config):
    assert orthogonality(config, "cifar10", "mlp", "std") == "none"
    assert orthogonality(config, "cifar10", "mlp", "amr") == "penalty in bfloat16"
    assert orthogonality(config, "mnist", "mlp", "lcr") == "penalty"
    config["objective"]["layers"] = "linear"
    assert orthogonality(config, "cifar10", "mlp", "lcr") == "penalty of linear layers in bfloat16"


def test_rule_and_benchmarks_train_with_it(config):
    assert objective_of(config, "cifar10", "mlp", "lcr")["precision"] == "bfloat16"
    assert objective_of(config, "cifar10", "mlp", "std")["precision"] == "float32"
    assert objective_of(config, "mnist", "mlp", "lcr")["precision"] == "float32"


def test_the_docs_show_the_networks_by_which_the_rule_was_met():
    table = pd.read_csv(ROOT / "benchmarks/results/precision.csv")
    docs = (ROOT / "docs/training.md").read_text()
    accuracies = ["clean", "0.5", "1.0", "1.5", "2.0"]
    for _, row in table.iterrows():
        cells = [*(f"{row[name]:.1f}" for name in accuracies), f"{row['average_margin']:.4f}"]
        assert f"| {row['method'].upper()}, {row['precision']} | {' | '.join(cells)} |" in docs
    of = table.set_index(["precision", "method"])
    changes = of.loc["bfloat16"] - of.loc["float32"]
    assert (changes[accuracies].abs() <= 1.5).all(axis=None) and (changes["average_margin"].abs() <= 0.01).all()
    averages = of["average_margin"].unstack()
    assert (averages["amr"] > averages["lcr"]).all()


@pytest.mark.parametrize("precision, units", [("bfloat16", False), ("bfloat16", True), ("float32", False)])
def test_a_processor_that_is_slow_at_it_is_told_of(monkeypatch, precision, units):
    told = []
    monkeypatch.setattr(device.job, "tell", told.append)
    monkeypatch.setattr(device.platform, "machine", lambda: "x86_64")
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: units, raising=False)
    device.warn_of_slow_products(precision, torch.device("cpu"))
    assert len(told) == (precision == "bfloat16" and not units)
    assert all("for which this processor has no units: float32 is many times faster" in line for line in told)
