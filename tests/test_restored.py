"""A config keeps to the settings of results that were put back, and records are checked when they are read."""

import json
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest

from report.results import TABLES
from rules.restored import are_elsewhere, other_settings, other_training, put_back
from tests.restored import COMMITTED, change, part_in, restore, sealed
from tests.workflow import copy_project, planned, snakemake
from workflow_scripts.common.checkpoints import load_state, save
from workflow_scripts.common.files import write_json
from workflow_scripts.common.records import read_datasets
from workflow_scripts.common.restoring import settings_of


@pytest.fixture
def part(tmp_path):
    return part_in(tmp_path)


@pytest.mark.parametrize(
    "changed, line",
    [
        ({"attack": {"iterations": 10}}, "restored.json: attack.iterations was 1000 for the results there, now"),
        ({"margins": {"radius": 1}}, "restored.json: margins.radius was 5 for the results there"),
        ({"points": {"test": 20}}, "restored.json: points.test was 500 for the results there, now it is 20;"),
        ({"training": {"batch_size": {"mlp": 128, "mnist": {"mlp": 7}}}}, "batch_size.mnist.mlp was 128 for"),
        ({"strong": {"iterations": {"mnist": 3}}}, "strong.iterations.mnist was 1000 for the results there, now it is"),
        ({"masking": {"points": {"mnist": 20, "cnn": 7}}}, "masking.points.mnist was 200 for"),
        ({"strong": {"iterations": 1000}, "bracket": {"steps": {"mlp": 200}}}, None),  # the same, written otherwise
        ({"training": {"momentum": 0}}, "training.momentum was 0.9 for"),
        ({"training": {"batch_size": {"mlp": 128, "mnist": {"cnn": 7}}}}, None),  # of a network that is not there
        ({"seeds": [0, 1], "only": {"mnist": {"cnn": ["lcr"]}}, "margins": {"followed": {}}}, None),
    ],
)
def test_a_config_keeps_to_the_settings_of_what_was_restored(part, tmp_path, changed, line):
    results = restore(part, tmp_path)
    config = json.loads((results / "settings.json").read_text())
    for key, of in changed.items():
        config[key] = config[key] | of if key in config and isinstance(of, dict) else of
    said = other_settings(config)
    assert said is None if line is None else line in said


def test_results_of_a_run_of_ones_own_keep_no_settings(tmp_path):
    assert other_settings({"pathvars": {"results": str(tmp_path)}, "attack": {"iterations": 10}}) is None


def test_the_settings_that_were_left_may_be_edited_and_are_then_refused(part, tmp_path):
    results = restore(part, tmp_path)
    config = json.loads((results / "settings.json").read_text())
    assert other_settings(config) is None
    config["attack"]["step"] = 0.5
    (results / "settings.json").write_text(json.dumps(config))
    assert "restored.json: attack.step was 0.01 for the results there" in other_settings(config)
    (results / "restored.json").unlink()
    assert other_settings(config) is None
    said = other_training(config | {"runs": config["only"]}, mnist)
    assert said.startswith(f"{results}/restored.json is gone, which tells how the results there were measured: put the")


def test_what_is_there_is_known_whatever_became_of_the_config(part, tmp_path):
    results = restore(part, tmp_path)
    change(results / "settings.json", only={"mnist": {"cnn": ["std"]}}, seeds=[0, 1])
    restore(part, tmp_path)  # the seeds are what is run
    (results / "settings.json").unlink()
    restore(COMMITTED / "mnist", tmp_path)
    known, config = (json.loads((results / name).read_text()) for name in ("restored.json", "settings.json"))
    assert known["only"] == config["only"] and known["only"]["mnist"]["mlp"] == ["std", "lcr", "amr"]
    config["only"] = {"mnist": {"cnn": ["std"]}}
    config["objective"]["tau"]["mnist"]["mlp"] = 50
    assert "objective.tau.mnist.mlp was 5 for" in other_settings(config)


def test_parts_from_before_and_after_a_key_came_about_go_together(part, tmp_path):
    about = json.loads((part / "run.json").read_text())
    del about["settings"]["objective"]["precision"]
    change(part / "run.json", settings=about["settings"])
    restore(part, tmp_path)
    for precision, same in (("float32", True), ("bfloat16", False)):
        about["settings"]["objective"]["precision"] = precision
        change(part / "run.json", settings=about["settings"])
        with nullcontext() if same else pytest.raises(ValueError, match=r"another objective\.precision than these"):
            restore(part, tmp_path)


def test_several_seeds_name_a_method_once(part, tmp_path):
    about = json.loads((part / "run.json").read_text())
    records = [run | {"seed": seed} for seed in (0, 1) for run in about["runs"]]
    settings = settings_of(about, records, Namespace(results=tmp_path / "r", logs=tmp_path / "l", networks=False))
    assert {*settings["only"]["mnist"]} == {"mlp"} and sorted(settings["only"]["mnist"]["mlp"]) == ["amr", "lcr", "std"]


def test_a_setting_that_bears_on_nothing_there_is_free(part, tmp_path):
    about = json.loads((part / "run.json").read_text())
    change(part / "run.json", runs=[run for run in about["runs"] if run["method"] == "amr"])
    for path in [*part.glob("*.csv"), *part.glob("*.csv.gz")]:
        table = pd.read_csv(path)
        table[table["method"] == "amr"].to_csv(path, index=False)
    (part / "masking.csv").unlink()
    config = json.loads((restore(sealed(part), tmp_path) / "settings.json").read_text())
    config["masking"] = {"points": 7, "floors": [0], "factors": [2]}  # of std
    config["training"]["dropout"] = 0.5  # of the CNN
    assert other_settings(config) is None
    config["objective"]["lambda"] = 1
    assert "objective.lambda was 0.1 for" in other_settings(config)


def test_networks_alone_may_be_measured_with_other_settings_but_not_trained_with_others(part, tmp_path):
    results = restore(part, tmp_path, "--networks")
    assert [path.name for path in (results / "train/mnist/mlp").iterdir()] == ["std"]  # whose weights are there
    assert {path.name for path in results.iterdir()} == {"data", "train", "settings.json"}
    assert [*put_back(results)] == ["mnist/mlp/std/seed0"]
    config = json.loads((results / "settings.json").read_text())
    assert config["margins"] == {"followed": []} and "attack" not in config  # which would win over one's own
    assert other_training(config | {"runs": config["only"]}, mnist) is None
    for path in (results / "data").iterdir():  # which no longer decide anything
        path.unlink()
    assert other_training(config | {"runs": config["only"], "seeds": [1]}, mnist) is None  # of which there is none


def mnist(_):
    return "MNIST"


@pytest.mark.parametrize("options", [[], ["--networks"]])
@pytest.mark.parametrize(
    "changed, line",
    [
        ({"training": {"momentum": 0}}, "training.momentum was 0.9 in its training, now it is 0; set it back, or run"),
        ({"training": {"epochs": {"mlp": 100}}}, "training.epochs was 200 in its training, now it is 100;"),
        ({"training": {"batch_size": {"mnist": {"mlp": 64}}}}, "training.batch_size was 128 in its training"),
        ({"training": {"gradient": "all"}}, 'training.gradient was "batch" in its training, now it is "all"'),
        ({"training": {"dropout": 0.5}}, None),  # of a CNN
        ({"objective": {"beta": 1}}, None),  # standard training has no such term
        ({"checkpoints": [10, 200]}, None),
    ],
)
def test_a_network_that_was_put_back_is_told_as_it_was_trained(part, tmp_path, changed, line, options):
    results = restore(part, tmp_path, *options)
    config = json.loads((results / "settings.json").read_text())
    config["margins"]["followed"] = []
    config |= {key: config[key] | of if isinstance(of, dict) else of for key, of in changed.items()}
    said = other_training(config | {"runs": {"mnist": {"mlp": ["std"]}}}, mnist)
    if line is None:
        assert said is None
    else:
        assert said.startswith(f"{results}/train/mnist/mlp/std/seed0/run.json: ") and line in said


def test_an_epoch_whose_weights_are_not_released_is_refused_before_it_is_looked_for(part, tmp_path):
    results = restore(part, tmp_path, "--networks")
    config = json.loads((results / "settings.json").read_text())
    config |= {"runs": config["only"], "margins": {"followed": ["std"]}, "checkpoints": [10, 200]}
    assert "epochs [200], margins are wanted of [10, 200]; leave std out of margins.followed" in other_training(
        config, mnist
    )
    (results / "margins/mnist/mlp/std/seed0").mkdir(parents=True)
    (results / "margins/mnist/mlp/std/seed0/epoch10.csv").touch()  # it was put back, too
    assert other_training(config, mnist) is None


def test_a_network_that_was_put_back_is_not_measured_on_other_images(part, tmp_path):
    results = restore(part, tmp_path, "--networks")
    config = json.loads((results / "settings.json").read_text())
    config["runs"] = config["only"]
    assert "it was trained on MNIST, data.source has another; set it back" in other_training(
        config, lambda _: "another"
    )
    (results / "train/mnist/mlp/std/seed0/checkpoints.safetensors").unlink()  # nor trained on them
    assert "it was trained on MNIST" in other_training(config, lambda _: "another")
    change(results / "train/mnist/mlp/std/seed0/run.json", released=5)
    assert "run.json: $.released is not as a run writes it" in other_training(config, mnist)


def test_a_network_that_was_put_back_is_not_trained_anew_whatever_is_younger(tmp_path):
    project = copy_project(tmp_path)
    results = restore(COMMITTED / "mnist", project, "--networks")
    for path in (results / "data/mnist.npz", project / "workflow_scripts/train.py"):
        path.write_text("# younger")
    attacked = [f"{results}/attack/mnist/mlp/{method}/seed0.csv" for method in ("std", "amr")]
    wanted = ["--configfile", f"{results}/settings.json", "--", *attacked]
    assert planned(snakemake(project, "-n", *wanted)) == {"points": 1, "attack": 2}
    refused = snakemake(project, "-n", "--config", "training={momentum: 0.5}", *wanted, check=False)
    assert "mnist/mlp/std/seed0/run.json: training.momentum was 0.9 in its training, now it is 0.5" in refused


def test_results_that_were_put_back_are_not_made_anew_whatever_is_younger(tmp_path):
    project = copy_project(tmp_path)
    results = restore(COMMITTED / "mnist", project)
    for path in (results / "data/mnist.npz", *project.glob("lib/*.py"), *project.glob("workflow_scripts/*.py")):
        path.touch()
    given = ["--configfile", f"{results}/settings.json", "--"]
    wanted = [*given, *(f"{results}/{table}.csv" for table in TABLES)]
    film = {"data": 1, "points": 1, "train": 1, "margins_linear": 1}  # of 0 and 1, in minutes
    assert planned(snakemake(project, "-n", *wanted)) == film | {"combine": len(TABLES)}
    more = planned(snakemake(project, "-n", "--config", "seeds=[0, 1]", *wanted))
    assert more["train"] == 9 + 1 and more["margins_linear"] == 3 + 1  # all of the second seed, and the film's
    assert more["attack"] == more["attack_strong"] == more["bracket"] == 6
    assert more["masking"] == more["convergence"] == 2
    assert planned(snakemake(project, "-n", "--forceall", *wanted)) == film | {"combine": len(TABLES)}


@pytest.mark.parametrize("options", [[], ["--networks"]])
def test_what_was_put_back_stays_though_its_rule_be_asked_for(tmp_path, options):
    project = copy_project(tmp_path)
    folder = restore(COMMITTED / "mnist", project, *options) / "train/mnist/mlp/std/seed0"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    asked = ["--cores", "1", "--configfile", f"{project}/results/settings.json", "-R", "train", "attack", "--"]
    snakemake(project, *asked, f"{folder}/curve.csv", check=False)
    assert before == {path: path.read_bytes() for path in folder.iterdir()}
    (folder / "curve.csv").unlink()
    said = snakemake(project, *asked, f"{folder}/curve.csv", check=False)
    assert (
        f"{folder}/curve.csv is gone, which was put back: put the released results back once more, in another" in said
    )
    assert before[folder / "checkpoints.safetensors"] == (folder / "checkpoints.safetensors").read_bytes()


def test_weights_are_released_once(part, tmp_path):
    std = "mnist/mlp/std/seed0"
    assert are_elsewhere(put_back(restore(part, tmp_path / "networks", "--networks"))[std])
    whole = put_back(restore(part, tmp_path / "whole"))
    assert not are_elsewhere(whole[std]) and are_elsewhere(whole["mnist/mlp/amr/seed0"])
    assert not are_elsewhere(None)


RECORD = "train/mnist/mlp/std/seed0/run.json"


@pytest.mark.parametrize(
    "file, options", [("masking/mnist/mlp/std/seed0.csv", []), (RECORD, []), (RECORD, ["--networks"])]
)
def test_a_file_that_is_gone_is_named(part, tmp_path, file, options):
    results = restore(part, tmp_path, *options)
    config = json.loads((results / "settings.json").read_text())
    (results / file).unlink()
    assert f"{file} is gone, which was put back" in other_training(config | {"runs": config["only"]}, mnist)


def test_other_weights_in_the_place_of_a_network_are_replaced(part, tmp_path, monkeypatch):
    path = restore(part, tmp_path, "--networks") / "train/mnist/mlp/std/seed0/checkpoints.safetensors"
    right = path.read_bytes()
    save(path, {200: {name: tensor + 1 for name, tensor in load_state(path, 200).items()}}, {})
    restore(part, tmp_path, "--networks")
    assert path.read_bytes() == right
    path.write_bytes(right[:-50])  # cut short
    monkeypatch.chdir(tmp_path)
    restore(part, Path(), "--networks")  # the same folder, named otherwise
    assert path.read_bytes() == right


def test_networks_alone_and_whole_results_do_not_mix(part, tmp_path):
    restore(part, tmp_path / "networks", "--networks")
    restore(part, tmp_path / "networks", "--networks")
    with pytest.raises(ValueError, match=r"networks alone were put back there, or restored\.json was deleted: choose"):
        restore(part, tmp_path / "networks")
    restore(part, tmp_path / "whole")
    with pytest.raises(ValueError, match="results were put back there: choose another --results"):
        restore(part, tmp_path / "whole", "--networks")
    with pytest.raises(ValueError, match="cifar10-mlp has no weights of networks"):
        restore(COMMITTED / "cifar10-mlp", tmp_path / "none", "--networks")


def test_a_record_that_is_a_folder_is_named(tmp_path):
    (tmp_path / "restored.json").mkdir()
    assert "restored.json cannot be read" in other_settings({"pathvars": {"results": str(tmp_path)}})


@pytest.mark.parametrize(
    "key, value", [("stand_in", "no"), ("sha256", None), ("origin", 5), ("title", []), ("dataset", "mnits")]
)
def test_a_record_of_images_is_checked_before_a_figure_is_drawn(tmp_path, key, value):
    images = json.loads((COMMITTED / "mnist/run.json").read_text())["data"][0]
    write_json(images, tmp_path / "data.json")
    assert read_datasets([tmp_path / "data.json"]) == {"mnist01": images}
    for damaged in (images | {key: value}, {name: of for name, of in images.items() if name != key}):
        write_json(damaged, tmp_path / "data.json")
        with pytest.raises(ValueError, match=r"data\.json: .* is not as a run writes it: .*; delete it and run again"):
            read_datasets([tmp_path / "data.json"])


@pytest.mark.parametrize(
    "content", ['{"attack": {"iter', "[]", "null", "5", "{}", '{"only": 5}', '{"only": {}}', 10**5 * "["]
)
def test_settings_that_are_not_as_restoring_left_them_are_named(tmp_path, content):
    (tmp_path / "restored.json").write_text(content)
    said = other_settings({"pathvars": {"results": str(tmp_path)}})
    assert said.startswith(f"{tmp_path}/restored.json") and "put the released results back once more" in said
    assert "is not JSON" in said or "is not as a run writes it" in said
