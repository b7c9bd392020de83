"""A minimum-norm attack: distances above which no margin can lie.

The estimate of eq. (3) samples its Lipschitz constants, which makes it too large where the samples miss the steepest
place (Goodfellow 2018). An adversarial point bounds the distance to the boundary from above, whatever the network.
The attack follows differences of logits, which no confidence makes vanish as it does a softmax.
"""

import math

import torch

from .attacks import loss_direction
from .gradients import Model, Progress, pullback

HALVINGS = 24  # of the line search: as many as float32 has digits


def attack_distances(
    model: Model, x: torch.Tensor, *, steps: int = 200, bounds: tuple[float, float] | None = None, batch: int = 128,
    progress: Progress | None = None,
) -> torch.Tensor:  # fmt: skip
    """Return upper bounds (n,) of the L2 distances to the boundary of the predicted class, for right and wrong points.

    model maps x (n, ...) to logits (n, c). The smallest adversarial perturbation that FMN finds in `steps` gradients
    (Pintor et al. 2021), started at the nearest boundary of the network linearised at x (Moosavi-Dezfooli et al.
    2016), is shortened by a line search; inf where none was found. bounds: (lowest, highest) pixel; None allows all
    of R^d, as the margin of eq. (3) does. batch: points attacked at once; progress: called with (done, n) after each
    batch. Raises ValueError for less than one step.

    >>> import minavg, torch
    >>> minavg.attack_distances(torch.nn.Flatten(), torch.tensor([[0.9, 0.4], [0.2, 0.5]]))  # |a - b| / sqrt(2)
    tensor([0.3536, 0.2121])
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}: at least one gradient a point is needed")
    distances = []
    for part in x.split(batch):
        distances.append(_distances(model, part, steps, bounds))
        if progress is not None:
            progress(sum(map(len, distances)), len(x))
    return torch.cat(distances)


def _distances(model, x, steps, bounds):
    delta, top = _to_the_linearised_boundary(model, x)
    best, nearest = x.new_full((len(x),), torch.inf), delta  # the shortest delta so far that crosses the boundary
    radius = best  # delta stays within it: it shrinks after a crossing and grows again without one
    for i in range(steps):
        annealed = (1 + math.cos(math.pi * i / steps)) / 2
        share, change = 0.01 + 0.99 * annealed, 0.001 + 0.049 * annealed  # of the radius: it knows the margin's scale
        point = x + delta if bounds is None else (x + delta).clamp(*bounds)
        delta = point - x
        gap, g = _gap(model, point, top)
        if bounds is not None:
            g = torch.where((point <= bounds[0]) & (g > 0) | (point >= bounds[1]) & (g < 0), 0.0, g)  # no way to go
        steepness, length, crossed = _length(g), _length(delta), gap < 0
        shorter = crossed & (length < best)
        best, nearest = torch.where(shorter, length, best), torch.where(_column(shorter, x), delta, nearest)
        outwards = (1 + change) * torch.where(best < torch.inf, radius, length + gap.abs() / steepness)
        radius = torch.where(crossed, torch.minimum(radius * (1 - change), best), outwards)
        pace = torch.where(steepness > 0, share * radius / steepness, 0.0)
        delta = delta - g * _column(pace, x)
        delta = delta * _column((radius / _length(delta).clamp(min=1e-30)).clamp(max=1), x)
    return _line_search(model, x, nearest, top, best)


def _to_the_linearised_boundary(model, x):
    """The shortest perturbations (n, ...) that would reach another class were the network linear, and the classes."""
    logits, vjp = pullback(model, x)
    top = logits.argmax(1)
    unit = torch.eye(logits.shape[1], dtype=logits.dtype, device=x.device)
    g = vjp(unit[top][:, None] - unit)  # (n, c, ...): gradients of f_top - f_k
    norms = g.flatten(2).norm(dim=2)
    gaps = logits.gather(1, top[:, None]) - logits
    distance, k = torch.where(norms > 0, gaps / norms, torch.inf).min(1)
    pace = torch.where(distance < torch.inf, distance / norms.gather(1, k[:, None])[:, 0], 0.0)
    return -1.0001 * g[torch.arange(len(x), device=x.device), k] * _column(pace, x), top  # just beyond it


def _gap(model, x, top):
    """How far the logit of `top` lies above the strongest other one (n,), and the gradient of that (n, ...)."""
    logits, vjp = pullback(model, x)
    unit, size = loss_direction(logits, top, "margin")
    v = -unit * size[:, None]  # e_top - e_k
    return (v * logits).sum(1).to(x.dtype), vjp(v[:, None].to(x.dtype))[:, 0]


@torch.no_grad()
def _line_search(model, x, delta, top, best):
    """Lengths (n,) to which the perturbations can be shortened and still cross the boundary; inf where none did."""
    inside, across = torch.zeros_like(best), torch.ones_like(best)
    for _ in range(HALVINGS):
        middle = (inside + across) / 2
        crossed = model(x + delta * _column(middle, x)).argmax(1) != top
        inside, across = torch.where(crossed, inside, middle), torch.where(crossed, middle, across)
    return torch.where(best < torch.inf, across * best, torch.inf)


def _length(v):
    return v.flatten(1).norm(dim=1)


def _column(values, x):
    return values.view(-1, *[1] * (x.ndim - 1))
