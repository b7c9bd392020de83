"""Points of a ball: where margins are sampled, and where an attack may start."""

from collections.abc import Sequence

import torch


def uniform_ball(
    n: int, shape: Sequence[int], radius: float, generator: torch.Generator, *, like: torch.Tensor
) -> torch.Tensor:
    """Return n points (n, *shape) drawn uniformly from the L2 ball of the given radius around the origin.

    A Gaussian direction times radius * U^(1/d) (Muller 1959), drawn on the generator's device. dtype and device of the
    result are those of `like`.
    """
    kind = {"generator": generator, "dtype": like.dtype, "device": generator.device}
    direction = torch.randn((n, *shape), **kind).flatten(1)
    length = torch.rand((n, 1), **kind) ** (1 / direction.shape[1])
    return direction.mul_(radius * length / direction.norm(dim=1, keepdim=True)).view(n, *shape).to(like.device)
