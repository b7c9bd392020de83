"""torchvision's files: checksummed before they are read, downloaded where they are missing.

The wheel of torchvision on PyPI is built for CUDA. Beside a CPU build of torch its compiled operators do not load, and
one line of its Python code, which describes the operators nms and qnms to torch, then ends the import with an error.
Data sets and transforms need neither, so both are declared (not implemented) and the import is tried again.
"""

import gzip
import hashlib
import importlib
import os
import sys
import tarfile
import tempfile
import zlib
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
ARCHIVE = "cifar-10-python.tar.gz"
FILES = {  # what torchvision keeps below root
    "mnist": [f"MNIST/raw/{name}" for name in MNIST_SHA256],
    "cifar10": [f"cifar-10-batches-py/{name}" for name in CIFAR10_FILES],
}
_declared = []  # torch withdraws a declaration when its Library is collected


def located(base: str, root: Path) -> dict[str, Path]:
    """Return where each official file of mnist or cifar10 lies, {file: path}, as far as it does.

    That is below `root` as torchvision has it, or flat in `root`, unpacked or in its archive, or as Kaggle names it.
    """
    where = {}
    for file in FILES[base]:
        name = Path(file).name
        names = [f"{spelt}{packed}" for packed in ("", ".gz") for spelt in (name, name.replace("-idx", ".idx"))]
        paths = [folder / spelt for folder in ((root / file).parent, root, root / name) for spelt in names]
        paths += [root / ARCHIVE, (root / file).parent / ARCHIVE] if base == "cifar10" else []
        if path := next(filter(Path.is_file, paths), None):
            where[file] = path
    return where


def has_files(base: str, root: Path) -> bool:
    """Whether all official files of mnist or cifar10 lie below `root`."""
    return len(located(base, root)) == len(FILES[base])


def read(base: str, root: Path) -> tuple[Arrays, str, str]:
    """Return the four arrays of a data set below `root`, their title and origin; what is missing is downloaded."""
    if not has_files(base, root):
        _download(base, root)
    with tempfile.TemporaryDirectory(prefix="minavg-") as folder:  # torchvision reads what was checked, nothing else
        _gather(located(base, root), Path(folder))
        splits = [_torchvision_class(base)(folder, train=train, download=False) for train in (True, False)]
    arrays = as_uint8([(np.asarray(split.data), np.asarray(split.targets)) for split in splits])
    if base == "mnist":  # the one channel is an axis too
        arrays = tuple(array[..., None] if array.ndim == 3 else array for array in arrays)
    return arrays, TITLES[base], f"the official files of {TITLES[base]}, checksums verified"


def _gather(where, folder):
    """Put the official files, {file: path}, into `folder`, unpacked; ValueError where one is not official."""
    for file, path in where.items():
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            if path.name == ARCHIVE:
                if not target.exists():
                    _unpack(path, folder)
            elif path.suffix == ".gz":
                target.write_bytes(gzip.decompress(path.read_bytes()))
            else:
                target.symlink_to(path.resolve())
        except (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError) as error:
            raise ValueError(f"{path} cannot be unpacked, it is cut short or changed: replace it") from error
    for file, (algorithm, expected) in _checksums(where).items():  # pickles: all are checked before one is opened
        content = (folder / file).read_bytes() if (folder / file).exists() else b""
        if hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() != expected:
            what = f"{algorithm} is not that of the official {Path(file).name}"
            raise ValueError(f"{where[file]}: its {what}, it is cut short or changed: replace it")


def _unpack(archive, folder):
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.name in FILES["cifar10"] and member.isfile():
                (folder / member.name).write_bytes(packed.extractfile(member).read())


def _checksums(where):
    if FILES["mnist"][0] in where:
        return {file: ("sha256", value) for file, value in zip(FILES["mnist"], MNIST_SHA256.values(), strict=True)}
    cifar10 = _torchvision_class("cifar10")
    listed = [*cifar10.train_list, *cifar10.test_list, (cifar10.meta["filename"], cifar10.meta["md5"])]
    return {f"{cifar10.base_folder}/{name}": ("md5", value) for name, value in listed}


def _download(base, root):
    where = located(base, root)
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
        names = [Path(file).name for file in FILES[base]]
        lacking = ", ".join(name for name, file in zip(names, FILES[base], strict=True) if file not in where)
        there = f" (found {', '.join(map(str, where.values()))}; {lacking} lack)" if where else ""
        raise FileNotFoundError(
            f"no {TITLES[base]} in {root.absolute()}{there} and the download failed ({cause}). Four ways to get it: "
            f"(1) put the official files there, torchvision's files {', '.join(names)}, or their archives; "
            f"(2) put the arrays {', '.join(ARRAYS)} into {root / base}.npz; "
            "(3) connect to a network and let torchvision download it; "
            "(4) choose the source embedded: 5,000 MNIST digits, and a stand-in for CIFAR-10"
        ) from error


def _torchvision_class(base):
    return getattr(import_torchvision().datasets, {"mnist": "MNIST", "cifar10": "CIFAR10"}[base])


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
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:  # of the import that failed
        del sys.modules[name]
    _declare_operators()
    return importlib.import_module("torchvision")


def _declare_operators():
    # Only after the failure: where the compiled operators did load, a second declaration would be the error.
    if _declared:
        return
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)
