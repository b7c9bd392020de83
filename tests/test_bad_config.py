"""A wrong config is refused in one line, which names the key and says what is wrong and what to do."""

import copy
import re

import pytest
import yaml

from rules.config_errors import first_mistake
from tests.workflow import ROOT, copy_project, snakemake

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
EPOCHS = "list the epochs in ascending order, ending with training.epochs.mlp = 200"
ABSENT = "(absent)"  # a name of its own in the list of tests
CASES = [  # key, value, what the line says behind the key
    ("trainnig", {}, "is not a known key; did you mean training?"),
    ("training.epohcs", {}, "is not a known key; did you mean epochs?"),
    ("training.epochs.mpl", 3, "is not a known key; did you mean mlp?"),
    ("runs.mnits", {"lr": ["std"]}, "is not a known key; did you mean mnist?"),
    ("epochs", {"mlp": 3}, "is not a known key; did you mean training.epochs?"),
    ("attack.radius", 3, "is not a known key; known here are eps, points, step, iterations, loss"),
    ("strong.floor", 0.0, "is not a known key; known here are iterations."),
    ("runs.mnist.resnet", ["std"], "is not a known key; known here are lr, mlp, cnn."),
    ("runs.mnist01.mlp", ["std"], "is not a known key; known here are lr."),
    ("runs.svhn", {}, "is not a known key; known here are mnist01, mnist, cifar10."),
    ("seeds", ABSENT, "is missing; add it as in config.yaml."),
    ("training", ABSENT, "is missing; add it as in config.yaml."),
    ("objective.tau.mnist", ABSENT, "is missing; add it as in config.yaml."),
    ("training", None, "is empty (null); write keys with values."),
    ("runs.mnist.lr", None, "is empty (null); write a list."),
    ("objective.tau", 3, "is 3; write keys with values."),
    ("training.epochs", {"mnist": {"mlp": "3"}}, ".mnist.mlp is '3'; write a whole number, without quotes."),
    ("training.epochs", {"mnist": {"mpl": 3}}, ".mnist.mpl is not a known key; did you mean mlp?"),
    ("training.epochs", {"mlp": {"mlp": 3}}, ".mlp is {'mlp': 3}; write a whole number."),
    ("attack.points", {"mnist": {}}, ".mnist is empty; write at least one value."),
    ("margins.followed", {"mlp": ["sdt"]}, ".mlp[0] is 'sdt'; did you mean std? Else choose one of std, lcr, amr."),
    ("training.epochs", {"lr": 1000, "mlp": 200}, " has no value for cnn on mnist, which runs names; add cnn: ..., "),
    ("margins.samples", {"mnist": 9}, " has no value for mlp on cifar10, which runs names; add mlp: ..., cifar10: ..."),
    ("attack.points", {"mlp": 9}, " has no value for cnn on mnist, which runs names; add cnn: ..., mnist: ... or "),
    ("checkpoints.mnist", {"mlp": [1, 3]}, ".mlp is [1, 3]; list the epochs in ascending order, ending with"),
    ("training.epochs.mlp", "200", "is '200'; write a whole number, without quotes."),
    ("training.epochs.mlp", 200.0, "is 200.0; write a whole number."),
    ("threads", True, "is True; write a whole number."),
    ("attack.points", "all", "is 'all'; write a whole number or null, without quotes."),
    ("attack.gradient_floor", "1e-12", "is '1e-12'; write a finite number, without quotes and with a point: 1.0e-12"),
    ("training.learning_rate", float("nan"), "is nan; write a finite number."),
    ("margins.radius", float("inf"), "is inf; write a finite number."),
    ("pathvars", {"results": 3}, ".results is 3; write a text."),
    ("pathvars", {"results": ""}, ".results is empty; write at least one value."),
    ("pathvars", {"resluts": "x"}, ".resluts is not a known key; did you mean results?"),
    ("data.source", "torchvison", "is 'torchvison'; did you mean torchvision? Else choose one of auto, torchvision"),
    ("device", "tpu", "is 'tpu'; did you mean cpu? Else choose one of auto, cpu, cuda."),
    ("objective.orthogonality", "project", "is 'project'; choose one of penalty, retraction."),
    ("runs.mnist.lr", ["std", "sdt"], "[1] is 'sdt'; did you mean std? Else choose one of std, lcr, amr."),
    (
        "points.whole",
        ["cifar100"],
        "[0] is 'cifar100'; did you mean cifar10? Else choose one of mnist01, mnist, cifar10.",
    ),
    ("attack.loss", "hinge", "is 'hinge'; choose one of cross_entropy, margin."),
    ("training.epochs.mlp", 0, "is 0; write at least 1."),
    ("margins.samples", 0, "is 0; write at least 1."),
    ("margins.drawn", {"mlp": 19, "cnn": None}, ".mlp is 19; write at least 20."),
    ("bracket.steps", 0, "is 0; write at least 1."),
    ("points.test", 0, "is 0; write at least 1."),
    ("convergence.points", 0, "is 0; write at least 1."),
    ("attack.gradient_floor", -1e-9, "is -1e-09; write at least 0."),
    ("seeds", [-1], "[0] is -1; write at least 0."),
    ("seeds", [2**64], "[0] is 18446744073709551616; write at most 9223372036854775807."),
    ("attack.eps.mnist", [0.0, 1.0], "[0] is 0.0; write more than 0."),
    ("attack.eps.cifar10", [-0.1], "[0] is -0.1; write more than 0."),
    ("masking.factors", [0], "[0] is 0; write more than 0."),
    ("training.momentum", 1.0, "is 1.0; write less than 1."),
    ("seeds", [], "is empty; write at least one value."),
    ("masking.floors", [], "is empty; write at least one value."),
    ("runs", {}, "is empty; write at least one value."),
    ("data.root", "", "is empty; write at least one value."),
    ("seeds", [1, 1], "is [1, 1]; write each value once."),
    ("checkpoints.mlp", [1, 300], f"is [1, 300]; {EPOCHS}."),
    ("checkpoints.mlp", [1, 100], f"is [1, 100]; {EPOCHS}."),
    ("checkpoints.mlp", [10, 1, 200], f"is [10, 1, 200]; {EPOCHS}."),
    ("attack.eps.mnist", [1.0, 0.5], "is [1.0, 0.5]; list the radii in ascending order."),
    ("runs", {"mnist": {"lr": []}}, "names no method of any model; write at least one, such as mnist: {lr: [std]}."),
    ("convergence.points", 501, "is 501, more than points.test = 500, of which they are taken; lower it."),
]


def changed(path, value):
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    place = config
    for name in parents:
        place = place[name]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return config


@pytest.mark.parametrize(("key", "value", "expected"), CASES, ids=[f"{key}-{value}" for key, value, _ in CASES])
def test_one_line_says_what_is_wrong(key, value, expected):
    line = first_mistake(changed(key, value))
    assert "\n" not in line and line.startswith("Config: ") and line.endswith("config.schema.yaml explains each key.")
    assert line.startswith(f"Config: {key}{' ' if expected[0].isalpha() else ''}{expected}")


def test_right_configs_have_no_mistake():
    assert first_mistake(CONFIG) is None
    assert first_mistake(changed("attack.points", 200)) is None
    assert first_mistake(changed("pathvars", {"results": "elsewhere"})) is None


def test_a_misspelt_key_is_named_before_what_it_leaves_out():
    config = changed("training.epohcs", CONFIG["training"]["epochs"])
    del config["training"]["epochs"], config["seeds"]
    assert "training.epohcs is not a known key; did you mean epochs?" in first_mistake(config)


def test_masked_points_are_among_the_attacked():
    expected = "masking.points is 200, more than attack.points = 199, of which they are taken; lower it."
    assert expected in first_mistake(changed("attack.points", 199))
    expected = "masking.points is 200, more than attack.points.mnist.cnn = 99, of which they are taken; lower it."
    assert expected in first_mistake(changed("attack.points", {"mnist": {"mlp": 1000, "cnn": 99}, "cifar10": 500}))


def test_values_by_network_are_right_where_each_network_has_one():
    for value in (
        7,
        {"mlp": 7, "cnn": 8},
        {"mnist": 7, "cifar10": {"mlp": 1, "cnn": 2}},
        {"mnist": 7, "mlp": 8, "cnn": 9},
    ):
        assert first_mistake(changed("bracket.steps", value)) is None
    only = changed("runs", {"mnist": {"lr": ["std"]}})
    assert first_mistake(only | {"bracket": {"steps": {"cifar10": 3}}}) is None  # a linear model has no bracket
    assert first_mistake(changed("only", only["runs"]) | {"bracket": {"steps": {"cifar10": 3}}}) is None


def test_long_values_are_cut():
    assert len(first_mistake(changed("threads", list(range(1000))))) < 200


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("training: {epohcs: 3}", "training.epohcs is not a known key; did you mean epochs?"),
        ("checkpoints: {mlp: [1, 300]}", f"checkpoints.mlp is [1, 300]; {EPOCHS}."),
    ],
)
def test_a_run_refuses_in_one_line(tmp_path, change, expected):
    project = copy_project(tmp_path)
    (project / "wrong.yaml").write_text(change)
    said = snakemake(project, "-n", "--configfile", "wrong.yaml", check=False)
    assert re.search(rf"^Config: {re.escape(expected)} config.schema.yaml explains each key.$", said, re.MULTILINE)
    assert "Traceback" not in said and "additionalProperties" not in said and len(said.splitlines()) <= 5


def test_a_demanded_gpu_that_is_missing_is_named_at_the_start(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi to be found
    said = snakemake(copy_project(tmp_path), "-n", "--config", "device=cuda").splitlines()[:5]
    assert any(
        re.match(r"device: cuda is configured, but .* no nvidia-smi: .*; set device to auto or cpu", line)
        for line in said
    )
