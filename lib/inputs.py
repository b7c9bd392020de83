"""What users give, as the package computes with it: points as floats, labels as whole numbers, settings as numbers."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch

Radii = float | Sequence[float]


def tensor(values: Any, name: str) -> torch.Tensor:
    """Return numbers as a tensor without a graph, one that autograd takes; ValueError for what is no array of them."""
    if torch.is_tensor(values):
        if values.is_complex() or values.layout != torch.strided or values.is_meta:
            raise ValueError(f"{name} holds {values.dtype}, {values.layout}, {values.device}: give real numbers, dense")
        values = values.detach()
        return values.clone() if values.is_inference() else values  # which autograd would refuse
    try:
        array = np.asarray(values)
        kind = array.dtype if array.dtype.kind == "f" and array.dtype.itemsize <= 8 else np.float64
        kind = kind if array.dtype.kind == "f" else np.uint8 if array.dtype == np.uint8 else np.int64
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} holds {array.dtype}")
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is no array of numbers ({str(error).splitlines()[0]}): give a tensor") from error
    return torch.from_numpy(np.array(array, dtype=np.dtype(kind).newbyteorder("="), order="C"))  # ours to keep


def points(x: Any, dtype: torch.dtype | None = None, device: torch.device | None = None) -> torch.Tensor:
    """Return x (n, ...) detached, as floats: tensors as they are, arrays in `dtype` on `device`, images divided by 255.

    Images are uint8 (n, channels, h, w), or (n, h, w, channels) where only the last size is 1 or 3. Raises ValueError
    for no points, other whole numbers, and values that are not finite.
    """
    given, x = x, tensor(x, "x")
    if x.ndim < 2 or not x.numel():
        raise ValueError(f"x has shape {tuple(x.shape)}: give one or more points, (n, ...)")
    if x.dtype == torch.uint8:
        last = x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] not in (1, 3)
        x = (x.permute(0, 3, 1, 2).contiguous() if last else x).float().div_(255).to(dtype or torch.float32)
    elif not x.is_floating_point():
        raise ValueError(f"x holds {x.dtype}: give floats, or uint8 images, which are divided by 255")
    if not torch.is_tensor(given):
        x = x.to(device, dtype or torch.get_default_dtype())
    if not x.sum().isfinite() and len(odd := (~x.isfinite()).flatten(1).any(1).nonzero()):
        raise ValueError(f"{len(odd)} of {len(x)} points in x are not finite, the first is {odd[0, 0]}: leave them out")
    return x


def labels(y: Any, n: int, classes: int, device: torch.device) -> torch.Tensor:
    """Return labels (n,) as int64 on the device; ValueError for another shape, fractions, and what is no class."""
    y = tensor(y, "y")
    if y.ndim == 1 and len(y) != n:
        raise ValueError(f"x has {n} points and y {len(y)} labels: give one label a point")
    if y.ndim != 1:
        ways = {(n, 1): ": take y.flatten()", (n, classes): ": take y.argmax(1) of one-hot labels"}
        way = ways.get(came := tuple(y.shape), "")
        raise ValueError(f"y has shape {came}, not ({n},){way}; give one label a point")
    y, whole = y.to(device), y.to(device, torch.int64)
    wrong = (whole.to(y.dtype) != y) | (whole < 0) | (whole >= classes)  # unsigned types compare with their own alone
    if wrong.any():
        first = y.tolist()[wrong.tolist().index(True)]
        raise ValueError(f"y holds {first}: give whole labels, from 0 to {classes - 1}")
    return whole


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number of at least `least` as an int; ValueError else."""
    number = value if isinstance(value, Integral) and abs(value) < 2**63 else _number(name, value)  # no digit is lost
    if number < least or number != int(number):
        raise ValueError(f"{name} is {value}: give a whole number, at least {least}")
    return int(number)


def positive(name: str, value: Any, zero: bool = False) -> float:
    """Return a positive, finite number, or 0 where `zero` allows it; ValueError else."""
    number = _number(name, value)
    if not (number > 0 or (zero and number == 0)):
        raise ValueError(f"{name} is {value}: give a {'number of at least 0' if zero else 'positive number'}")
    return number


def radii(eps: Any) -> list[float]:
    """Return one or several L2 radii as a list, in the order given; ValueError for none, negative or infinite ones."""
    if not (eps := several(eps)):
        raise ValueError("eps is empty: give a radius, or several")
    return [positive("eps", value, zero=True) for value in eps]


def several(values: Any) -> list:
    """Return one or several settings as a list."""
    values = values.tolist() if hasattr(values, "tolist") else values
    return list(values) if isinstance(values, list | tuple | set | range) else [values]


def _number(name, value):
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if not abs(number) < 1e18:  # the squares of larger ones leave float32
        raise ValueError(f"{name} is {' '.join(str(value).split())[:80]}: give a finite number, below 1e18")
    return number
