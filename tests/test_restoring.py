"""Released results go back where the jobs left them, or nothing is written and one line says why."""

import gzip
import json
import shutil

import pandas as pd
import pytest

from rules.restored import other_settings
from tests.workflow import ROOT
from workflow_scripts.common import restoring
from workflow_scripts.common.checkpoints import epochs_kept, load_state, save
from workflow_scripts.common.files import write_json
from workflow_scripts.common.records import read_datasets

COMMITTED = ROOT / "reference_results"
STD = "train/mnist/mlp/std/seed0"


@pytest.fixture
def part(tmp_path):
    """A copy of a committed part with three networks, so that it can be broken."""
    folder = tmp_path / "part"
    folder.mkdir()
    about = json.loads((COMMITTED / "mnist/run.json").read_text())
    about["runs"] = [run for run in about["runs"] if run["dataset"] == "mnist" and run["model"] == "mlp"]
    about["settings"]["runs"] = {"mnist": {"mlp": ["std", "lcr", "amr"]}}
    (folder / "run.json").write_text(json.dumps(about))
    for name in ("curves.csv", "attacks.csv.gz", "masking.csv"):
        table = pd.read_csv(COMMITTED / "mnist" / name)
        table[table["model"] == "mlp"].to_csv(folder / name, index=False)
    (folder / "weights").mkdir()
    shutil.copy(COMMITTED / "mnist/weights/mnist-mlp-std-seed0.safetensors", folder / "weights")
    return folder


def restore(folder, to):
    restoring.main([str(folder), "--results", f"{to}/results", "--logs", f"{to}/logs"])
    return to / "results"


def change(path, **keys):
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def test_a_restored_network_keeps_the_commit_at_which_it_was_measured(tmp_path):
    results = restore(COMMITTED / "mnist", tmp_path)
    about = json.loads((COMMITTED / "mnist/run.json").read_text())
    for run in about["runs"]:
        record = json.loads((results / f"train/{restoring.run_of(run)}/run.json").read_text())
        assert record["measured"] == run.get("measured", about["commit"])
    assert {run.get("measured") for run in about["runs"]} > {None}  # some were restored before, some were not
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


def another_attack(results):
    change(results / "restored.json", attack={})


@pytest.mark.parametrize(
    "changed, line",
    [
        (other_images, "data/mnist.json is of other images than"),
        (other_training, "run.json is of another training"),
        (another_attack, "restored.json has another attack than"),
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
        (no_list, "run.json: it is not as a run writes it"),
        (not_json, "run.json is not JSON, or is cut short"),
        (outside, "run.json: $.runs[0].method is not as a run writes it"),
        (seed_with_a_point, "run.json: $.runs[0].seed is not as a run writes it"),
        (long_seconds, "run.json: $.runs[0].seconds is not as a run writes it"),
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
    (results / "restored.json").unlink()  # as an earlier version left them
    assert other_settings(config | {"strong": {"iterations": 3}}).startswith(
        f"{results}/settings.json: strong.iterations"
    )


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


def test_a_setting_that_bears_on_nothing_there_is_free(part, tmp_path):
    about = json.loads((part / "run.json").read_text())
    change(part / "run.json", runs=[run for run in about["runs"] if run["method"] == "amr"])
    for path in [*part.glob("*.csv"), *part.glob("*.csv.gz")]:
        table = pd.read_csv(path)
        table[table["method"] == "amr"].to_csv(path, index=False)
    (part / "masking.csv").unlink()
    config = json.loads((restore(part, tmp_path) / "settings.json").read_text())
    config["masking"] = {"points": 7, "floors": [0], "factors": [2]}  # of std
    config["training"]["dropout"] = 0.5  # of the CNN
    assert other_settings(config) is None
    config["objective"]["lambda"] = 1
    assert "objective.lambda was 0.1 for" in other_settings(config)


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
    (tmp_path / "settings.json").write_text(content)
    said = other_settings({"pathvars": {"results": str(tmp_path)}})
    assert said.startswith(f"{tmp_path}/settings.json") and "put the released results back once more" in said
    assert "is not JSON" in said or "is not as a run writes it" in said
