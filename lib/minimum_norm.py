"""A minimum-norm attack: distances above which no margin can lie.

The estimate of eq. (3) samples its Lipschitz constants, which makes it too large where the samples miss the steepest
place (Goodfellow 2018). An adversarial point bounds the distance to the boundary from above, whatever the network.
The attack follows differences of logits, which no confidence makes vanish as it does a softmax.
"""

import math
from functools import partial

import torch

from .attacks import column, loss_direction, slope
from .bounds import Bounds, limits_of
from .checks import check_logits, door
from .parts import shrinking
from .pullback import Model, Progress, logits_of, pulling

_BYTES = 1 << 30  # at most, of the gradients of all classes
HALVINGS = 24  # of the line search: as many as float32 has digits


@door
def attack_distances(
    model: Model, x: torch.Tensor, *, steps: int = 200, starts: int = 3, bounds: Bounds = None,
    batch: int | None = None, progress: Progress | None = None,
) -> torch.Tensor:  # fmt: skip
    """Return upper bounds (n,) of the L2 distances to the boundary of the predicted class, for right and wrong points.

    model maps x (n, ...) to logits (n, c). The smallest adversarial perturbation that FMN finds (Pintor et al. 2021),
    started at boundaries of the network linearised at x (Moosavi-Dezfooli et al. 2016), is shortened by a line search;
    inf where none was found. starts: at the boundaries of the nearest and second-nearest class, halfway to the origin,
    then around them; each is followed for a quarter of the steps, the best to the end. Up to three starts take `steps`
    gradients a point in all, each more a quarter of them. bounds: (lowest, highest) value, numbers or arrays of a
    point's shape; None allows all of R^d, as the margin of eq. (3) does. batch: points attacked at once, None means
    128; progress: called with (done, n) after each batch. Raises ValueError for x outside bounds.

    >>> import minavg, torch
    >>> minavg.attack_distances(torch.nn.Flatten(), torch.tensor([[0.9, 0.4], [0.2, 0.5]]))  # |a - b| / sqrt(2)
    tensor([0.3536, 0.2121])
    """
    limits, done = limits_of(bounds, x), []

    def distances(size, part):
        return torch.cat([_distances(model, some, steps, starts, limits) for some in part.split(size)])

    attack = shrinking(distances)
    for part in x.split(batch or 128):
        done.append(attack(max(1, len(part)), part))
        if progress is not None:
            progress(sum(map(len, done)), len(x))
    return torch.cat(done)


def _distances(model, x, steps, starts, limits):
    if not len(x):
        return x.new_empty(0)
    pull = pulling(model)
    *deltas, top = _starts(pull, x, min(starts, steps))
    alone = max(1, steps // 4)
    length = max(alone, steps - min(len(deltas) - 1, 2) * alone)
    none = x.new_full((len(x),), torch.inf)
    fmn = partial(_fmn, pull, x, top, length, limits)
    searches = [fmn(range(alone), delta, none, delta, none) for delta in deltas]
    first = torch.stack([best for *_, best in searches]).argmin(0)
    rows = torch.arange(len(x), device=x.device)
    shortest = [torch.stack(values)[first, rows] for values in zip(*searches, strict=True)]
    *_, nearest, best = fmn(range(alone, length), *shortest)
    return _line_search(model, x, nearest, top, best)


def _fmn(pull, x, top, length, limits, steps, delta, radius, nearest, best):
    """The last four after these `steps` of a schedule of that length: the next delta (n, ...), kept within radius (n,),
    which shrinks after a crossing and grows again without one; the shortest that crossed, and its length (n,) or inf.
    """
    for i in steps:
        annealed = (1 + math.cos(math.pi * i / length)) / 2
        share, change = 0.01 + 0.99 * annealed, 0.001 + 0.049 * annealed  # of the radius: it knows the margin's scale
        point = (x + delta).clamp(*limits)
        delta = point - x
        gap, g = _gap(pull, point, top)
        g = torch.where((point <= limits[0]) & (g > 0) | (point >= limits[1]) & (g < 0), 0.0, g)  # no way to go
        (g, steepness), size, crossed = slope(g), _length(delta), gap < 0
        shorter = crossed & (size < best)
        best, nearest = torch.where(shorter, size, best), torch.where(column(shorter, x), delta, nearest)
        outwards = (1 + change) * torch.where(best < torch.inf, radius, size + gap.abs() / steepness)
        outwards = torch.where(outwards > 0, outwards, torch.finfo(x.dtype).eps)  # a tie: the smallest step off it
        radius = torch.where(crossed, torch.minimum(radius * (1 - change), best), outwards)
        pace = torch.where(steepness > 0, share * radius / steepness, 0.0)
        delta = delta - g * column(pace, x)
        delta = delta * column((radius / _length(delta).clamp(min=1e-30)).clamp(max=1), x)
    return delta, radius, nearest, best


def _starts(pull, x, most):
    """Up to `most` first perturbations (n, ...), and last the classes (n,) predicted at x: just beyond boundaries
    of the network linearised at x, and, as units may be off at x, halfway to the origin and away from the boundaries.
    """
    logits, vjp = pull(x)
    check_logits(logits)
    if len(x) > (fits := max(1, _BYTES // (logits.shape[1] * x[0].nbytes))):  # gradients of all classes at once
        return [*map(torch.cat, zip(*(_starts(pull, part, most) for part in x.split(fits)), strict=True))]
    top = logits.argmax(1)
    unit = torch.eye(logits.shape[1], dtype=logits.dtype, device=x.device)
    g = vjp(unit[top][:, None] - unit)  # (n, c, ...): gradients of f_top - f_k
    norms = g.flatten(2).norm(dim=2)
    gaps = logits.gather(1, top[:, None]) - logits
    distances, classes = torch.where(norms > 0, gaps / norms, torch.inf).sort(1)
    rows, deltas = torch.arange(len(x), device=x.device), []
    ways = sorted((2 * rank + 3 * back, rank, back) for rank in range(logits.shape[1] - 1) for back in (0, 1))
    for _, rank, back in ways[:most]:
        k, reached = classes[:, rank], distances[:, rank] < torch.inf
        pace = torch.where(reached, distances[:, rank] / norms[rows, k], 0.0)
        delta = torch.where(column(reached, x), -1.0001 * g[rows, k] * column(pace, x), -x / 2)
        deltas.append(-2 * delta if back else delta)
    return [*[*deltas[:2], -x / 2, *deltas[2:]][:most], top]


def _gap(pull, x, top):
    """How far the logit of `top` lies above the strongest other one (n,), and the gradient of that (n, ...)."""
    logits, vjp = pull(x)
    unit, size = loss_direction(logits, top, "margin")
    v = -unit * size[:, None]  # e_top - e_k
    return torch.where(v == 0, 0.0, v * logits).sum(1).to(x.dtype), vjp(v[:, None].to(x.dtype))[:, 0]


@torch.no_grad()
def _line_search(model, x, delta, top, best):
    """Lengths (n,) to which the perturbations can be shortened and still cross the boundary; inf where none did."""
    inside, across = torch.zeros_like(best), torch.ones_like(best)
    for _ in range(HALVINGS):
        middle = (inside + across) / 2
        logits = logits_of(model, x + delta * column(middle, x))
        crossed = (logits.argmax(1) != top) & ~logits.isnan().any(1)
        inside, across = torch.where(crossed, inside, middle), torch.where(crossed, middle, across)
    return torch.where(best < torch.inf, across * best, torch.inf)


def _length(v):
    return v.flatten(1).norm(dim=1)
