"""What holds for one network: the most specific value, and in words what is less than in the paper."""

import pytest
import yaml

from report.settings import Network, departures, located, paper, scale, setting
from tests.workflow import ROOT

NETWORKS = [("mnist", "mlp"), ("mnist", "cnn"), ("cifar10", "mlp"), ("cifar10", "cnn")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, [7, 7, 7, 7]),
        (None, [None] * 4),
        ({"mlp": 1, "cnn": 2}, [1, 2, 1, 2]),
        ({"mnist": 3, "cifar10": 4}, [3, 3, 4, 4]),
        ({"mnist": {"mlp": 1000, "cnn": 200}, "cifar10": 500}, [1000, 200, 500, 500]),
        ({"mlp": 1, "cnn": 2, "mnist": 3, "cifar10": {"cnn": 4}}, [3, 3, 1, 4]),  # levels mixed
        ({"mnist": None, "mlp": 1, "cnn": 2}, [None, None, 1, 2]),
    ],
)
def test_the_most_specific_value_wins(value, expected):
    config = {"attack": {"points": value}}
    assert [setting(config, "attack.points", *name) for name in NETWORKS] == expected


def test_a_network_without_a_value_is_an_error():
    for value in ({"mlp": 1}, {"mnist": 1, "cifar10": {"mlp": 2}}):
        with pytest.raises(LookupError, match=r"attack\.points has no value for cnn on cifar10"):
            setting({"attack": {"points": value}}, "attack.points", "cifar10", "cnn")


def test_a_value_is_found_where_it_stands():
    config = {"threads": {"mnist": {"mlp": 1}, "cifar10": 2, "cnn": 3}}
    places = [located(config, "threads", *name)[0] for name in NETWORKS]
    assert places == ["threads.mnist.mlp", "threads.cnn", "threads.cifar10", "threads.cifar10"]


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


def test_settings_that_are_not_the_papers_are_told_for_the_networks_that_they_matter_to():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    every, tables = [*NETWORKS, ("mnist01", "lr"), ("mnist", "lr")], ["attacks", "margins"]
    assert departures(config, every, tables) == ""  # config.yaml is the paper
    config["objective"]["tau"]["mnist"]["cnn"] = 20
    told = "Set otherwise than by the paper or, where it is silent, by us: "
    assert departures(config, every, tables) == f"{told}objective.tau 20 (MNIST CNN) instead of 10."
    assert departures(config, [("mnist", "cnn")], tables) == f"{told}objective.tau 20 instead of 10."
    config["runs"]["mnist"]["cnn"] = ["std", "lcr"]  # tau is AMR's
    assert departures(config, every, tables) == ""
    config["training"]["dropout"], config["attack"]["start"] = 0.5, "ball"
    text = departures(config, [("mnist", "mlp"), ("mnist", "cnn")], tables)
    assert text == f"{told}training.dropout 0.5 instead of 0; attack.start ball instead of image."
    assert "attack" not in departures(config, every, ["margins"])
    assert departures(config, [("mnist", "lr")], tables) == ""
    config["training"]["batch_size"] = {"lr": 32, "mlp": 128, "cnn": 128}
    assert departures(config, [("mnist", "lr")], ["curves"]) == f"{told}training.batch_size 32 instead of 128."
