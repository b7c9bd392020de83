"""Logits of any classifier and their gradients along several directions: by hand where that is sure, or by autograd."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import nn

from .backward import Step, has_step, layers_of, step_of
from .caller import warn
from .threads import check

Model = Callable[[torch.Tensor], torch.Tensor]  # maps a batch (n, ...) to logits (n, c)
Progress = Callable[[int, int], None]  # is called with (done, total)
_warned = set()


def is_fast(model: Model) -> bool:
    """Whether the fast path serves `model`: layers that it knows, and nothing around them that changes what they do."""
    return _obstacle(model) is None


def logits_of(model: Model, x: torch.Tensor) -> torch.Tensor:
    """Return the logits (n, c) that `model` gives at x; see `logits_in`."""
    return logits_in(model(x.clone()), x)  # some work in place


def logits_in(found: object, x: torch.Tensor) -> torch.Tensor:
    """Return the logits (n, c) that are, or are part of, what a model gave at x, in the precision of x.

    They may stand in the attribute or under the key "logits", or first in a tuple, list or dict. ValueError else.
    """
    if isinstance(found, Mapping) and found:
        found = found.get("logits", next(iter(found.values())))
    elif isinstance(found, tuple | list) or hasattr(found, "logits"):
        found = found.logits if hasattr(found, "logits") else next(iter(found), None)
    if not torch.is_tensor(found):
        raise ValueError(f"the model gives a {type(found).__name__}: give a function that returns the logits (n, c)")
    if found.ndim == len(x) == 1:
        found = found[None]  # squeezed
    if found.ndim != 2 or len(found) != len(x) or found.shape[1] < 2:
        came = f"the model gives outputs {tuple(found.shape)} for {len(x)} points"
        one = ", for a single logit z torch.cat([torch.zeros_like(z), z], 1)" if found.numel() == len(x) else ""
        raise ValueError(f"{came}: give logits (n, c) of two or more classes{one}")
    return found.to(x.dtype)


def pullback(model: Model, x: torch.Tensor) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
    """Logits at x, and the function that maps weights of the logits to gradients with respect to x.

    x (n, ...) -> logits (n, c), detached, and vjp: v (n, k, c) -> (n, k, ...), the gradients of sum_c v[:, j, c] f_c
    for each of the k directions of each sample. vjp may be called again. The fast path keeps no autograd tape.
    """
    return pulling(model)(x)


def pulling(model: Model) -> Callable[[torch.Tensor], tuple[torch.Tensor, Callable]]:
    """The function x -> pullback(model, x), for many batches and unchanged weights."""
    obstacle = _obstacle(model)
    if obstacle is not None:
        if obstacle not in _warned:
            _warned.add(obstacle)
            warn(f"{obstacle} has no fast gradients: autograd computes them")
        return partial(_autograd_pullback, model)
    steps = [step_of(layer) for layer in layers_of(model)]

    def pull(x):
        logits, backs = forward(steps, x)
        return logits, lambda v: backward(backs, v)

    return pull


@torch.no_grad()
def forward(steps: list[Step], x: torch.Tensor) -> tuple[torch.Tensor, list[Callable]]:
    """Return the output of the steps of a network and the functions that go back through them, first layer first."""
    check()
    backs = []
    for step in steps:
        x, back = step(x)
        backs.append(back)
    return x, backs


@torch.no_grad()
def backward(backs: list[Callable], g: torch.Tensor) -> torch.Tensor:
    """Return the gradients g (n, k, *output) pulled back to the input."""
    g = g.clone()  # the steps may overwrite it
    for back in reversed(backs):
        g = back(g)
    return g


def _autograd_pullback(model, x):
    """The same by autograd; its vjp can keep each(gradients (n, ...) along a direction) instead of all of them."""
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = logits_of(model, x)
    if not logits.requires_grad:
        raise ValueError("the model's logits have no gradient: compute them in torch, without no_grad or detach")

    def vjp(v, each=lambda g: g):
        known = {"retain_graph": True, "materialize_grads": True}
        return torch.stack([each(torch.autograd.grad(logits, x, w, **known)[0]) for w in v.unbind(1)], 1)

    return logits.detach(), vjp


def _obstacle(model):
    """What keeps `model` from the fast path, in a word; None where nothing does."""
    if any(map(torch.is_autocast_enabled, ("cpu", "cuda"))):
        return "autocast"
    if nn.modules.module._has_any_global_hook():
        return "a network with global hooks"
    if any(type(mode).__name__ != "DeviceContext" for mode in torch.overrides._get_current_function_mode_stack()):
        return "a torch function mode"
    odd = next((layer for layer in layers_of(model) or [model] if not has_step(layer)), None)
    return None if odd is None else type(odd).__name__
