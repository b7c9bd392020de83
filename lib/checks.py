"""Warnings for the usual slips with a model and data of one's own; each is one line and changes no result."""

import warnings

import torch

from .gradients import Model, is_fast, pullback

POINTS = 64  # that are looked at


def warn_of_slips(model: Model, x: torch.Tensor, *, pixels: bool = True) -> None:
    """Warn where `model` or its inputs x (n, ...) look as if margins and attacks would mislead.

    Outputs that are probabilities, training mode, zero gradients, and pixels outside [0, 1], at the first 64 points.
    """
    if not len(x):
        return
    x = x[:POINTS]
    if getattr(model, "training", False) and not is_fast(model):
        _warn("the model is in training mode, where dropout and batch norm act: call model.eval()")
    if pixels and (x.min() < 0 or x.max() > 1):
        _warn(f"inputs range from {x.min():.3g} to {x.max():.3g}, not in [0, 1]: distances are in these units")
    logits, vjp = pullback(model, x)
    if (logits >= 0).all() and (logits.sum(1) - 1).abs().max() < 1e-3:
        _warn("the outputs look like probabilities: give the logits, without the softmax")
    top, next_best = logits.topk(2, dim=1).indices.T
    unit = torch.eye(logits.shape[1], dtype=x.dtype, device=x.device)
    zero = (vjp((unit[top] - unit[next_best])[:, None]).flatten(1) == 0).all(1)
    if zero.any():
        _warn(f"the gradients of {zero.sum()} of {len(x)} points are all zero: their margins and attacks say nothing")


def _warn(text):
    warnings.warn(text, stacklevel=4)
