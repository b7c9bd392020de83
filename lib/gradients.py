"""Norms of the class gradients of a classifier, for all classes of a batch at once."""

import math
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from .backward import has_step, layers_of, step_of

Model = Callable[[torch.Tensor], torch.Tensor]  # maps a batch (n, ...) to logits (n, c)
Progress = Callable[[int, int], None]  # is called with (done, total)
_CPU_BYTES, _CPU_SAMPLES = 12 << 20, 64  # at most at a time, along all classes: more would leave the cache
_SLOW_SAMPLES = 128  # at a time where autograd does it
_BLOCKS = 8  # of a triangle; more of them skip more zeros, but make thinner matrix products
_warned = set()


def is_fast(model: Model) -> bool:
    """Whether all layers of `model` are ones that the fast path knows; other modules go through autograd."""
    return all(has_step(layer) for layer in layers_of(model))


def pullback(model: Model, x: torch.Tensor) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]:
    """Logits at x, and the function that maps weights of the logits to gradients with respect to x.

    x (n, ...) -> logits (n, c), detached, and vjp: v (n, k, c) -> (n, k, ...), the gradients of sum_c v[:, j, c] f_c
    for each of the k directions of each sample. vjp may be called again. The fast path keeps no autograd tape.
    """
    if not is_fast(model):
        return _autograd_pullback(model, x)
    logits, backs = _forward([step_of(layer) for layer in layers_of(model)], x)
    return logits, lambda v: _backward(backs, v)


def cross_lipschitz_norms(model: Model, x: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    """Norms ||grad(f_top - f_k)||_2 for all classes k at each point, in logits per unit of x: L_k of eq. (3).

    x (n, ...), top (n,) int64 -> (n, c), exactly 0 where k = top. For many batches take `cross_lipschitz`.
    """
    return norms_function(model)(x, top)


def cross_lipschitz(model: Model) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The function (x, top) -> norms of `cross_lipschitz_norms`, for many batches and unchanged weights.

    It does once, in about a second, what depends on the weights alone: a first linear layer W (h, d) is
    replaced by the triangular factor of W^T = QR, as ||W^T v|| = ||R v||: at most h rows, zeros skipped.
    """
    return norms_function(model, first_factor(model))


def samples_at_once(model: Model, x: torch.Tensor, *, directions: int | None = None) -> int:
    """How many samples shaped like x[:1] to pull back together along `directions` directions each, default c.

    On a CPU gradients of that many samples stay in its cache. On a GPU all that is kept for them takes about a quarter
    of its memory, free or not, so that the same card computes the same parts, with the same rounding.
    """
    if not is_fast(model):
        return _SLOW_SAMPLES
    z, sizes = x[:1], [x[0].numel()]
    with torch.no_grad():
        for layer in layers_of(model):
            z = layer(z)
            sizes.append(z.numel())
    classes, item = z.shape[1], z.element_size()
    directions = directions or classes
    if x.is_cuda:
        gradients = directions * max(map(sum, pairwise(sizes)))  # on both sides of a layer
        peak = 8 * sizes[0] + sum(sizes) + gradients  # an attack's images, masks: tests compare it with a count
        return max(1, torch.cuda.get_device_properties(x.device).total_memory // 4 // (peak * item))
    return max(1, min(_CPU_SAMPLES * classes // directions, _CPU_BYTES // (max(sizes) * directions * item)))


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
            except RuntimeError as error:  # a CPU has no class of its own for it
                if size == 1 or not (isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)):
                    raise
            most = size // 2
            warnings.warn(f"out of memory: going on with {most} samples at once", stacklevel=2)

    return run


def side_by_side(function: Callable, *parts: Sequence) -> list:
    """Return the list of function(part, ...) like map's; on a CPU a thread computes each part from end to end.

    No barrier after each layer, and the parts stay in the cores' own caches. `function` may not share a tape.
    """
    threads = torch.get_num_threads()
    if threads == 1 or len(parts[0]) == 1:
        return list(map(function, *parts))
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(function, *parts))
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def first_factor(model: Model) -> torch.Tensor | None:
    """The factor R of `cross_lipschitz` in float64 (min(d, h), h); None where no linear layer comes first."""
    first = _first(layers_of(model)) if is_fast(model) else None
    return torch.linalg.qr(first.weight.double().T, mode="r").R if type(first) is nn.Linear else None


def norms_function(
    model: Model, factor: torch.Tensor | None = None, precision: torch.dtype | None = None
) -> Callable[..., torch.Tensor]:
    """The function (x, top) -> norms (n, c) of all classes, and (x, top, others) -> those of classes others (n, k).

    factor: of `first_factor`, in place of the first layer. precision: that of the gradients, default that of x; the
    last layer is pulled back in that of x all the same, as the rows of two classes may nearly cancel.
    """
    if not is_fast(model):
        return partial(shrinking(partial(_in_parts, partial(_autograd_norms, model))), _SLOW_SAMPLES, map)
    layers = layers_of(model)
    steps = [step_of(layer, precision) for layer in layers[:-1]] + [step_of(layers[-1])]
    blocks, after = None, 0
    if factor is not None:
        after = layers.index(_first(layers)) + 1
        blocks = _block_rows(factor.to(precision or layers[after - 1].weight.dtype), 1 if precision else _BLOCKS)

    def part(x, top, others=None):
        logits, backs = _forward(steps, x)
        kept = backs[after:]

        def norms_of(v):
            for last in kept[-1:]:
                v = last(v).to(precision or v.dtype)
            g = _backward(kept[:-1], v)
            return _length(g) if blocks is None else _block_norms(g, blocks)

        return _norms(logits, norms_of, top, others)

    in_parts = shrinking(partial(_in_parts, part))
    size = None  # asked of the first batch, as the others are like it

    def norms(x, top, *others):
        nonlocal size
        size = size or samples_at_once(model, x)
        apply, share = (map, len(x)) if x.is_cuda else (side_by_side, -(-len(x) // torch.get_num_threads()))
        return in_parts(min(size, share), apply, x, top, *others)

    return norms


@torch.no_grad()
def _forward(steps, x):
    backs = []
    for step in steps:
        x, back = step(x)
        backs.append(back)
    return x, backs


@torch.no_grad()
def _backward(backs, g):
    g = g.clone()  # the steps may overwrite it
    for back in reversed(backs):
        g = back(g)
    return g


@torch.no_grad()
def _norms(logits, norms_of, top, others=None):
    n, c = logits.shape
    unit = torch.eye(c, dtype=logits.dtype, device=logits.device)
    if others is not None:
        return norms_of(unit[top][:, None] - unit[others])
    others = torch.arange(c - 1, device=top.device)
    others = others + (others >= top[:, None])  # (n, c - 1): all classes but top
    norms = norms_of(unit[top][:, None] - unit[others])  # (n, c - 1)
    return logits.new_zeros(n, c).scatter(1, others, norms)


def _in_parts(function, size, apply, *tensors):
    return torch.cat(list(apply(function, *(tensor.split(size) for tensor in tensors))))


def _first(layers):
    return next((layer for layer in layers if type(layer) is not nn.Flatten), layers[0])


def _block_rows(r, count):
    """A triangular factor in block rows without their zeros: [(start, block (h - start, rows))]."""
    rows = max(64, -(-len(r) // count))
    return [(i, r[i : i + rows, i:].T.contiguous()) for i in range(0, len(r), rows)]


def _block_norms(g, blocks):
    return torch.linalg.vector_norm(torch.stack([_length(g[..., i:] @ block) for i, block in blocks]), dim=0)


def _length(g):
    dtype = torch.float32 if g.dtype == torch.bfloat16 else g.dtype
    return torch.linalg.vector_norm(g, dim=tuple(range(2, g.ndim)), dtype=dtype)  # (n, k)


def _autograd_norms(model, x, top, others=None):
    logits, vjp = _autograd_pullback(model, x)
    return _norms(logits, lambda v: _length(vjp(v)), top, others)


def _autograd_pullback(model, x):
    odd = next(layer for layer in layers_of(model) if not has_step(layer))
    if type(odd) not in _warned:
        _warned.add(type(odd))
        warnings.warn(f"{type(odd).__name__} has no fast gradients: autograd computes them", stacklevel=2)
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(x)

    def vjp(v):
        directions = v.unbind(1)
        return torch.stack([torch.autograd.grad(logits, x, w, retain_graph=True)[0] for w in directions], 1)

    return logits.detach(), vjp
