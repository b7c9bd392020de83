import pytest
import torch

from lib.models import build
from workflow_scripts.common.resume import fingerprint, load, save

KEY = fingerprint(dataset="mnist", epochs=3)
RECORDS = [{"epoch": 1, "train_loss": 0.5}]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "resume.safetensors"
    weights = build("mnist", "lr").state_dict()
    kept = {1: {name: tensor.clone() for name, tensor in weights.items()}}
    save(path, {"epoch": torch.tensor(1), **weights}, kept, RECORDS, KEY)
    return path, weights


def test_what_was_saved_comes_back(saved):
    path, weights = saved
    state, kept, records = load(path, [KEY])
    assert int(state["epoch"]) == 1 and records == RECORDS and list(kept) == [1]
    assert all(torch.equal(kept[1][name], weights[name]) for name in weights)


def test_nothing_saved_is_a_fresh_start(tmp_path, capsys):
    assert load(tmp_path / "none.safetensors", [KEY]) == (None, {}, [])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("damage", ["another run", "cut short", "no safetensors", "empty"])
def test_foreign_and_damaged_files_are_ignored_in_one_line(saved, capsys, damage):
    path, key = saved[0], KEY
    content = path.read_bytes()
    if damage == "another run":
        key = fingerprint(dataset="mnist", epochs=4)
    else:
        path.write_bytes(
            {"cut short": content[: len(content) // 2], "no safetensors": b"pickle" * 9, "empty": b""}[damage]
        )
    assert load(path, [key]) == (None, {}, [])
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "training starts afresh" in said and path.name in said


def test_fingerprints_tell_runs_apart():
    assert fingerprint(a=1, b={"x": 2}) == fingerprint(b={"x": 2}, a=1) != fingerprint(a=1, b={"x": 3})
