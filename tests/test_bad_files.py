"""Files that are missing, damaged or another one's stop the job that reads them, in one line that names the file."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from lib.models import build
from tests import jobs
from tests.jobs import BRACKET, CURVE, EPOCH, JOBS, LR, MLP, NPZ, NPZ01, POINTS, POINTS01, SOURCE
from tests.workflow import copy_project, snakemake
from workflow_scripts.common.checkpoints import save

AGAIN = "delete it and run again"
RETRAIN = "delete it and train again"
OTHER_POINTS = "epoch,split,index,distance\n1,test,3,0.5\n1,test,9,0.5\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    jobs.write_inputs(folder)
    return folder


@pytest.fixture
def folder(inputs, tmp_path, monkeypatch):
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_text(text):
    return lambda path: path.write_text(text)


def with_array(key, change):
    """Change one array of an npz file; None takes it out."""

    def broken(path):
        with np.load(path) as file:
            arrays = dict(file)
        arrays[key] = change(arrays[key])
        np.savez(path, **{name: values for name, values in arrays.items() if values is not None})

    return broken


def with_weights(epoch, dataset, model):
    return lambda path: save(path, {epoch: build(dataset, model).state_dict()}, {})


def with_nan(images):
    return np.where(images > 250, np.nan, images)


UNREADABLE = "is not an npz file, or is cut short"
NO_TENSORS = f"is not a safetensors file, or is cut short: {RETRAIN}"
OTHERS = f"of mnist: {AGAIN}"
CASES = [  # job, a file that it reads, how it is broken, what the line says behind the file
    ("data", SOURCE, Path.unlink, "does not exist: put x_train, .* there, or choose another source"),
    ("data", SOURCE, cut, f"{UNREADABLE}: write it again with numpy.savez"),
    ("data", SOURCE, with_text("no archive"), f"{UNREADABLE}: write it again with numpy.savez"),
    ("data", SOURCE, with_array("y_test", lambda _: None), "lacks y_test: it must hold x_train, .*; write it again"),
    ("data", SOURCE, with_array("x_test", with_nan), ": x_test has type float64, not uint8: store whole numbers"),
    ("data", SOURCE, with_array("x_train", lambda x: x[:, 1:]), ": x_train has shape .*: the shape must be"),
    ("data", SOURCE, with_array("y_train", lambda y: y + 1), ": y_train .* labels outside 0 to 9: store labels as"),
    ("data", SOURCE, with_array("y_train", lambda y: np.maximum(y, 1)), ": y_train has no label 0: every class must"),
    ("data", SOURCE, with_array("y_test", lambda y: y[1:]), ": y_test has 19 labels for 20 images: store one label"),
    ("points", NPZ, Path.unlink, f"{UNREADABLE}: {AGAIN}"),
    ("train", NPZ, cut, f"{UNREADABLE}: {AGAIN}"),
    ("train", NPZ, with_array("x_test", lambda _: None), f"lacks x_test: it must hold .*; {AGAIN}"),
    ("svm", NPZ01, cut, f"{UNREADABLE}: {AGAIN}"),
    ("svm", NPZ01, with_array("x_train", lambda x: x[[0, 0, 0, 0]]), ": .* not linearly separable .*; choose another"),
    ("svm", NPZ01, with_array("y_train", lambda y: y * 0), ": the SVM needs two classes.*; choose another data.source"),
    ("svm", POINTS01, with_array("y_test", lambda y: y + 2), f"does not hold test points of mnist01: {AGAIN}"),
    ("margins_linear", LR, cut, NO_TENSORS),
    ("margins_linear", LR, with_weights(1, "mnist", "mlp"), f"is not a checkpoint of lr on mnist: {RETRAIN}"),
    ("margins_linear", LR, with_weights("x", "mnist", "lr"), f"holds no checkpoints: {RETRAIN}"),
    ("margins", MLP, cut, NO_TENSORS),
    ("margins", MLP, Path.unlink, NO_TENSORS),
    ("margins", MLP, with_weights(1, "mnist", "lr"), f"is not a checkpoint of mlp on mnist: {RETRAIN}"),
    ("margins", MLP, with_weights(1, "cifar10", "mlp"), f"is not a checkpoint of mlp on mnist: {RETRAIN}"),
    ("margins", MLP, with_weights(2, "mnist", "mlp"), f"holds no checkpoint of epoch 1: {RETRAIN}"),
    ("margins", POINTS, cut, f"{UNREADABLE}: {AGAIN}"),
    ("margins", POINTS, with_array("index_test", lambda _: None), f"lacks index_test: it must hold .*; {AGAIN}"),
    ("bracket", POINTS, with_array("x_train", lambda x: x / 255), f"does not hold train points {OTHERS}"),
    ("attack", POINTS, with_array("x_test", lambda x: x[:, 1:]), f"does not hold test points {OTHERS}"),
    ("attack_strong", POINTS, with_array("y_test", lambda y: y[1:]), f"does not hold test points {OTHERS}"),
    ("convergence", POINTS, with_array("y_test", lambda y: y + 3), f"does not hold test points {OTHERS}"),
    ("masking", POINTS, with_array("x_test", lambda x: x[:, :, :, 0]), f"does not hold test points {OTHERS}"),
    ("combine", CURVE, with_text(""), f"is not a table, or is cut short: {AGAIN}"),
    ("combine", CURVE, with_text("epoch,loss\n"), f"holds no lines: {AGAIN}"),
    ("combine", CURVE, with_text("epoch,loss\n1,0.5\n2,nan\n"), f": loss is NaN or missing in line 3: {AGAIN}"),
    ("combine", CURVE, with_text("epoch,loss\n1,0.5\n2"), f": loss is NaN or missing in line 3: {AGAIN}"),
    ("combine_brackets", EPOCH, with_text("split,index,margin\ntest,3,\n"), f": margin is NaN .* line 2: {AGAIN}"),
    ("combine_brackets", BRACKET, with_text(OTHER_POINTS), ": other points than those of the margins: delete and run"),
]
SETTINGS = [  # job, its settings, what the line says
    (
        "data",
        {"dataset": "cifar10"},
        "data/cifar10.npz does not exist: put x_train, .* there, or choose another source",
    ),
    ("points", {"train": 21}, f"points.train is 21, but {NPZ} holds 20 train images: lower it in the config"),
    ("points", {"test": 21}, f"points.test is 21, but {NPZ} holds 20 test images: lower it in the config"),
    (
        "points",
        {"use": "attack", "test": 21},
        f"attack.points is 21, but {NPZ} holds 20 test images: lower it in the config",
    ),
    ("train", {"learning_rate": 1e39}, "training diverged: in epoch 1 .*; lower learning_rate"),
]


@pytest.mark.parametrize("job", JOBS)
def test_unbroken_files_pass(folder, job):
    JOBS[job]()


@pytest.mark.parametrize(("job", "path", "breaks", "expected"), CASES)
def test_a_broken_file_stops_the_job_in_one_line(folder, job, path, breaks, expected):
    before = set(Path().rglob("*"))
    breaks(Path(path))
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        JOBS[job]()
    assert re.fullmatch(f"{re.escape(path)} ?{expected}.*", str(caught.value))  # a dot matches no line break
    assert set(Path().rglob("*")) <= before  # nothing was written


@pytest.mark.parametrize(("job", "settings", "expected"), SETTINGS)
def test_wrong_settings_stop_the_job_in_one_line(folder, job, settings, expected):
    before = set(Path().rglob("*"))
    with pytest.raises((ValueError, FileNotFoundError, FloatingPointError)) as caught:
        JOBS[job](**settings)
    assert re.fullmatch(f"{expected}.*", str(caught.value)) and set(Path().rglob("*")) == before


def test_a_gpu_that_is_missing_stops_the_job(folder, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(
        ValueError, match=r"^device: cuda is configured, but torch finds no GPU: set device to auto or cpu"
    ):
        JOBS["margins"](device="cuda")


def test_the_terminal_shows_one_line_and_the_log_the_traceback(tmp_path):
    project = copy_project(tmp_path)
    (project / "data").mkdir()
    (project / "data" / "mnist.npz").write_bytes(b"PK")
    said = snakemake(project, "--cores", "1", "results/data/mnist.npz", check=False)
    line = r"^Error: data/mnist\.npz is not an npz file, .*: write it again .* \(full log: logs/data/mnist\.log\)$"
    found = re.search(line, said, re.MULTILINE)
    assert found and found.start() < said.index("Error in rule data") and "Traceback" not in said
    log = (project / "logs" / "data" / "mnist.log").read_text()
    assert "Traceback" in log and "data/mnist.npz is not an npz file" in log
    assert not (project / "results" / "data" / "mnist.npz").exists()
