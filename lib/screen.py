"""Largest gradient norms, found in bfloat16 and confirmed in float32, where the processor is faster so."""

from collections.abc import Callable

import torch
from torch import nn

from .backward import layers_of
from .caller import warn
from .gradients import first_factor, norms_function
from .pullback import Model, is_fast

BOUND = 2**-7  # of the relative error of a norm in bfloat16, three times the largest seen (benchmarks/NOTES.md)


def is_screened(model: Model, x: torch.Tensor, precision: str = "auto") -> bool:
    """Whether `largest_first` screens in bfloat16 the norms of `model` at points like x.

    precision: "auto" where the processor has units for products of bfloat16 matrices (AMX; without, float32 is faster),
    "bfloat16" wherever the layers allow it, "float32" never. Raises ValueError for another word.
    """
    if precision not in ("auto", "bfloat16", "float32"):
        raise ValueError(f"precision is {precision!r}: choose auto, bfloat16 or float32")
    if precision == "float32" or x.is_cuda or x.dtype != torch.float32 or not is_fast(model):
        return False
    deep = sum(isinstance(layer, nn.Linear | nn.Conv2d) for layer in layers_of(model)) > 1
    return deep and (precision == "bfloat16" or getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)())


def largest_first(model: Model, x: torch.Tensor, precision: str = "auto") -> Callable[..., torch.Tensor]:
    """The function (x, top, so_far, ends) -> norms (n, c) of `cross_lipschitz`, for samples in the order drawn.

    so_far (c,): the largest norms before these. ends: ascending places in the batch, the last one n - 1. A norm that is
    the largest up to one of these, so_far included, is that of float32; the others are those of bfloat16. Where a
    confirmed one was further off than BOUND, float32 computes all norms of the call, with a warning.
    """
    factor = first_factor(model)
    exact = norms_function(model, factor)
    if not is_screened(model, x, precision):
        return lambda x, top, so_far, ends: exact(x, top)
    rough = norms_function(model, factor, torch.bfloat16)

    def norms(x, top, so_far, ends):
        found, ends = rough(x, top), torch.tensor(ends, device="cpu")  # (n, c)
        place = torch.searchsorted(ends, torch.arange(len(x), device="cpu"))
        following = ends[place]  # at which a sample's norms first matter
        highest = torch.maximum(found.cummax(0).values[following], so_far)
        rows, classes = ((found > 0) & (found >= (1 - 2 * BOUND) * highest)).nonzero(as_tuple=True)
        if not len(rows):
            return found
        confirmed = exact(x[rows], top[rows], classes[:, None])[:, 0]
        error = (found[rows, classes] / confirmed - 1).abs().max().item()
        if error > BOUND:
            warn(f"norms are {100 * error:.2g} % off in bfloat16: float32 computes them")
            return exact(x, top)
        found[rows, classes] = confirmed
        return found

    return norms
