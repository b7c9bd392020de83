"""Norms of the class gradients of a classifier, for all classes of a batch at once."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from .backward import layers_of, step_of
from .checks import door
from .parts import samples_at_once, shrinking
from .pullback import Model, backward, forward, is_fast, pulling
from .threads import side_by_side

_BLOCKS = 8  # of a triangle; more of them skip more zeros, but make thinner matrix products


@door
def cross_lipschitz_norms(model: Model, x: torch.Tensor, top: torch.Tensor) -> torch.Tensor:
    """Norms ||grad(f_top - f_k)||_2 for all classes k at each point, in logits per unit of x: L_k of eq. (3).

    x (n, ...), top (n,) int64 -> (n, c), exactly 0 where k = top. For many batches take `gradients.cross_lipschitz`.
    """
    norms = norms_function(model)(x, top)
    if not norms.isfinite().all():
        raise ValueError(f"norms of {(~norms.isfinite()).any(1).sum()} points are not finite: nothing is known of them")
    return norms


def cross_lipschitz(model: Model) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The function (x, top) -> norms of `cross_lipschitz_norms`, for many batches and unchanged weights.

    It does once, in about a second, what depends on the weights alone: a first linear layer W (h, d) is
    replaced by the triangular factor of W^T = QR, as ||W^T v|| = ||R v||: at most h rows, zeros skipped.
    """
    return norms_function(model, first_factor(model))


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
        return _batched(model, partial(_autograd_norms, pulling(model)), parallel=False)
    layers = layers_of(model)
    steps = [step_of(layer, precision) for layer in layers[:-1]] + [step_of(layers[-1])]
    blocks, after = None, 0
    if factor is not None:
        after = layers.index(_first(layers)) + 1
        blocks = _block_rows(factor.to(precision or layers[after - 1].weight.dtype), 1 if precision else _BLOCKS)

    def part(directions, x, top, others=None):
        logits, backs = forward(steps, x)
        kept = backs[after:]

        def norms_of(v):
            for last in kept[-1:]:
                v = last(v).to(precision or v.dtype)
            g = backward(kept[:-1], v)
            return _length(g) if blocks is None else _block_norms(g, blocks)

        def norms_in_turn(v):
            return torch.cat([norms_of(some) for some in v.split(directions, 1)], 1)

        return _norms(logits, norms_in_turn, top, others)

    return _batched(model, part, parallel=True)


@torch.no_grad()
def _norms(logits, norms_of, top, others=None):
    n, c = logits.shape
    unit = torch.eye(c, dtype=logits.dtype, device=logits.device)
    if others is not None:
        return norms_of(unit[top][:, None] - unit[others])
    others = torch.arange(c - 1, device=top.device)
    others = others + (others >= top[:, None])  # (n, c - 1): all classes but top
    norms = norms_of(unit[top][:, None] - unit[others])  # (n, c - 1)
    return norms.new_zeros(n, c).scatter(1, others, norms)


def _batched(model, part, parallel):
    """The function (x, ...) -> part(directions, x, ...) of as much at once as memory suits, side by side on a CPU."""
    in_parts = shrinking(partial(_in_parts, part))
    size = directions = None  # asked of the first batch, as the others are like it

    def norms(x, top, *others):
        nonlocal size, directions
        if size is None:
            size = samples_at_once(model, x)
            alone = parallel and size == 1  # even one sample's directions may be too many
            directions = samples_at_once(model, x, directions=1) if alone else 1 << 30
        shared = parallel and not x.is_cuda
        share = -(-len(x) // torch.get_num_threads()) if shared else len(x)
        return in_parts(min(size, share), directions, side_by_side if shared else map, x, top, *others)

    return norms


def _in_parts(part, size, directions, apply, *tensors):
    return torch.cat(list(apply(partial(part, directions), *(tensor.split(size) for tensor in tensors))))


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


def _autograd_norms(pull, _, x, top, others=None):
    logits, vjp = pull(x)
    return _norms(logits, lambda v: vjp(v, lambda g: _length(g[:, None])[:, 0]), top, others)
