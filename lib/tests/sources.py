"""Small made-up data sets in the files of each source, and a pickle that tells when someone loads it."""

import hashlib
import os
import pickle

import numpy as np

from lib.data import torchvision_files
from lib.data.arrays import ARRAYS
from lib.data.torchvision_files import import_torchvision

WRONG_PICKLE = "unpickled"


class Bomb:
    """Leaves a folder named `unpickled` in the working directory when a pickle of it is loaded."""

    def __reduce__(self):
        return os.mkdir, (WRONG_PICKLE,)


def arrays(shape, n=20, seed=0):
    rng = np.random.default_rng(seed)
    made = {}
    for split in ("train", "test"):
        made[f"x_{split}"] = rng.integers(0, 256, (n, *shape), dtype=np.uint8)
        made[f"x_{split}"] //= 1 if shape[-1] == 3 else 4  # as dark as MNIST
        made[f"y_{split}"] = rng.permutation(np.arange(n) % 10).astype(np.uint8)
    return made


def write_idx(root, made, monkeypatch):
    """Write `made` as the four IDX files of MNIST and teach lib.data their checksums."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    sums = {}
    for name, key in zip(torchvision_files.MNIST_SHA256, ARRAYS, strict=True):
        head = bytes([0, 0, 8, made[key].ndim]) + b"".join(size.to_bytes(4, "big") for size in made[key].shape)
        (folder / name).write_bytes(head + made[key].tobytes())
        sums[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(torchvision_files, "MNIST_SHA256", sums)
    return folder


def write_batches(root, made, monkeypatch):
    """Write `made` as the batches of CIFAR-10 and teach torchvision their checksums."""
    cifar10 = import_torchvision().datasets.CIFAR10
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    contents = {"batches.meta": {"label_names": list("abcdefghij")}}
    for number, rows in enumerate(np.array_split(np.arange(len(made["x_train"])), 5), start=1):
        contents[f"data_batch_{number}"] = batch(made["x_train"][rows], made["y_train"][rows])
    contents["test_batch"] = batch(made["x_test"], made["y_test"])
    sums = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(cifar10, "train_list", [(name, sums[name]) for name, _ in cifar10.train_list])
    monkeypatch.setattr(cifar10, "test_list", [(name, sums[name]) for name, _ in cifar10.test_list])
    monkeypatch.setattr(cifar10, "meta", cifar10.meta | {"md5": sums["batches.meta"]})
    return folder


def batch(x, y):
    return {"data": x.transpose(0, 3, 1, 2).reshape(len(x), -1), "labels": y.tolist()}
