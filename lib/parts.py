"""How many samples to hold in memory at once, and fewer where it runs out."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from .backward import layers_of
from .caller import warn
from .pullback import Model, is_fast, logits_of

_CPU_BYTES, _CPU_SAMPLES = 12 << 20, 64  # at most at a time, along all classes: more would leave the cache
_SLOW_BYTES, _SLOW_SAMPLES = 1 << 30, 128  # at a time where autograd does it, on a CPU


def samples_at_once(model: Model, x: torch.Tensor, *, directions: int | None = None) -> int:
    """How many samples shaped like x[:1] to pull back together along `directions` directions each, default c.

    On a CPU gradients of that many samples stay in its cache. On a GPU all that is kept for them takes about a quarter
    of its memory, free or not, so that the same card computes the same parts, with the same rounding.
    """
    memory = torch.cuda.get_device_properties(x.device).total_memory // 4 if x.is_cuda else _SLOW_BYTES
    if not is_fast(model):
        return max(1, min(_SLOW_SAMPLES, memory // _tape(model, x)))
    z, sizes = x[:1].clone(), [x[0].numel()]  # some layers work in place
    with torch.no_grad():
        for layer in layers_of(model):
            z = layer(z)
            sizes.append(z.numel())
    classes, item = z.shape[1], z.element_size()
    directions = directions or classes
    if x.is_cuda:
        gradients = directions * max(map(sum, pairwise(sizes)))  # on both sides of a layer
        peak = 8 * sizes[0] + sum(sizes) + gradients  # an attack's images, masks: tests compare it with a count
        return max(1, memory // (peak * item))
    return max(1, min(_CPU_SAMPLES * classes // directions, _CPU_BYTES // (max(sizes) * directions * item)))


def logits_at(model: Model, x: torch.Tensor) -> torch.Tensor:
    """Return the logits (n, c) at all points, without gradients."""
    with torch.no_grad():
        return shrinking(lambda size: torch.cat([logits_of(model, part) for part in x.split(size)]))(min(256, len(x)))


def shrinking(compute: Callable[..., Any]) -> Callable[..., Any]:
    """The function (size, ...) -> compute(size, ...) that halves the size, and says so, where memory runs out.

    Later calls keep to the size that served.
    """
    most = math.inf

    def run(size, *rest):
        nonlocal most
        while True:
            size = min(size, most)
            try:
                return compute(size, *rest)
            except RuntimeError as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
            most = size // 2
            warn(f"out of memory: going on with {most} samples at once")

    return run


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, on a GPU or on a CPU, which has no class of its own for it."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _tape(model, x):
    """Bytes for one sample more: what autograd keeps of two samples less that of one, where the weights stand too,
    some gradients, and all pairs of classes.
    """
    one, two = [], []
    for kept, some in ((one, x[:1]), (two, torch.cat([x[:1]] * 2))):
        count, give = lambda t, kept=kept: kept.append(t.nbytes) or t, lambda t: t
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, give):
            classes = logits_of(model, some.detach().requires_grad_()).shape[1]
    return max(0, sum(two) - sum(one)) + (8 * x[0].numel() + 2 * classes**2) * x.element_size()
