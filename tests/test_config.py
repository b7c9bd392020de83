"""The config of the paper's scale says what the paper says."""

import re
import tomllib

import yaml
from jsonschema import Draft202012Validator

from tests.workflow import ROOT

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
SCHEMA = yaml.safe_load((ROOT / "config.schema.yaml").read_text())


def test_schema_is_one_and_accepts_the_config():
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(CONFIG)


def test_values_of_the_paper():
    assert CONFIG["training"] == {
        "learning_rate": 0.01,
        "momentum": 0.9,
        "batch_size": {"lr": 128, "mlp": 128, "cnn": 128},
        "epochs": {"lr": 1000, "mlp": 200, "cnn": 200},
    }
    assert (CONFIG["objective"]["lambda"], CONFIG["objective"]["beta"]) == (0.1, 1e-3)
    assert CONFIG["objective"]["tau"] == {
        "mnist": {"lr": 5, "mlp": 5, "cnn": 10},
        "cifar10": {"lr": 5, "mlp": 10, "cnn": 10},
    }
    assert (CONFIG["margins"]["radius"], CONFIG["margins"]["samples"]) == (5.0, 1024 * 50)
    assert CONFIG["checkpoints"]["mlp"] == CONFIG["checkpoints"]["cnn"] == [1, 10, 20, 30, 40, 50, 80, 120, 160, 200]
    assert (CONFIG["attack"]["step"], CONFIG["attack"]["iterations"]) == (0.01, 1000)
    assert CONFIG["attack"]["eps"] == {"mnist": [0.5, 1.0, 1.5, 2.0], "cifar10": [0.1, 0.2, 0.3, 0.4]}


def test_pins_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    direct = {re.sub(r"\[\w+\]", "", pin) for pin in project["dependencies"] + extras["workflow"] + extras["dev"]}
    locked = {line.lower() for line in (ROOT / "envs" / "requirements.txt").read_text().splitlines() if "==" in line}
    assert direct <= locked, f"pyproject.toml and envs/requirements.txt differ: {sorted(direct - locked)}"
    conda = yaml.safe_load((ROOT / "envs" / "main.yaml").read_text())["dependencies"][-1]["pip"]
    assert set(conda) <= direct
