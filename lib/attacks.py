"""Projected gradient descent in the L2 ball, with the paper's settings (appendix A) and none of its pitfalls.

One step: x <- clip(project(x + step * g / max(||g||, floor))), with g the gradient of the loss at x. A point
classified with confidence has a tiny cross-entropy gradient, so that a floor makes it look robust. The default
normalises a gradient whatever its length, and the loss is differentiated at the logits in float64, relative to
the strongest other class, where no confidence makes it vanish.
"""

from functools import partial
from typing import NamedTuple

import torch

from .ball import uniform_ball
from .bounds import Bounds, limits_of
from .checks import are_sound, check_logits, door
from .inputs import Radii
from .parts import samples_at_once, shrinking
from .pullback import Model, Progress, is_fast, pulling
from .threads import side_by_side

HELD = -1  # in place of a step number: no iterate broke the point


@door
def pgd_l2(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, eps: float, step: float = 0.01, iterations: int = 1000,
    loss: str = "cross_entropy", gradient_floor: float = 0.0, averaged_over: int = 1, bounds: Bounds = (0, 1),
    start: str = "image", seed: int = 0, batch: int | None = None,
) -> torch.Tensor:  # fmt: skip
    """Return adversarial points (n, ...): the first misclassified iterate, or the last where none was found.

    model maps inputs (n, ...) to logits (n, c); x (n, ...), y (n,). The iterates stay within eps of x in the L2 norm
    and inside the bounds; step is the L2 length of a step. bounds: (lowest, highest) value, numbers or arrays of a
    point's shape, in the units of x; None for none. start: image (x itself), or ball: where x is classified rightly, a
    point drawn by `seed` uniformly from the L2 ball of radius eps around it, brought inside the bounds.
    loss: cross_entropy, or margin (the largest other logit minus the own). gradient_floor: a gradient is divided by
    max(its norm, gradient_floor). averaged_over: number of points over which the loss is averaged; it divides the
    gradients before they meet the floor, as in libraries that take a mean over the batch; 1 is the summed loss.
    batch: points attacked at once, default what suits the memory. ValueError for x outside bounds, for bad settings.

    >>> import minavg, torch
    >>> x, y = torch.tensor([[0.9, 0.4]]), torch.tensor([0])
    >>> found = minavg.pgd_l2(torch.nn.Flatten(), x, y, eps=0.5)  # the two inputs are the logits
    >>> found.argmax(1).tolist(), f"{(found - x).norm():.2f}"  # the first step beyond the boundary, 0.354 away
    ([1], '0.36')
    """
    if len(eps) != 1 or not eps[0]:  # the door made it a list
        raise ValueError(f"eps is {eps}: give one positive radius")
    pgd = _Pgd(step, iterations, loss, gradient_floor * averaged_over, limits_of(bounds, x))
    return _attack(model, x, y, eps, pgd, start=start, seed=seed, batch=batch)[0]


@door
def breaking_steps(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, eps: Radii, step: float = 0.01, iterations: int = 1000,
    loss: str = "cross_entropy", gradient_floor: float = 0.0, averaged_over: int = 1, bounds: Bounds = (0, 1),
    start: str = "image", seed: int = 0, batch: int | None = None, progress: Progress | None = None,
) -> torch.Tensor:  # fmt: skip
    """Return for each point and eps the number of the first iterate that broke it, int64 (n, len(eps)) on the CPU.

    0: misclassified without an attack; -1 (`attacks.HELD`): no iterate broke it; the first iterate is that after one
    step, or a start in the ball. eps: radii, 0 asks for the clean prediction alone. A point broken at a small eps is
    broken by the same step at every larger one and is not attacked again; the starts at several radii lie in one
    direction. Other arguments as for pgd_l2; progress is called now and then with (decided, n * len(eps)).
    """
    pgd = _Pgd(step, iterations, loss, gradient_floor * averaged_over, limits_of(bounds, x))
    ascending = sorted(set(eps))
    tell = progress and (lambda decided: progress(decided, len(x) * len(ascending)))
    broken = _attack(model, x, y, ascending, pgd, start=start, seed=seed, batch=batch, tell=tell)[1].cpu()
    return broken[:, [ascending.index(radius) for radius in eps]]


@door
def robust_accuracy(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, eps: Radii = (0.5, 1.0, 1.5, 2.0), step: float = 0.01,
    iterations: int = 1000, loss: str = "cross_entropy", gradient_floor: float = 0.0, averaged_over: int = 1,
    bounds: Bounds = (0, 1), start: str = "image", seed: int = 0, batch: int | None = None,
    progress: Progress | None = None,
) -> list[float]:  # fmt: skip
    """Return the share of points that withstand the attack, in percent, one float per eps (Table 1, columns 5-8).

    Arguments as for breaking_steps.

    >>> import minavg, torch
    >>> x, y = torch.tensor([[0.9, 0.4], [0.2, 0.5]]), torch.tensor([0, 1])  # 0.354 and 0.212 from the boundary
    >>> minavg.robust_accuracy(torch.nn.Flatten(), x, y, eps=(0.0, 0.2, 0.3, 0.4))
    [100.0, 100.0, 50.0, 0.0]
    """
    steps = breaking_steps(
        model, x, y, eps=eps, step=step, iterations=iterations, loss=loss, gradient_floor=gradient_floor, start=start,
        averaged_over=averaged_over, bounds=bounds, seed=seed, batch=batch, progress=progress,
    )  # fmt: skip
    return [100 * share for share in (steps == HELD).double().mean(0).tolist()]


def loss_direction(logits: torch.Tensor, y: torch.Tensor, loss: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradient of the loss at the logits as (unit vectors (n, c), their true lengths (n,)), in float64.

    Cross-entropy: softmax(z) - e_y, from exp(z_k - max of the other classes): exact even where the length underflows.
    """
    z = logits.double()
    own = torch.zeros_like(z, dtype=torch.bool).scatter(1, y[:, None], True)
    others = z.masked_fill(own, -torch.inf)
    if loss == "margin":
        v = torch.zeros_like(z).scatter(1, others.argmax(1, keepdim=True), 1.0)
        log_scale = torch.zeros_like(z[:, 0])
    else:
        v = (others - others.amax(1, keepdim=True)).exp().nan_to_num(0.0)  # 0 at the own class; nan: no other one
        log_scale = others.amax(1) - z.logsumexp(1)
    v = torch.where(own, -v.sum(1, keepdim=True), v)
    norm = v.norm(dim=1)
    return v / norm.clamp(min=torch.finfo(v.dtype).tiny)[:, None], log_scale.exp() * norm


@door
def gradient_lengths(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, loss: str = "cross_entropy", batch: int | None = None
) -> torch.Tensor:
    """Return the L2 norms (n,) of the loss's gradient at the points, in float64: those of confident networks too.

    A PGD with a floor divides by the floor wherever this is smaller. batch: None means 256; others as for pgd_l2.
    """
    pull = pulling(model)

    def lengths(size):
        return torch.cat([lengths_of(*part) for part in zip(x.split(size), y.split(size), strict=True)])

    def lengths_of(x, y):
        logits, vjp = pull(x)
        check_logits(logits)
        u, scale = loss_direction(logits, y, loss)
        return scale * vjp(u[:, None].to(x.dtype)).flatten(1).norm(dim=1).double()

    return shrinking(lengths)(min(batch or 256, len(x)))


def slope(g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return gradients g (m, ...) with 0 in place of what is not finite, where there is no way to go; their lengths."""
    length = g.flatten(1).norm(dim=1)
    if g.is_cuda or not length.sum() < torch.inf:  # asking costs a CPU nothing, and a GPU's host would wait
        g = g.nan_to_num(0.0, 0.0, 0.0)
        length = torch.where(length.isfinite(), length, g.flatten(1).norm(dim=1))
    return g, length


class _Pgd(NamedTuple):
    """The settings of an attack; the floor is in the units of the summed loss."""

    step: float
    iterations: int
    loss: str
    floor: float
    limits: tuple  # lowest and highest value


class _Batch(NamedTuple):
    """Points under attack (m, ...). unclipped: the last iterate that no radius has shortened, after unclipped_steps.

    unclipped_steps is -1 until a step is shortened: the iterates up to there are those at every larger radius too.
    """

    index: torch.Tensor  # of the point
    iterate: torch.Tensor
    steps: torch.Tensor
    radius: torch.Tensor  # its place among the radii
    unclipped: torch.Tensor
    unclipped_steps: torch.Tensor


def _attack(model, x, y, radii, pgd, *, start, seed, batch=None, tell=None):
    """Points (n, ...) as pgd_l2 returns them for the last radius that a point came to, and broken (n, len(radii))."""
    if start == "image":
        return _attack_from(x, model, x, y, radii, pgd, batch, tell)
    found, broken = _attack_from(x, model, x, y, [0.0], pgd, batch, None)
    broken = broken.repeat(1, len(radii))
    unit = uniform_ball(len(x), x.shape[1:], 1.0, torch.Generator().manual_seed(seed), like=x)
    for j, radius in enumerate(radii):
        rows = (broken[:, j] == HELD).nonzero()[:, 0]
        starts = (x + radius * unit)[rows].clamp(*pgd.limits)
        found[rows], steps = _attack_from(starts, model, x[rows], y[rows], [radius], pgd, batch, None)
        broken[rows, j:] = torch.where(steps == HELD, HELD, steps + 1)  # the start is an iterate, too
        if tell is not None:
            tell((j + 1) * len(x))
    return found, broken


def _attack_from(starts, model, x, y, radii, pgd, batch, tell):
    """The same from these first iterates."""
    if not len(x):
        return x.clone(), y.new_empty(0, len(radii))
    threads = torch.get_num_threads() if is_fast(model) and not x.is_cuda else 1
    chunks = (values.chunk(threads) for values in (starts, x, y))
    shares = list(zip(range(threads), *chunks, strict=False))  # fewer for a few points
    size = batch // len(shares) if batch else samples_at_once(model, x, directions=1)
    size = max(1, min(size, len(shares[0][-1])))
    decided = [0] * len(shares)

    def attack(share):
        i, *points = share

        def tell_sum(n):
            decided[i] = n
            tell(sum(decided))

        return shrinking(partial(_rolling_attack, model, *points, radii, pgd, tell and tell_sum))(size)

    found, broken = zip(*side_by_side(attack, shares), strict=True)
    return torch.cat(found), torch.cat(broken)


def _rolling_attack(model, starts, x, y, radii, pgd, tell, size):
    """Attack up to `size` points at once. One that holds at a radius goes on at the next; one that is done leaves, and
    others take its place, so that the batch stays full until the last points.
    """
    found, broken = x.clone(), torch.full((len(x), len(radii)), HELD, device=x.device)
    eps = torch.tensor(radii, dtype=x.dtype, device=x.device)
    allowed = torch.where(eps > 0, pgd.iterations, 0)  # radius 0 is the clean prediction
    unsound = torch.zeros_like(eps[0], dtype=torch.int64)
    columns, waiting = torch.arange(len(radii), device=x.device), torch.arange(len(x), device=x.device)
    batch, pull = _entering(starts, waiting[:0], radii), pulling(model)
    while len(batch.index) or len(waiting):
        if len(waiting) and len(batch.index) <= size * 3 // 4:
            room = size - len(batch.index)
            batch = _Batch(*map(torch.cat, zip(batch, _entering(starts, waiting[:room], radii), strict=True)))
            waiting = waiting[room:]
        logits, vjp = pull(batch.iterate)
        own, origin = y[batch.index], x[batch.index]
        correct = logits.argmax(1) == own
        going = correct & (batch.steps < allowed[batch.radius])
        left = int(going.sum())  # a GPU's host waits here, once a step, and below where points leave
        if left < len(going):
            unsound += (~are_sound(logits) & ~going).sum()
            found[batch.index] = batch.iterate  # of those that go on, until they leave too
            lost = ~correct[:, None] & (columns >= batch.radius[:, None])
            broken[batch.index] = torch.where(lost, batch.steps[:, None], broken[batch.index])
        if left:
            u, scale = loss_direction(logits, own, pgd.loss)
            g = vjp(u[:, None].to(x.dtype)).flatten(1)  # (m, d)
            batch = _moved(batch, origin, going, *_step(batch.iterate, origin, g, scale, eps[batch.radius], pgd))
        batch = batch._replace(steps=batch.steps + 1)
        if left < len(going):
            batch = _at_the_next_radius(batch, correct & ~going, going, len(radii))
            if tell is not None:
                tell((len(x) - len(waiting) - len(batch.index)) * len(radii) + int(batch.radius.sum()))
    if unsound:
        raise ValueError(f"the logits at an iterate of {unsound} points are not finite: nothing is known of them")
    return found, broken


def _entering(starts, index, radii):
    """The batch of the points `index`, before their first step, at the first radius."""
    none = torch.zeros_like(index)
    return _Batch(index, starts[index], none, none, starts[index], torch.full_like(index, -1 if radii[0] else 0))


def _moved(batch, origin, going, iterate, shortened):
    """The batch after a step, its iterates before the first shortened one remembered."""
    first = going & shortened & (batch.unclipped_steps < 0)
    unclipped = torch.where(column(first, origin), batch.iterate, batch.unclipped)
    steps = torch.where(first, batch.steps, batch.unclipped_steps)
    return batch._replace(iterate=iterate, unclipped=unclipped, unclipped_steps=steps)


def _at_the_next_radius(batch, held, going, radii):
    """The batch without the points that are done: those that held go on at a larger radius if one can change that."""
    again = held & (batch.radius < radii - 1) & (batch.unclipped_steps >= 0)  # else they hold at all larger radii too
    iterate = torch.where(column(again, batch.iterate), batch.unclipped, batch.iterate)
    steps = torch.where(again, batch.unclipped_steps, batch.steps)
    unclipped_steps = torch.where(again, -1, batch.unclipped_steps)
    batch = batch._replace(iterate=iterate, steps=steps, radius=batch.radius + again, unclipped_steps=unclipped_steps)
    stay = (going | again).nonzero()[:, 0]
    return _Batch(*(values[stay] for values in batch))


def _step(current, origin, g, scale, eps, pgd):
    """The next iterates, and which of them the radius eps (m,) has shortened."""
    g, norm = slope(g)
    length = scale * norm.double()  # of the loss's gradient
    share = torch.where(length >= pgd.floor, 1.0, length / pgd.floor) if pgd.floor else torch.ones_like(length)
    factor = torch.where(norm > 0, pgd.step * share.to(g.dtype) / norm, 0.0)
    delta = (current - origin).flatten(1) + factor[:, None] * g
    length = delta.norm(dim=1)
    delta = delta * (eps / torch.maximum(length, eps))[:, None]
    return (origin + delta.view_as(origin)).clamp(*pgd.limits), length > eps


def column(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return values (n,) so that they multiply x (n, ...)."""
    return values.view(-1, *[1] * (x.ndim - 1))
