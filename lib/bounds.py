"""The values that inputs may take: one range for all features, a range for each, or none."""

from typing import Any

import torch

Bounds = tuple[Any, Any] | None  # lowest and highest: numbers, or arrays that broadcast to the shape of a point
Limits = tuple[Any, Any] | None  # the same as numbers or as tensors like x


def limits_of(bounds: Bounds, x: torch.Tensor) -> Limits:
    """Return the bounds in the dtype and on the device of x (n, ...); ValueError where a point of x lies outside."""
    if bounds is None:
        return None
    try:
        low, high = (torch.as_tensor(end, dtype=x.dtype, device=x.device) for end in bounds)
        sound = bool((low <= high).all()) and torch.broadcast_shapes(low.shape, high.shape, x.shape[1:]) == x.shape[1:]
    except (RuntimeError, TypeError, ValueError):
        sound = False
    if not sound:
        came, shape = " ".join(repr(bounds).split())[:80], tuple(x.shape[1:])
        raise ValueError(
            f"bounds are {came}: give (lowest, highest), numbers or arrays that fit a point {shape}, or None"
        )
    outside = ((x < low) | (x > high)).any(0)
    if outside.any():
        at = tuple(outside.nonzero()[0].tolist())
        least, most = (float(end.expand(x.shape[1:])[at]) for end in (low, high))
        raise ValueError(
            f"inputs range from {x.min():.3g} to {x.max():.3g}, in feature {at} outside its bounds {least:.3g} to "
            f"{most:.3g}: scale them, or give bounds that hold (None for none)"
        )
    return (low.item(), high.item()) if low.ndim == high.ndim == 0 else (low, high)


def within(x: torch.Tensor, limits: Limits) -> torch.Tensor:
    """Return x moved into the limits."""
    return x if limits is None else x.clamp(*limits)
