"""Checkpoints in one safetensors file a run, and the points at which they are measured."""

import json
import re
from contextlib import contextmanager

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from lib.data.arrays import read_arrays, to_float
from lib.models import CLASSES, SHAPES, build
from workflow_scripts.common.files import whole_file

AGAIN = "delete it and train again, or put back once more what was released"


def save(path, kept, about):
    """Write `kept`, {epoch: state_dict}, to one file; `about` is a flat dict that describes the run.

    The same content gives the same bytes, so that a checksum tells whether two runs ended in the same bits.
    """
    tensors = {f"epoch{epoch}/{name}": tensor for epoch, state in kept.items() for name, tensor in state.items()}
    write_tensors(path, tensors, {"run": json.dumps(about)})  # one entry: of several the order is random


def write_tensors(path, tensors, metadata):
    """Write {name: tensor} and {name: text} to a safetensors file, whole or not at all."""
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}  # channels-last kernels are not
    with whole_file(path) as partial:  # save_file would leave a temporary file of its own where it is killed
        partial.write_bytes(to_bytes(tensors, metadata=metadata))


def epochs_kept(path):
    """Return the epochs whose weights the file holds, ascending. Raises ValueError where it holds none."""
    with _opened(path) as file:
        found = {int(match[1]) for name in file.keys() if (match := re.match(r"epoch(\d+)/", name))}  # noqa: SIM118
    if not found:
        raise ValueError(f"{path} holds no checkpoints: {AGAIN}")
    return sorted(found)


def load_state(path, epoch):
    """Return the state_dict of `epoch`; no other epoch is read. Raises ValueError where the file lacks it."""
    prefix = f"epoch{epoch}/"
    with _opened(path) as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        if not names:
            raise ValueError(f"{path} holds no checkpoint of epoch {epoch}: {AGAIN}")
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def load_model(path, dataset, model, epoch, *, device="cpu"):
    """Return the network as it was after `epoch`, in evaluation mode, its weights frozen.

    Raises ValueError where the file holds the weights of another model.
    """
    network = build(dataset, model)
    try:
        network.load_state_dict(load_state(path, epoch))
    except RuntimeError as error:
        raise ValueError(f"{path} is not a checkpoint of {model} on {dataset}: {AGAIN}") from error
    return network.to(device).eval().requires_grad_(False)


def load_points(path, dataset, split, *, device="cpu"):
    """Return (pixels in [0, 1] (n, channels, h, w), labels (n,), positions in the data set (n,)) of one split.

    Raises ValueError where the file holds something else than points of `dataset`.
    """
    x, y, index = read_arrays(path, [f"{name}_{split}" for name in ("x", "y", "index")]).values()
    channels, *sides = SHAPES[dataset]
    fit = x.dtype == np.uint8 and x.shape[1:] == (*sides, channels) and x.shape[:1] == y.shape == index.shape
    fit = fit and len(y) and np.issubdtype(y.dtype, np.integer) and y.min() >= 0 and y.max() < CLASSES[dataset]
    if not fit:
        raise ValueError(f"{path} does not hold {split} points of {dataset}: delete it and run again")
    return to_float(x).to(device), torch.from_numpy(y).long().to(device), index


@contextmanager
def _opened(path):
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a safetensors file, or is cut short: {AGAIN}") from error
