"""What a run says of itself where it is not the paper's: its scale, and settings of the paper's or of ours."""

import pytest
import yaml

from report.departures import CHOICES, PAPER, departures, named, paper, scale
from report.results import TABLES
from report.settings import Network, network, networks
from tests.workflow import ROOT

NETWORKS = [("mnist", "mlp"), ("mnist", "cnn"), ("cifar10", "mlp"), ("cifar10", "cnn")]
EVERY = ("std", "lcr", "amr")
# Keys that are told as the scale, and those that need not be told: chance, place and speed, what is shown of a run.
SCALE = ["training.epochs", "points.train", "points.test", "margins.samples", "margins.drawn", "attack.points"]
SCALE += ["attack.iterations", "strong.iterations", "convergence.drawn", "margins.followed"]
SCALE += [f"checkpoints.{name}" for name in ("mlp", "cnn")]
SILENT = ["points.seed", "margins.seed", "attack.seed", "margins.precision", "checkpoints.lr"]
SILENT += [f"data.{name}" for name in ("source", "root")] + [f"runs.{name}" for name in ("mnist01", "mnist", "cifar10")]


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def test_the_scale_tells_at_how_many_checkpoints_standard_training_is_measured(config):
    config["checkpoints"]["cnn"], config["margins"]["followed"] = [1, 50, 200], {"mlp": ["amr"], "cnn": ["std"]}
    told = scale(networks(config), ["margins"])
    assert told == "Below the paper's scale: measured checkpoints 1 (MLP), 3 (CNN) instead of 10."
    assert scale(networks(config), ["attacks"]) == ""
    config["runs"]["mnist"] = {"mlp": ["lcr", "amr"], "cnn": []}  # the first of them is at the last checkpoint alone
    assert network(config, "mnist", "mlp").measured == 1 and network(config, "mnist", "cnn").measured == 3
    assert network(config, "mnist", "lr").measured is None  # at every epoch


def test_the_scale_names_the_networks_for_which_it_holds():
    whole = {name: paper(name[1]) for name in NETWORKS}
    assert scale(whole, ["curves", "margins", "attacks", "strong"]) == ""
    less = whole | {("mnist", "cnn"): whole["mnist", "cnn"]._replace(samples=256, images=200)}
    text = "Below the paper's scale: samples 256 (MNIST CNN) instead of 51,200."
    assert scale(less, ["margins"]) == text and scale(less, ["curves"]) == ""
    assert "attacked images 200 (MNIST CNN) instead of 10,000" in scale(less, ["attacks"])
    cnn = {name: network._replace(epochs=8) if name[1] == "cnn" else network for name, network in whole.items()}
    assert scale(cnn, ["curves"]) == "Below the paper's scale: epochs 8 (CNN) instead of 200."
    all_of_them = {name: network._replace(samples=9) for name, network in whole.items()}
    assert scale(all_of_them, ["margins"]) == "Below the paper's scale: samples 9 instead of 51,200."
    few = {name: network._replace(drawn=1024) for name, network in whole.items()}
    assert scale(few, ["margins"]) == "Below the paper's scale: samples extrapolated from 1,024 instead of 51,200."
    some = {name: network._replace(drawn=1024 if name == ("mnist", "cnn") else None) for name, network in whole.items()}
    assert "samples extrapolated from 1,024 (MNIST CNN) instead of" in scale(some, ["margins"])
    none_of_it = {("mnist01", "lr"): Network(1000, None, None)}  # all points, exact margins
    assert scale(none_of_it, ["margins"]) == ""
    more = whole | {("mnist", "mlp"): whole["mnist", "mlp"]._replace(samples=102400, drawn=1024, steps=2000)}
    assert scale(more, ["margins"]) == (
        "Below the paper's scale: samples extrapolated from 1,024 (MNIST MLP) instead of 51,200. "
        "Above the paper's scale: samples 102,400 (MNIST MLP) instead of 51,200."
    )
    some = whole | {("mnist", "mlp"): whole["mnist", "mlp"]._replace(images=200)}
    some |= {name: whole[name]._replace(images=None, train=None) for name in NETWORKS[1:]}  # all there are
    assert scale(some, ["attacks"]) == "Below the paper's scale: attacked images 200 (MNIST MLP) instead of 10,000."
    assert scale(more, ["attacks"]) == "Above the paper's scale: PGD steps 2,000 (MNIST MLP) instead of 1,000."


def test_each_key_of_the_config_is_told_or_need_not_be(config):
    keys = [f"{part}.{name}" for part, of in config.items() if isinstance(of, dict) for name in of]
    assert sorted(keys) == sorted([*PAPER, *CHOICES, *SCALE, *SILENT])
    assert {part for part, of in config.items() if not isinstance(of, dict)} == {"seeds", "device", "threads"}


def test_config_yaml_departs_nowhere(config):
    shown = dict.fromkeys([*NETWORKS, ("mnist", "lr"), ("cifar10", "lr")], EVERY) | {("mnist01", "lr"): ["std"]}
    assert departures(config, shown, TABLES) == ""


OTHER = {  # a value that is not that of config.yaml
    "training.learning_rate": 0.1,
    "training.momentum": 0,
    "training.batch_size": {"cnn": 32, "mlp": 128, "lr": 128},
    "objective.lambda": 1,
    "objective.beta": 1,
    "objective.tau": {"mnist": {"lr": 5, "mlp": 5, "cnn": 20}, "cifar10": {"lr": 5, "mlp": 10, "cnn": 10}},
    "margins.radius": 6,
    "attack.eps": {"mnist": [0.5], "cifar10": [0.1, 0.2, 0.3, 0.4]},
    "attack.step": 0.5,
    "points.whole": ["mnist"],
    "training.gradient": "all",
    "training.dropout": 0.5,
    "objective.orthogonality": "retraction",
    "objective.layers": "linear",
    "objective.precision": "bfloat16",
    "attack.loss": "margin",
    "attack.gradient_floor": 0,
    "attack.averaged_over": 128,
    "attack.start": "ball",
    "bracket.steps": {"mnist": 20, "cifar10": 200},
    "masking.points": 50,
    "masking.floors": [0],
    "masking.factors": [1],
    "convergence.points": 5,
}
TOLD = {  # the tables of MNIST's CNN, by std and by amr, under which it stands
    "objective.lambda": ([], TABLES),
    "objective.beta": ([], TABLES),
    "objective.tau": ([], TABLES),
    "objective.orthogonality": ([], TABLES),
    "objective.layers": ([], TABLES),
    "objective.precision": ([], TABLES),
    "points.whole": 2 * (["margins", "margin_summary", "brackets", "convergence"],),
    "margins.radius": 2 * (["margins", "margin_summary", "brackets", "convergence"],),
    "attack.eps": 2 * (["attacks", "strong", "masking"],),
    "attack.step": 2 * (["attacks", "strong", "masking"],),
    "attack.loss": 2 * (["attacks"],),
    "attack.gradient_floor": 2 * (["attacks", "strong"],),
    "attack.averaged_over": 2 * (["attacks", "strong"],),
    "attack.start": 2 * (["attacks", "masking"],),
    "bracket.steps": 2 * (["brackets", "strong"],),
    "masking.points": (["masking"], []),
    "masking.floors": (["masking"], []),
    "masking.factors": (["masking"], []),
    "convergence.points": (["convergence"], []),
}


@pytest.mark.parametrize("key", [*PAPER, *CHOICES])
def test_another_value_is_told_where_it_matters_and_nowhere_else(config, key):
    section, name = key.split(".")
    config[section][name] = OTHER[key]
    for method, tables in zip(("std", "amr"), TOLD.get(key, (TABLES, TABLES)), strict=True):
        told = {table: departures(config, {("mnist", "cnn"): [method]}, [table]) for table in TABLES}
        assert [table for table in TABLES if told[table]] == sorted(tables, key=TABLES.index)
        start = "Not as in the paper: " if key in PAPER else "Not as in config.yaml, where the paper is silent: "
        assert all(told[table].startswith(f"{start}{key} ") and " instead of " in told[table] for table in tables)


def test_departures_name_the_networks_and_tell_the_paper_and_us_apart(config):
    shown = dict.fromkeys([*NETWORKS, ("mnist", "lr")], EVERY)
    config["objective"]["tau"]["mnist"]["cnn"] = 20
    assert departures(config, shown, ["curves"]) == "Not as in the paper: objective.tau 20 (MNIST CNN) instead of 10."
    assert departures(config, {("mnist", "cnn"): ["amr"]}, ["curves"]) == (
        "Not as in the paper: objective.tau 20 instead of 10."
    )
    config["training"]["dropout"], config["attack"]["start"] = 0.5, "ball"
    assert departures(config, {("mnist", "mlp"): EVERY, ("mnist", "cnn"): EVERY}, ["attacks"]) == (
        "Not as in the paper: objective.tau 20 (CNN) instead of 10. Not as in config.yaml, where the paper is silent: "
        "training.dropout 0.5 instead of 0; attack.start ball instead of image."
    )
    assert "attack" not in departures(config, shown, ["margins"])
    assert departures(config, {("mnist", "lr"): ["amr"]}, TABLES) == ""


def test_some_networks_are_named_in_few_words():
    assert named(NETWORKS, NETWORKS) == ""
    assert named(NETWORKS[:2], NETWORKS) == " (MNIST)" and named(NETWORKS[1::2], NETWORKS) == " (CNN)"
    assert named(NETWORKS[1:2], NETWORKS) == " (MNIST CNN)"
    assert named(NETWORKS[:3], NETWORKS) == " (MNIST MLP, MNIST CNN, CIFAR-10 MLP)"
