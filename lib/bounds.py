"""The values that inputs may take: one range for all features, a range for each, or none."""

from typing import Any

import torch

Bounds = tuple[Any, Any] | None  # lowest and highest: numbers, or arrays that broadcast to the shape of a point


def limits_of(bounds: Bounds, x: torch.Tensor) -> tuple[Any, Any]:
    """Return bounds as numbers or as tensors like x (n, ...); ValueError where a point of x lies outside."""
    if bounds is None:
        return -torch.inf, torch.inf
    came, shape = " ".join(repr(bounds).split())[:80], tuple(x.shape[1:])
    try:
        low, high = (torch.as_tensor(end, dtype=x.dtype, device="cpu") for end in bounds)
        sound = bool((low <= high).all()) and torch.broadcast_shapes(low.shape, high.shape, shape) == shape
    except (RuntimeError, TypeError, ValueError):
        sound = False
    if not sound:
        raise ValueError(f"bounds are {came}: give (lowest, highest), numbers or arrays like a point {shape}, or None")
    low, high = (low.item(), high.item()) if low.ndim == high.ndim == 0 else (low.to(x.device), high.to(x.device))
    outside = ((x < low) | (x > high)).any(0)
    if outside.any():
        where = f"{x.min():.3g} to {x.max():.3g}, in feature {tuple(outside.nonzero()[0].tolist())} outside the bounds"
        raise ValueError(f"inputs range from {where} {came}: scale them, or give bounds that hold (None for none)")
    return low, high
