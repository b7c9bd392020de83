"""Nothing that the workflow reads can run code: a pickle in the place of each input is refused unopened."""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.data import torchvision_files
from lib.tests.sources import WRONG_PICKLE, Bomb, arrays, write_batches, write_idx
from tests import jobs
from tests.jobs import CURVE, JOBS, LR, MLP, NPZ, NPZ01, POINTS, POINTS01, SOURCE


@pytest.fixture
def folder(tmp_path, monkeypatch):
    jobs.write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)


def as_pickle(path):
    path.write_bytes(pickle.dumps(Bomb()))


def as_torch_pickle(path):
    torch.save(Bomb(), path)


def as_npy(path):
    with path.open("wb") as file:
        np.save(file, np.array([Bomb()], dtype=object))


def as_objects(path):
    """One array of the npz file becomes one of Python objects."""
    with np.load(path) as file:
        made = dict(file)
    np.savez(path, **made | {"y_train": np.array([Bomb()] * len(made["y_train"]), dtype=object)})


def as_member(path):
    """One array of the npz file becomes a bare pickle."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, pickle.dumps(Bomb()) if name == "y_train.npy" else content)


def unpickle(path):
    return pickle.loads(path.read_bytes())


def unpickle_member(path):
    with zipfile.ZipFile(path) as archive:
        return pickle.loads(archive.read("y_train.npy"))


def load_with_torch(path):
    return torch.load(path, weights_only=False)


def load_objects(path):
    loaded = np.load(path, allow_pickle=True)
    return loaded if isinstance(loaded, np.ndarray) else loaded["y_train"]


PUT = {  # how a pickle is put in the place of a file, and the careless reader that would run it
    as_pickle: unpickle,
    as_torch_pickle: load_with_torch,
    as_npy: load_objects,
    as_objects: load_objects,
    as_member: unpickle_member,
}
BARE = [as_pickle, as_torch_pickle]
READ = [  # job, a file that it reads, what is put in its place
    *(("data", SOURCE, put) for put in PUT),
    *(("points", NPZ, put) for put in PUT),
    *(("train", NPZ, put) for put in PUT),
    *(("svm", NPZ01, put) for put in PUT),
    *(("svm", POINTS01, put) for put in PUT),
    *(("margins_linear", POINTS, put) for put in PUT),
    *(("margins", POINTS, put) for put in PUT),
    *(("bracket", POINTS, put) for put in PUT),
    *((job, POINTS, put) for job in ("attack", "attack_strong", "convergence", "masking") for put in BARE),
    *(("margins_linear", LR, put) for put in BARE),
    *(("margins", MLP, put) for put in BARE),
    *(("combine", CURVE, put) for put in BARE),
]


@pytest.mark.parametrize("put", PUT)
def test_a_careless_reader_would_run_it(folder, put):
    put(Path(NPZ))
    PUT[put](Path(NPZ))
    assert Path(WRONG_PICKLE).exists()


@pytest.mark.parametrize(("job", "path", "put"), READ)
def test_a_pickle_is_refused_by_name(folder, job, path, put):
    put(Path(path))
    with pytest.raises(ValueError, match=f"^{path}"):
        JOBS[job]()
    assert not Path(WRONG_PICKLE).exists()


@pytest.mark.parametrize("put", BARE)
def test_an_unfinished_training_is_not_unpickled(folder, capsys, put):
    path = Path(LR).with_name("unfinished.safetensors")
    put(path)
    JOBS["train"]()
    assert f"{path} cannot be read" in capsys.readouterr().err and not Path(WRONG_PICKLE).exists()


@pytest.mark.parametrize("name", torchvision_files.MNIST_SHA256)
def test_an_idx_file_is_not_opened_unless_it_is_official(folder, monkeypatch, name):
    raw = write_idx(Path("data"), arrays((28, 28)), monkeypatch)
    as_pickle(raw / name)
    with pytest.raises(ValueError, match=rf"^data/MNIST/raw/{name}: its sha256 is not .* replace it"):
        jobs.prepare_data("torchvision")
    assert not Path(WRONG_PICKLE).exists()


@pytest.mark.parametrize("name", torchvision_files.CIFAR10_FILES)
def test_no_batch_is_unpickled_unless_all_are_official(folder, monkeypatch, name):
    batches = write_batches(Path("data"), arrays((32, 32, 3)), monkeypatch)
    as_pickle(batches / name)
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("a pickle was opened"))
    with pytest.raises(ValueError, match=rf"^data/cifar-10-batches-py/{name}: its md5 is not .* replace it"):
        jobs.prepare_data("torchvision", "cifar10")
    assert not Path(WRONG_PICKLE).exists()
