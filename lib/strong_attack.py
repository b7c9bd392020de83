"""The strongest of several attacks: robust accuracy that hides nothing behind a network's confidence."""

import torch

from .attacks import HELD, breaking_steps
from .bounds import Bounds
from .checks import LOSSES, check_logits, door
from .inputs import Radii
from .minimum_norm import attack_distances
from .parts import logits_at
from .pullback import Model, Progress


@door
def withstands(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, eps: Radii, step: float = 0.01, iterations: int = 1000,
    steps: int = 200, bounds: Bounds = (0, 1), progress: Progress | None = None,
) -> torch.Tensor:  # fmt: skip
    """Return whether each point holds at each radius against the strongest of three attacks, bool (n, len(eps)).

    The attacks: the nearest adversarial point inside the bounds (`attack_distances` with `steps` from 11 starts),
    then PGD on the cross-entropy and on the margin loss, without a floor under the gradient, on the points that still
    stand. Arguments as for attacks.breaking_steps; eps 0 is the clean prediction. progress: gets (done, len(eps)).
    """
    logits = logits_at(model, x)
    check_logits(logits)
    correct = logits.argmax(1) == y
    distance = torch.zeros(len(x), device=x.device, dtype=x.dtype)  # with few gradients beside PGD's:
    distance[correct] = attack_distances(model, x[correct], steps=steps, starts=11, bounds=bounds)
    ascending = sorted(set(eps))
    held = torch.stack([correct & (distance > radius) if radius else correct for radius in ascending], 1)
    for j, radius in enumerate(ascending):
        for loss in LOSSES if radius else ():
            rows = held[:, j].nonzero()[:, 0]
            attack = {"eps": [radius], "step": step, "iterations": iterations, "loss": loss, "bounds": bounds}
            broken = breaking_steps(model, x[rows], y[rows], **attack)[:, 0] != HELD
            held[rows[broken.to(rows.device)], j:] = False
        if progress is not None:
            progress(j + 1, len(ascending))
    return held.cpu()[:, [ascending.index(radius) for radius in eps]]
