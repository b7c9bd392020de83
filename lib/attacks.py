"""Projected gradient descent in the L2 ball, with the paper's settings (appendix A) and none of its pitfalls.

One step: x <- clip(project(x + step * g / max(||g||, floor))), with g the gradient of the loss at x. A point
classified with confidence has a tiny cross-entropy gradient, so that a floor makes it look robust. The default
normalises a gradient whatever its length, and the loss is differentiated at the logits in float64, relative to
the strongest other class, where no confidence makes it vanish.
"""

from functools import partial

import torch

from .checks import warn_of_slips
from .gradients import is_fast, pullback, samples_at_once, shrinking, side_by_side

LOSSES = ("cross_entropy", "margin")
HELD = -1  # in place of a step number: no iterate broke the point


def pgd_l2(
    model,
    x,
    y,
    *,
    eps,
    step=0.01,
    iterations=1000,
    loss="cross_entropy",
    gradient_floor=0.0,
    averaged_over=1,
    batch=None,
):
    """Return adversarial points (n, ...): the first misclassified iterate, or the last where none was found.

    model maps pixels in [0, 1] (n, ...) to logits (n, c); x (n, ...), y (n,). The iterates start at x, without a
    random step; each stays within eps of x in the L2 norm and inside [0, 1]; step is the L2 length of a step.
    loss: cross_entropy, or margin (the largest other logit minus the own). gradient_floor: a gradient is divided by
    max(its norm, gradient_floor). averaged_over: number of points over which the loss is averaged; it divides the
    gradients before they meet the floor, as in libraries that take a mean over the batch; 1 is the summed loss.
    batch: points attacked at once, default what suits the memory. Raises ValueError for pixels outside [0, 1] and
    settings that make no sense.
    """
    _check(x, y, eps, step, iterations, loss, gradient_floor, averaged_over)
    warn_of_slips(model, x)
    rule = {"step": step, "iterations": iterations, "loss": loss, "floor": gradient_floor * averaged_over}
    return _attack(model, x, y, eps, batch=batch, **rule)[0]


def breaking_steps(
    model,
    x,
    y,
    *,
    eps,
    step=0.01,
    iterations=1000,
    loss="cross_entropy",
    gradient_floor=0.0,
    averaged_over=1,
    batch=None,
    progress=None,
):
    """Return for each point and eps the number of the first iterate that broke it, int64 (n, len(eps)).

    0: misclassified without an attack; HELD (-1): no iterate broke it. eps: ascending radii, 0 asks for the clean
    prediction alone. A point broken at a small eps is broken by the same step at every larger one and is not
    attacked again. Other arguments as for pgd_l2; progress is called now and then with (decided, n * len(eps)).
    """
    if not len(eps) or list(eps) != sorted(set(eps)):
        raise ValueError(f"eps is {list(eps)}: give one or more radii in ascending order")
    _check(x, y, max(eps[-1], 1e-9), step, iterations, loss, gradient_floor, averaged_over)
    warn_of_slips(model, x)
    rule = {"step": step, "loss": loss, "floor": gradient_floor * averaged_over, "batch": batch}
    broken = torch.full((len(x), len(eps)), HELD)
    alive = torch.arange(len(x))
    for j, radius in enumerate(eps):
        decided = (j + 1) * len(x) - len(alive)  # of all points at the radii so far

        def tell(finished, decided=decided):
            if progress is not None:
                progress(decided + finished, len(x) * len(eps))

        at = alive.to(x.device)
        _, found = _attack(model, x[at], y[at], radius, iterations=iterations if radius else 0, tell=tell, **rule)
        tell(len(at))
        broken[alive, j:] = found.cpu()[:, None]
        alive = alive[found.cpu() == HELD]
    return broken


def robust_accuracy(model, x, y, *, eps=(0.5, 1.0, 1.5, 2.0), **settings):
    """Return the share of points that withstand the attack, in percent, one float per eps (Table 1, columns 5-8).

    Arguments as for breaking_steps.
    """
    held = breaking_steps(model, x, y, eps=eps, **settings) == HELD
    return [100 * share for share in held.double().mean(0).tolist()]


def loss_direction(logits, y, loss):
    """Return the gradient of the loss at the logits as (unit vectors (n, c), their true lengths (n,)), in float64.

    Cross-entropy: softmax(z) - e_y. It is formed from exp(z_k - max over the other classes), so that the unit vector
    is exact even where the length underflows.
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


def gradient_lengths(model, x, y, *, loss="cross_entropy", batch=256):
    """Return the L2 norms (n,) of the loss's gradient at the points, in float64: those of confident networks too.

    A PGD with a floor starts by dividing by the floor wherever this is smaller. Arguments as for pgd_l2.
    """
    lengths = []
    for a, b in zip(x.split(batch), y.split(batch), strict=True):
        logits, vjp = pullback(model, a)
        u, scale = loss_direction(logits, b, loss)
        lengths.append(scale * vjp(u[:, None].to(a.dtype)).flatten(1).norm(dim=1).double())
    return torch.cat(lengths)


def _attack(model, x, y, eps, *, batch=None, tell=None, **rule):
    """Points (n, ...) as pgd_l2 returns them, and the steps that broke them (n,); less at once if memory runs out."""
    if not len(x):
        return x.clone(), y.new_empty(0)
    threads = torch.get_num_threads() if is_fast(model) and not x.is_cuda else 1
    shares = list(zip(range(threads), x.chunk(threads), y.chunk(threads), strict=False))  # fewer for a few points
    size = max(1, (batch or samples_at_once(model, x, directions=1) * len(shares)) // len(shares))
    finished = [0] * len(shares)

    def attack(share):
        i, x, y = share

        def tell_sum(n):
            finished[i] = n
            tell(sum(finished))

        rolling = partial(_rolling_attack, model, x, y, eps, tell=tell and tell_sum, **rule)
        return shrinking(rolling, size)

    found, broken = zip(*side_by_side(attack, shares), strict=True)
    return torch.cat(found), torch.cat(broken)


def _rolling_attack(model, x, y, eps, size, *, tell, step, iterations, loss, floor):
    """Attack up to `size` points at once; those that are done leave, and others take their places."""
    found, broken = x.clone(), torch.full((len(x),), HELD, device=x.device)
    waiting = torch.arange(len(x), device=x.device)
    rows, taken, current = waiting[:0], waiting[:0], x[:0]  # under attack: which, steps taken, iterates
    while len(rows) or len(waiting):
        if len(rows) <= size // 2:  # half empty
            new, waiting = waiting[: size - len(rows)], waiting[size - len(rows) :]
            rows, current = torch.cat([rows, new]), torch.cat([current, x[new]])
            taken = torch.cat([taken, torch.zeros_like(new)])
        logits, vjp = pullback(model, current)
        correct = logits.argmax(1) == y[rows]
        going = correct & (taken < iterations)
        if not going.all():
            done = ~going
            found[rows[done]] = current[done]
            broken[rows[~correct]] = taken[~correct]
        if going.any():
            u, scale = loss_direction(logits, y[rows], loss)
            g = vjp(u[:, None].to(x.dtype)).flatten(1)  # (n, d)
            current = _step(current, x[rows], g, scale, eps, step, floor)
        taken = taken + 1
        if not going.all():
            rows, taken, current = rows[going], taken[going], current[going]
            if tell is not None:
                tell(len(x) - len(waiting) - len(rows))
    return found, broken


def _step(current, origin, g, scale, eps, step, floor):
    norm = g.norm(dim=1)
    length = scale * norm.double()  # of the loss's gradient
    share = torch.where(length >= floor, 1.0, length / floor) if floor else torch.ones_like(length)
    factor = torch.where(norm > 0, step * share.to(g.dtype) / norm, 0.0)
    delta = (current - origin).flatten(1) + factor[:, None] * g
    delta = delta * (eps / delta.norm(dim=1, keepdim=True).clamp(min=eps))
    return (origin + delta.view_as(origin)).clamp(0, 1)


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
