"""Arrays of images and labels: read from npz files without running code, told apart by a digest, made floats."""

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def read_arrays(path: str | Path, keys: Sequence[str] = ARRAYS, *, remedy: str = "delete it and run again") -> dict:
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


def digest(*arrays: np.ndarray) -> str:
    """Return the SHA-256 over shape, type and bytes of the arrays x_train, y_train, x_test, y_test in this order."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} {array.dtype}\n".encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def to_float(images: np.ndarray) -> "torch.Tensor":  # noqa: F821
    """Return images uint8 (n, h, w, c) as a torch tensor float32 (n, c, h, w), pixels in [0, 1]."""
    import torch  # not at the head: preparing data needs no torch

    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"images must be uint8 (n, h, w, c), these are {images.dtype} {images.shape}")
    return torch.tensor(images.transpose(0, 3, 1, 2).copy()).float().div_(255)


def as_uint8(splits: Sequence[tuple[np.ndarray, np.ndarray]]) -> Arrays:
    """Return images and labels of the splits [(x_train, y_train), (x_test, y_test)] as four arrays uint8."""
    return tuple(np.ascontiguousarray(array, dtype=np.uint8) for split in splits for array in split)
