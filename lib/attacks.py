"""Projected gradient descent in the L2 ball, with the paper's settings (appendix A) and none of its pitfalls.

One step: x <- clip(project(x + step * g / max(||g||, floor))), with g the gradient of the loss at x. A point
classified with confidence has a tiny cross-entropy gradient, so that a floor makes it look robust. The default
normalises a gradient whatever its length, and the loss is differentiated at the logits in float64, relative to
the strongest other class, where no confidence makes it vanish.
"""

from collections.abc import Sequence
from functools import partial

import torch

from .checks import warn_of_slips
from .gradients import Model, Progress, is_fast, pullback, samples_at_once, shrinking, side_by_side

LOSSES = ("cross_entropy", "margin")
HELD = -1  # in place of a step number: no iterate broke the point


def pgd_l2(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, eps: float, step: float = 0.01, iterations: int = 1000,
    loss: str = "cross_entropy", gradient_floor: float = 0.0, averaged_over: int = 1, batch: int | None = None,
) -> torch.Tensor:  # fmt: skip
    """Return adversarial points (n, ...): the first misclassified iterate, or the last where none was found.

    model maps pixels in [0, 1] (n, ...) to logits (n, c); x (n, ...), y (n,). The iterates start at x, without a
    random step; each stays within eps of x in the L2 norm and inside [0, 1]; step is the L2 length of a step.
    loss: cross_entropy, or margin (the largest other logit minus the own). gradient_floor: a gradient is divided by
    max(its norm, gradient_floor). averaged_over: number of points over which the loss is averaged; it divides the
    gradients before they meet the floor, as in libraries that take a mean over the batch; 1 is the summed loss.
    batch: points attacked at once, default what suits the memory. ValueError for pixels outside [0, 1], bad settings.

    >>> import minavg, torch
    >>> x, y = torch.tensor([[0.9, 0.4]]), torch.tensor([0])
    >>> found = minavg.pgd_l2(torch.nn.Flatten(), x, y, eps=0.5)  # the two inputs are the logits
    >>> found.argmax(1).tolist(), f"{(found - x).norm():.2f}"  # the first step beyond the boundary, 0.354 away
    ([1], '0.36')
    """
    _check(x, y, eps, step, iterations, loss, gradient_floor, averaged_over)
    warn_of_slips(model, x)
    rule = {"step": step, "iterations": iterations, "loss": loss, "floor": gradient_floor * averaged_over}
    return _attack(model, x, y, [eps], batch=batch, **rule)[0]


def breaking_steps(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, eps: Sequence[float], step: float = 0.01, iterations: int = 1000,
    loss: str = "cross_entropy", gradient_floor: float = 0.0, averaged_over: int = 1, batch: int | None = None,
    progress: Progress | None = None,
) -> torch.Tensor:  # fmt: skip
    """Return for each point and eps the number of the first iterate that broke it, int64 (n, len(eps)) on the CPU.

    0: misclassified without an attack; HELD (-1): no iterate broke it. eps: ascending radii, 0 asks for the clean
    prediction alone. A point broken at a small eps is broken by the same step at every larger one and is not
    attacked again. Other arguments as for pgd_l2; progress is called now and then with (decided, n * len(eps)).
    """
    if not len(eps) or list(eps) != sorted(set(eps)):
        raise ValueError(f"eps is {list(eps)}: give one or more radii in ascending order")
    _check(x, y, max(eps[-1], 1e-9), step, iterations, loss, gradient_floor, averaged_over)
    warn_of_slips(model, x)
    rule = {"step": step, "iterations": iterations, "loss": loss, "floor": gradient_floor * averaged_over}
    tell = progress and (lambda decided: progress(decided, len(x) * len(eps)))
    return _attack(model, x, y, eps, batch=batch, tell=tell, **rule)[1].cpu()


def robust_accuracy(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, eps: Sequence[float] = (0.5, 1.0, 1.5, 2.0), step: float = 0.01,
    iterations: int = 1000, loss: str = "cross_entropy", gradient_floor: float = 0.0, averaged_over: int = 1,
    batch: int | None = None, progress: Progress | None = None,
) -> list[float]:  # fmt: skip
    """Return the share of points that withstand the attack, in percent, one float per eps (Table 1, columns 5-8).

    Arguments as for breaking_steps.

    >>> import minavg, torch
    >>> x, y = torch.tensor([[0.9, 0.4], [0.2, 0.5]]), torch.tensor([0, 1])  # 0.354 and 0.212 from the boundary
    >>> minavg.robust_accuracy(torch.nn.Flatten(), x, y, eps=(0.0, 0.2, 0.3, 0.4))
    [100.0, 100.0, 50.0, 0.0]
    """
    pgd = {"step": step, "iterations": iterations, "loss": loss, "gradient_floor": gradient_floor}
    steps = breaking_steps(model, x, y, eps=eps, **pgd, averaged_over=averaged_over, batch=batch, progress=progress)
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
        v = (others - others.amax(1, keepdim=True)).exp()  # 0 at the own class
        log_scale = others.amax(1) - z.logsumexp(1)
    v = torch.where(own, -v.sum(1, keepdim=True), v)
    norm = v.norm(dim=1)
    return v / norm[:, None], log_scale.exp() * norm


def gradient_lengths(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, loss: str = "cross_entropy", batch: int = 256
) -> torch.Tensor:
    """Return the L2 norms (n,) of the loss's gradient at the points, in float64: those of confident networks too.

    A PGD with a floor starts by dividing by the floor wherever this is smaller. Arguments as for pgd_l2.
    """
    lengths = []
    for a, b in zip(x.split(batch), y.split(batch), strict=True):
        logits, vjp = pullback(model, a)
        u, scale = loss_direction(logits, b, loss)
        lengths.append(scale * vjp(u[:, None].to(a.dtype)).flatten(1).norm(dim=1).double())
    return torch.cat(lengths)


def _attack(model, x, y, radii, *, batch=None, tell=None, **rule):
    """Points (n, ...) as pgd_l2 returns them for the last radius that a point came to, and broken (n, len(radii))."""
    if not len(x):
        return x.clone(), y.new_empty(0, len(radii))
    threads = torch.get_num_threads() if is_fast(model) and not x.is_cuda else 1
    shares = list(zip(range(threads), x.chunk(threads), y.chunk(threads), strict=False))  # fewer for a few points
    size = batch // len(shares) if batch else samples_at_once(model, x, directions=1)
    size = max(1, min(size, len(shares[0][1])))
    decided = [0] * len(shares)

    def attack(share):
        i, x, y = share

        def tell_sum(n):
            decided[i] = n
            tell(sum(decided))

        rolling = partial(_rolling_attack, model, x, y, radii, tell=tell and tell_sum, **rule)
        return shrinking(rolling)(size)

    found, broken = zip(*side_by_side(attack, shares), strict=True)
    return torch.cat(found), torch.cat(broken)


def _rolling_attack(model, x, y, radii, size, *, tell, step, iterations, loss, floor):
    """Attack up to `size` points at once. One that holds at a radius goes on at the next; one that is done leaves, and
    others take its place, so that the batch stays full until the last points.

    Until a radius first shortens a step, the iterates are those at every larger radius: they are not computed again.
    """
    found, broken = x.clone(), torch.full((len(x), len(radii)), HELD, device=x.device)
    eps = torch.tensor(radii, dtype=x.dtype, device=x.device)
    allowed = torch.where(eps > 0, iterations, 0)  # radius 0 is the clean prediction
    columns = torch.arange(len(radii), device=x.device)
    waiting = torch.arange(len(x), device=x.device)
    rows, current, free = waiting[:0], x[:0], x[:0]  # under attack; iterate; the last one that no radius has shortened
    taken, freely, at = rows, rows, rows  # steps to the one and to the other, -1 where none was shortened; radius
    while len(rows) or len(waiting):
        if len(waiting) and len(rows) <= size * 3 // 4:
            new, waiting = waiting[: size - len(rows)], waiting[size - len(rows) :]
            rows, current, free = torch.cat([rows, new]), torch.cat([current, x[new]]), torch.cat([free, x[new]])
            taken, at = (torch.cat([t, torch.zeros_like(new)]) for t in (taken, at))
            freely = torch.cat([freely, torch.full_like(new, -1 if radii[0] else 0)])
        logits, vjp = pullback(model, current)
        correct = logits.argmax(1) == y[rows]
        going = correct & (taken < allowed[at])
        left = int(going.sum())  # a GPU's host waits here, once a step, and below where points leave
        if left < len(rows):
            found[rows] = current  # of those that go on, until they leave too
            lost = ~correct[:, None] & (columns >= at[:, None])
            broken[rows] = torch.where(lost, taken[:, None], broken[rows])
        if left:
            u, scale = loss_direction(logits, y[rows], loss)
            g = vjp(u[:, None].to(x.dtype)).flatten(1)  # (n, d)
            moved, shortened = _step(current, x[rows], g, scale, eps[at, None], step, floor)
            first = going & shortened & (freely < 0)
            free, freely = torch.where(_column(first, x), current, free), torch.where(first, taken, freely)
            current = moved
        taken = taken + 1
        if left < len(rows):
            again = correct & ~going & (at < len(radii) - 1) & (freely >= 0)  # else it holds at all larger radii too
            current, taken = torch.where(_column(again, x), free, current), torch.where(again, freely, taken)
            freely, at = torch.where(again, -1, freely), at + again
            stay = (going | again).nonzero()[:, 0]
            rows, current, free, taken, freely, at = (t[stay] for t in (rows, current, free, taken, freely, at))
            if tell is not None:
                tell((len(x) - len(waiting) - len(rows)) * len(radii) + int(at.sum()))
    return found, broken


def _step(current, origin, g, scale, eps, step, floor):
    """The next iterates, and which of them the radius eps (n, 1) has shortened."""
    norm = g.norm(dim=1)
    length = scale * norm.double()  # of the loss's gradient
    share = torch.where(length >= floor, 1.0, length / floor) if floor else torch.ones_like(length)
    factor = torch.where(norm > 0, step * share.to(g.dtype) / norm, 0.0)
    delta = (current - origin).flatten(1) + factor[:, None] * g
    length = delta.norm(dim=1, keepdim=True)
    delta = delta * (eps / torch.maximum(length, eps))
    return (origin + delta.view_as(origin)).clamp(0, 1), (length > eps)[:, 0]


def _column(values, x):
    return values.view(-1, *[1] * (x.ndim - 1))


def _check(x, y, eps, step, iterations, loss, gradient_floor, averaged_over):
    if not (eps > 0 and step > 0 and iterations >= 1 and gradient_floor >= 0 and averaged_over >= 1):
        raise ValueError(
            f"eps {eps}, step {step}, iterations {iterations}, gradient_floor {gradient_floor}, averaged_over "
            f"{averaged_over}: eps and step must be positive, gradient_floor at least 0, the others at least 1"
        )
    if loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}: choose {' or '.join(LOSSES)}")
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} points and y {len(y)} labels: give one label a point")
    if len(x) and (x.min() < 0 or x.max() > 1):
        raise ValueError(f"pixels range from {x.min():.3g} to {x.max():.3g}: scale them to [0, 1]")
