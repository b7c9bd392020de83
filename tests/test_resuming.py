"""A training job that dies goes on from its last saved epoch, to the same bits."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from report.results import Run
from workflow_scripts import train as script

RUN = {
    "run": Run("mnist", "lr", "amr", 3),
    "objective": {"lam": 0.1, "beta": 1e-3, "tau": 5, "orthogonality": "penalty"},
    "epochs": 4,
    "keep": {1, 2, 4},
    "dropout": 0,
    "sgd": {"learning_rate": 0.01, "momentum": 0.9, "batch_size": 32},
    "device": "cpu",
}


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        f"x_{split}": rng.integers(0, 256, (n, 28, 28, 1), dtype=np.uint8)
        for split, n in (("train", 200), ("test", 50))
    }
    labels = {f"y_{split}": rng.integers(0, 10, n).astype(np.uint8) for split, n in (("train", 200), ("test", 50))}
    path = tmp_path / "data.npz"
    np.savez(path, **{name: (arrays | labels)[name] for name in ("x_train", "y_train", "x_test", "y_test")})
    return path


def outputs(folder):
    return [folder / name for name in ("checkpoints.safetensors", "curve.csv", "run.json")]


def run(data, folder, **changes):
    folder.mkdir(exist_ok=True)
    script.main(data, *outputs(folder), **RUN | changes)


def die_after(monkeypatch, epoch):
    """Let the next run save after every epoch and end without warning in the given one."""

    def train(*arguments, **settings):
        for record, state in original(*arguments, **settings):
            if record.epoch > epoch:
                raise KeyboardInterrupt
            yield record, state

    original = script.train
    monkeypatch.setattr(script, "SAVE_SECONDS", -1)
    monkeypatch.setattr(script, "train", train)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_run_that_died_ends_in_the_same_bits(data, tmp_path, monkeypatch, capsys, epoch):
    run(data, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        die_after(patch, epoch)
        run(data, tmp_path / "parts")
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["unfinished.safetensors"]
    run(data, tmp_path / "parts")
    assert f"going on after epoch {epoch}" in capsys.readouterr().out
    whole, parts = (outputs(tmp_path / name) for name in ("whole", "parts"))
    expected, found = load_file(whole[0]), load_file(parts[0])
    assert set(expected) == set(found) and all(np.array_equal(expected[name], found[name]) for name in expected)
    pd.testing.assert_frame_equal(pd.read_csv(whole[1]), pd.read_csv(parts[1]), check_exact=True)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == sorted(path.name for path in parts)


@pytest.mark.parametrize("what", ["other data", "cut short"])
def test_other_data_or_half_a_state_starts_afresh(data, tmp_path, monkeypatch, capsys, what):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        die_after(patch, 2)
        run(data, tmp_path / "run")
    if what == "other data":
        with np.load(data) as arrays:
            np.savez(data, **dict(arrays) | {"y_test": (arrays["y_test"] + 1) % 10})
    else:
        state = tmp_path / "run" / "unfinished.safetensors"
        state.write_bytes(state.read_bytes()[:-1])
    run(data, tmp_path / "run")
    said = capsys.readouterr().err
    assert ("belongs to another run" if what == "other data" else "cannot be read") in said
    run(data, tmp_path / "whole")
    assert (tmp_path / "run" / "curve.csv").read_bytes() == (tmp_path / "whole" / "curve.csv").read_bytes()


def test_a_run_killed_while_it_saved_leaves_nothing_behind(data, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".unfinished.safetensors.partial").write_bytes(b"half a state")
    run(data, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {path.name for path in outputs(tmp_path / "run")}


def test_another_run_starts_afresh(data, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        die_after(patch, 2)
        run(data, tmp_path / "run")
    run(data, tmp_path / "run", sgd=RUN["sgd"] | {"learning_rate": 0.02})
    said = capsys.readouterr()
    assert "belongs to another run" in said.err and "going on" not in said.out
    assert len(pd.read_csv(tmp_path / "run" / "curve.csv")) == 4


@pytest.mark.parametrize(("keep", "goes_on"), [({2, 4}, True), ({2, 3}, True), ({3, 4}, True), ({1, 2}, False)])
def test_a_run_goes_on_with_other_epochs_to_keep_where_it_has_those_that_it_passed(
    data, tmp_path, monkeypatch, capsys, keep, goes_on
):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        die_after(patch, 2)
        run(data, tmp_path / "run", keep={2, 4})
    run(data, tmp_path / "run", keep=keep)
    said = capsys.readouterr()
    assert ("going on after epoch 2" in said.out) == goes_on
    assert ("no weights of epoch 1: training starts afresh" in said.err) != goes_on
    run(data, tmp_path / "whole", keep=keep)
    expected, found = (load_file(outputs(tmp_path / name)[0]) for name in ("whole", "run"))
    assert set(expected) == set(found) and all(np.array_equal(expected[name], found[name]) for name in expected)


def test_changed_code_starts_afresh_and_what_an_earlier_version_began_goes_on(data, tmp_path, monkeypatch, capsys):
    code = [tmp_path / "training.py"]
    code[0].write_text("loss\n")
    for before, now, goes_on in ((code, code, True), (code, "edited", False), ([], code, True)):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            die_after(patch, 2)
            run(data, tmp_path / "run", code=before)
        if now == "edited":
            code[0].write_text("3 * loss\n")
        capsys.readouterr()
        run(data, tmp_path / "run", code=code)
        said = capsys.readouterr()
        assert ("going on after epoch 2" in said.out) == goes_on
        assert ("(other settings, data, code or version): training starts afresh" in said.err) != goes_on
        assert ("was begun by an earlier version: training goes on" in said.err) == (not before)
