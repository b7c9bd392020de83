"""The config of the paper's scale says what the paper says."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from rules.sources import PACKAGES, PLUMBING, sources_of
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
        "gradient": "batch",
        "dropout": 0,
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


def pinned(lines):
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def pins_of_pip():
    lines = (ROOT / "envs" / "requirements.txt").read_text().splitlines()
    return pinned(line for line in lines if not line.startswith("#"))


def test_pins_satisfy_what_the_package_and_the_workflow_ask_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {extra: list(map(Requirement, lines)) for extra, lines in project["optional-dependencies"].items()}
    package = list(map(Requirement, project["dependencies"]))
    pins = pins_of_pip()
    for asked in package + extras["plot"] + extras["workflow"] + extras["dev"]:
        assert asked.specifier and pins[canonicalize_name(asked.name)] in asked.specifier, asked
    assert {bound.operator for asked in package + extras["plot"] for bound in asked.specifier} == {">="}

    conda = pinned(yaml.safe_load((ROOT / "envs" / "main.yaml").read_text())["dependencies"][-1]["pip"])
    assert conda.items() <= pins.items()
    assert conda.keys() == {canonicalize_name(asked.name) for asked in package + extras["workflow"]} - {"snakemake"}


def test_the_environment_of_the_jobs_has_all_that_their_scripts_import():
    conda = pinned(yaml.safe_load((ROOT / "envs" / "main.yaml").read_text())["dependencies"][-1]["pip"])
    scripts = [
        path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("workflow_scripts/*.py"), *ROOT.glob("report/*.py")]
    ]
    files = {source for script in scripts for source in sources_of(ROOT, script)} | PLUMBING
    modules = {name for path in files if path.endswith(".py") for name in imports(ROOT / path)}
    foreign = modules - {*sys.stdlib_module_names, *PACKAGES}
    assert {"numpy", "torch", "sklearn"} <= foreign
    packages = packages_distributions()
    assert {name for name in foreign if not {*map(canonicalize_name, packages[name])} & {*conda}} == set()


def imports(path):
    """The modules that a file imports from elsewhere, without what stands behind their first dot."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (of.name.split(".")[0] for of in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def test_habits_agree_with_the_pins():
    pins = pins_of_pip()
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    found = {repo["repo"].rsplit("/", 1)[1].removesuffix("-pre-commit"): repo["rev"] for repo in hooks}
    assert found == {name: f"v{pins[name]}" for name in ("ruff", "snakefmt")}

    test = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())["jobs"]["test"]
    assert test["steps"][-1] == {"run": "bash .ci/run"} and (ROOT / ".ci" / "run").is_file()
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert all(version in SpecifierSet(oldest) for version in test["strategy"]["matrix"]["python"])

    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["software-stack-deployment"]["conda"] and (ROOT / "envs" / "main.yaml").is_file()


def test_contributing_names_files_that_are_there():
    named = re.findall(r"`([\w./]+/[\w.]*|[\w.]+\.(?:md|yaml))`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists() and Path(name).stem not in ("figN", "name")] == []
