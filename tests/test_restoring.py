"""Released results go back where the jobs left them, or nothing is written and one line says why."""

import gzip
import json
import shutil

import pandas as pd
import pytest

from tests.restored import COMMITTED, change, part_in, restore, sealed
from workflow_scripts.common import restoring
from workflow_scripts.common.checkpoints import epochs_kept, load_state, save
from workflow_scripts.common.combining import combined

STD = "train/mnist/mlp/std/seed0"


@pytest.fixture
def part(tmp_path):
    return part_in(tmp_path)


def test_a_restored_network_keeps_the_commit_at_which_it_was_measured(tmp_path):
    part = part_in(tmp_path)
    about = json.loads((part / "run.json").read_text())
    del about["runs"][0]["measured"]  # as of a part whose results were not put back before it was gathered
    change(part / "run.json", runs=about["runs"])
    for folder in (part, COMMITTED / "mnist"):
        results = restore(folder, tmp_path / folder.name)
        about = json.loads((folder / "run.json").read_text())
        for run in about["runs"]:
            record = json.loads((results / f"train/{restoring.run_in(run)}/run.json").read_text())
            assert record["measured"] == run.get("measured", about["commit"])
    assert not [*results.glob("train/*/lr/**/checkpoints.safetensors")]  # their film wants every epoch, not the last


def test_a_part_of_an_earlier_version_is_not_restored(tmp_path):
    with pytest.raises(ValueError, match="is of an earlier version of this project: run that part again"):
        restore(COMMITTED / "cifar10-cnn-short", tmp_path)
    assert not [*tmp_path.iterdir()]


def test_restoring_twice_changes_nothing_and_a_second_part_joins_the_first(part, tmp_path):
    results = restore(part, tmp_path)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    restore(part, tmp_path)
    assert first == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    restore(COMMITTED / "mnist", tmp_path)
    only = json.loads((results / "settings.json").read_text())["only"]
    assert only["mnist01"] == {"lr": ["std"]} and only["mnist"]["mlp"] == ["std", "lcr", "amr"]


def test_seconds_go_to_the_runs_that_have_results_of_the_step(part, tmp_path):
    restore(part, tmp_path)
    found = {path.relative_to(tmp_path / "logs").parts[0::3] for path in tmp_path.rglob("restored.tsv")}
    assert {step for step, _ in found} == {"attack", "masking"}
    assert [method for step, method in found if step == "masking"] == ["std"]


def other_images(results):
    change(results / "data/mnist.json", sha256="0")


def broken_settings(results):
    (results / "settings.json").write_text("{")


def another_record(results):
    (results / "data/mnist.json").write_text("[]")


def another_list(results):
    (results / "settings.json").write_text("[]")


def other_training(results):
    change(results / STD / "run.json", seconds=1.0)


def a_training_cut_off(results):
    (results / STD / "unfinished.safetensors").touch()


def no_folders(results):
    change(results / "settings.json", pathvars=None)


def another_attack(results):
    settings = json.loads((results / "restored.json").read_text())
    change(results / "restored.json", attack=settings["attack"] | {"step": 0.5})


@pytest.mark.parametrize(
    "changed, line",
    [
        (other_images, "data/mnist.json is of other images than"),
        (other_training, "run.json is of another training"),
        (a_training_cut_off, "seed0/unfinished.safetensors is of a training that was cut off: choose another"),
        (no_folders, "settings.json: $.pathvars is not as a run writes it"),
        (another_attack, "restored.json has another attack.step than these results, 0.5 there and 0.01 here"),
        (broken_settings, "settings.json is not JSON, or is cut short"),
        (another_record, "data/mnist.json: it is not as a run writes it"),
        (another_list, "settings.json: it is not as a run writes it"),
    ],
)
def test_nothing_is_written_over_other_results(part, tmp_path, changed, line):
    results = restore(part, tmp_path)
    changed(results)
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    with pytest.raises(ValueError) as caught:
        restore(part, tmp_path)
    assert line in str(caught.value) and "choose another --results" in str(caught.value)
    assert before == {path: path.stat().st_mtime_ns for path in results.rglob("*")}


def test_weights_of_more_epochs_stay(part, tmp_path):
    path = restore(part, tmp_path) / STD / "checkpoints.safetensors"
    last = load_state(path, 200)
    save(path, {1: {name: tensor.clone() for name, tensor in last.items()}, 200: last}, {})
    restore(part, tmp_path)
    assert epochs_kept(path) == [1, 200]


def short_curves(part):
    lines = (part / "curves.csv").read_text().splitlines(keepends=True)
    (part / "curves.csv").write_text("".join(lines[:-10]))


def conflict(part):
    with open(part / "curves.csv", "a") as file:
        file.write("<<<<<<< HEAD\n")


def cut(part):
    (part / "attacks.csv.gz").write_bytes((part / "attacks.csv.gz").read_bytes()[:-50])


def twice(part):
    (part / "attacks.csv").write_bytes(gzip.decompress((part / "attacks.csv.gz").read_bytes()))


def other_network(part):
    table = pd.read_csv(part / "masking.csv")
    table.assign(method="../../../x").to_csv(part / "masking.csv", index=False)


def no_column(part):
    pd.read_csv(part / "curves.csv").drop(columns="test_error").to_csv(part / "curves.csv", index=False)


def other_weights(part):
    (path,) = (part / "weights").iterdir()
    shutil.copy(COMMITTED / "mnist/weights/mnist-cnn-amr-seed0.safetensors", path)
    sealed(part)


def weights_of_another_epoch(part):
    (path,) = (part / "weights").iterdir()
    save(path, {7: load_state(path, 200)}, {})
    sealed(part)


def swapped_weights(part):
    (path,) = (part / "weights").iterdir()
    shutil.copy(COMMITTED / "mnist/weights/mnist-mlp-amr-seed0.safetensors", path)  # of the same kind


def no_weights(part):
    shutil.rmtree(part / "weights")


def another_digit(part):
    table = pd.read_csv(part / "masking.csv")
    table.assign(robust=table["robust"] + 1).to_csv(part / "masking.csv", index=False)


def a_table_more(part):
    pd.read_csv(COMMITTED / "mnist/strong.csv.gz").query("model == 'mlp'").to_csv(part / "strong.csv", index=False)


def no_list(part):
    (part / "run.json").write_text("[]")


def not_json(part):
    (part / "run.json").write_bytes((part / "run.json").read_bytes()[:100])


def first_run(part, **keys):
    first, *others = json.loads((part / "run.json").read_text())["runs"]
    change(part / "run.json", runs=[first | keys, *others])


def outside(part):
    first_run(part, method="../../../../../outside")


def seed_with_a_point(part):
    first_run(part, seed=0.0)  # a folder seed0.0


def long_seconds(part):
    first_run(part, seconds="long")


def huge_seconds(part):
    first_run(part, seconds=10**400)


def no_images(part):
    first_run(part, dataset="cifar10")


def no_attack(part):
    change(part / "run.json", settings=json.loads((part / "run.json").read_text())["settings"] | {"attack": None})


def outside_logs(part):
    change(part / "run.json", seconds={"../../outside": 1.0})


@pytest.mark.parametrize(
    "breaks, line",
    [
        (short_curves, "curves.csv has 190 of 200 epochs of mnist/mlp/"),
        (conflict, "curves.csv: model is missing, or has no value in some line"),
        (cut, "attacks.csv.gz is not a table, or is cut short"),
        (twice, "are the same table: remove one of them"),
        (other_network, "masking.csv holds other networks than run.json"),
        (no_column, "curves.csv: test_error is missing"),
        (other_weights, "mnist-mlp-std-seed0.safetensors is not a checkpoint of mlp on mnist"),
        (weights_of_another_epoch, "mnist-mlp-std-seed0.safetensors has the weights of epochs [7], not of 200 alone"),
        (swapped_weights, "mnist-mlp-std-seed0.safetensors is not the file that run.json was written for: fetch the"),
        (no_weights, "mnist-mlp-std-seed0.safetensors is missing: fetch the folder again"),
        (another_digit, "masking.csv is not the file that run.json was written for"),
        (a_table_more, "strong.csv is not the file that run.json was written for"),
        (no_list, "run.json: it is not as a run writes it"),
        (not_json, "run.json is not JSON, or is cut short"),
        (outside, "run.json: $.runs[0].method is not as a run writes it"),
        (seed_with_a_point, "run.json: $.runs[0].seed is not as a run writes it"),
        (long_seconds, "run.json: $.runs[0].seconds is not as a run writes it"),
        (huge_seconds, "run.json: $.runs[0].seconds is not as a run writes it"),
        (no_images, "run.json: data does not say which images cifar10 is made of: fetch the folder again"),
        (no_attack, "run.json: $.settings.attack is not as a run writes it"),
        (outside_logs, "run.json: $.seconds is not as a run writes it"),
    ],
)
def test_of_a_damaged_folder_nothing_is_restored(part, tmp_path, breaks, line):
    breaks(part)
    before = {*tmp_path.rglob("*")}
    with pytest.raises(ValueError) as caught:
        restore(part, tmp_path)
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert before == {*tmp_path.rglob("*")}


def test_a_place_that_snakemake_cannot_name_is_refused(part, tmp_path):
    with pytest.raises(ValueError, match="in a path for wildcards"):
        restore(part, tmp_path / "{x}")
    with pytest.raises(ValueError, match="is the project's own folder: name one below it"):
        restoring.main([str(part), "--results", "", "--logs", str(tmp_path)])


def test_fewer_epochs_may_be_wanted_than_distances_were_put_back_of(tmp_path):
    results, run = restore(COMMITTED / "mnist", tmp_path), "mnist/mlp/std/seed0"
    parts = [results / f"bracket/{run}.csv", *(results / f"margins/{run}/epoch{epoch}.csv" for epoch in (1, 200))]
    table = combined(list(map(str, parts)), "brackets")
    assert table.groupby("epoch").size().to_dict() == {1: 1000, 200: 1000}
