"""A margins job that is cut off goes on after its last part, to the same bits."""

import os
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lib.models import build
from tests.jobs import JOBS, MLP, POINTS, write_inputs
from workflow_scripts import convergence, margins
from workflow_scripts.common import parts
from workflow_scripts.common.checkpoints import save
from workflow_scripts.common.runner import arguments


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def unfinished():
    return sorted(path.name for path in Path().glob("*unfinished*"))


def cut_off(monkeypatch, script, job, after, **settings):
    """Run a job that ends without warning in the part after `after` ones."""
    estimated, calls = script.estimated, []

    def dying(*arguments):
        calls.append(arguments)
        if len(calls) > after:
            raise KeyboardInterrupt
        return estimated(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(script, "estimated", dying)
        patch.setattr(parts, "SECONDS", 0)  # every point is a part; the other calls have other parts
        JOBS[job](**settings)


@pytest.mark.parametrize("split", ["train", "test"])
def test_margins_go_on_to_the_same_bits(folder, monkeypatch, capsys, split):
    JOBS["margins"](samples=100, drawn=30)
    os.replace("out.csv", "whole.csv")
    before = {"train": 0, "test": len(np.load(POINTS)["y_train"])}[split]
    cut_off(monkeypatch, margins, "margins", before + 2, samples=100, drawn=30)
    assert f"out.{split}.unfinished.npz" in unfinished()
    JOBS["margins"](samples=100, drawn=30)
    assert "of an earlier call" in capsys.readouterr().out
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes() and not unfinished()


def test_convergence_goes_on_to_the_same_bits(folder, monkeypatch, capsys):
    JOBS["convergence"]()
    os.replace("out.csv", "whole.csv")
    cut_off(monkeypatch, convergence, "convergence", 1)
    assert unfinished() == ["out.unfinished.npz"]
    JOBS["convergence"]()
    assert "going on after 1 of 2 points" in capsys.readouterr().out
    assert Path("out.csv").read_bytes() == Path("whole.csv").read_bytes() and not unfinished()


@pytest.mark.parametrize("change", ["samples", "seed", "weights", "points", "code"])
def test_another_job_starts_afresh(folder, monkeypatch, capsys, change):
    Path("code.py").write_text("1")
    cut_off(monkeypatch, margins, "margins", 2, code=["code.py"])
    other = {"samples": {"samples": 3}, "seed": {"margins_seed": 1}}.get(change, {})
    if change == "weights":
        save(MLP, {1: build("mnist", "mlp", seed=1).state_dict()}, {})
    if change == "points":
        arrays = dict(np.load(POINTS))
        np.savez(POINTS, **arrays | {"x_train": 255 - arrays["x_train"]})
    if change == "code":
        Path("code.py").write_text("2")
    JOBS["margins"](code=["code.py"], **other)
    assert "belongs to another job" in capsys.readouterr().err
    found = pd.read_csv("out.csv")
    os.remove("out.csv")
    JOBS["margins"](code=["code.py"], **other)
    pd.testing.assert_frame_equal(found, pd.read_csv("out.csv"), check_exact=True)


def test_a_damaged_file_is_not_gone_on_with(folder, monkeypatch, capsys):
    Path("out.train.unfinished.npz").write_bytes(b"half a file")
    JOBS["margins"]()
    assert "out.train.unfinished.npz is not an npz file, or is cut short: starting afresh" in capsys.readouterr().err
    assert Path("out.csv").is_file() and not unfinished()


@pytest.mark.parametrize("script", [margins, convergence])
def test_a_job_gets_the_files_of_its_code_from_its_rule(script):
    rule = SimpleNamespace(rule="margins", config={"device": "cpu"}, output={"table": "t"})
    rule.input = {"checkpoints": "c", "points": "p", "code": ["lib/margins.py"]}
    rule.wildcards = {"dataset": "mnist", "model": "mlp", "method": "std", "seed": "0", "epoch": "1"}
    others = signature(script.main).parameters.keys() - {*rule.input, *rule.output, *rule.wildcards, "run", "device"}
    rule.params = {name: {name: 1} for name in others} | {"code": {"code": "digest"}}
    assert arguments(script.main, rule)["code"] == ["lib/margins.py"]
