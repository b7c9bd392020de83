"""torchvision's files: checksummed before they are read, downloaded where they are missing.

The wheel of torchvision on PyPI is built for CUDA. Beside a CPU build of torch its compiled operators do not load, and
one line of its Python code, which describes the operators nms and qnms to torch, then ends the import with an error.
Data sets and transforms need neither, so both are declared (not implemented) and the import is tried again.
"""

import hashlib
import importlib
import os
import sys
import tempfile
from http.client import HTTPException
from pathlib import Path
from types import ModuleType

import numpy as np

from .arrays import ARRAYS, Arrays, as_uint8
from .names import TITLES

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
OPERATORS = ("nms", "qnms")
_declared = []  # torch withdraws a declaration when its Library is collected


def has_files(base: str, root: Path) -> bool:
    """Whether all of torchvision's files of mnist or cifar10 lie below `root`."""
    return all((root / file).is_file() for file in FILES[base])


def read(base: str, root: Path) -> tuple[Arrays, str, str]:
    """Return the four arrays of a data set below `root`, their title and origin; what is missing is downloaded."""
    if not has_files(base, root):
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
    return as_uint8([(split.data.numpy()[..., None], split.targets.numpy()) for split in splits])


def _read_cifar10(root):
    cifar10 = _torchvision_class("cifar10")
    listed = [*cifar10.train_list, *cifar10.test_list, (cifar10.meta["filename"], cifar10.meta["md5"])]
    for name, expected in listed:  # the files are pickles: not one is opened before all are known to be official
        _check(root / cifar10.base_folder / name, "md5", expected, f"the official {name} of CIFAR-10")
    splits = [cifar10(root, train=train, download=False) for train in (True, False)]
    return as_uint8([(split.data, np.array(split.targets)) for split in splits])


def _check(path, algorithm, expected, what):
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    if found != expected:
        raise ValueError(f"{path}: its {algorithm} is not that of {what}, it is cut short or changed: delete it")


def import_torchvision() -> ModuleType:
    """Return the module torchvision; on an installation that works this is a plain import.

    Raises ImportError, with the command that installs it, where there is none.
    """
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
        raise ImportError("torchvision is not installed: pip install torchvision, or use another source") from error
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    _forget_failed_import()
    _declare_operators()
    return importlib.import_module("torchvision")


def _forget_failed_import():
    for name in list(sys.modules):
        if name == "torchvision" or name.startswith("torchvision."):
            del sys.modules[name]


def _declare_operators():
    # Only after the failure: where the compiled operators did load, a second declaration would be the error.
    if _declared:
        return
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in OPERATORS:
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)
