"""Margins of classified points (section 2): exact for linear models, sampled for all others (eq. (3)).

The margin of (x, y) is s * d(x, boundary of the predicted class) in the L2 norm, with s = +1 where the
prediction is right and -1 where it is wrong. The caller takes the minimum or the mean.
"""

import torch

from .checks import warn_of_slips
from .gradients import cross_lipschitz

BLOCK = 1024  # perturbations are drawn in blocks of this many, whatever the batch size


def linear_margins(weight, bias, x, y):
    """Return the exact signed margins (n,) of the linear classifier argmax_k w_k^T x + b_k.

    weight (c, d), bias (c,), x (n, d) or (n, ...) flattened, y (n,). Computed in float64, since the difference of
    two rows loses digits. The distance to the boundary is min_{k != yhat} (f_yhat - f_k) / ||w_yhat - w_k||;
    a class with the same weights as the predicted one is never reached.
    """
    weight, bias = weight.double(), bias.double()
    logits = x.flatten(1).double() @ weight.T + bias  # (n, c)
    top = logits.argmax(1)
    norms = torch.cdist(weight, weight, compute_mode="donot_use_mm_for_euclid_dist")[top]  # (n, c)
    return _sign(top, y) * _distance(logits, top, norms)


def sampled_margins(model, x, y, *, radius=5.0, samples=51200, generator=None, seeds=None, batch=None, progress=None):
    """Estimate the signed margins (n,) of any classifier by sampled local Lipschitz constants, eq. (3).

    model maps pixels (n, ...) to logits (n, c); x (n, ...), y (n,). L_k is the largest norm of grad(f_yhat - f_k)
    over `samples` points drawn uniformly from the L2 ball B(x, radius); the result is capped at +-radius.
    Sampling makes L_k too small, so this estimates a lower bound of the distance and does not certify it.

    generator: torch.Generator on the CPU; each point draws its own perturbations from a seed taken from it, so that
    the samples do not depend on `batch`, the number of perturbed points handled at once. seeds: these seeds (n,)
    instead, whole numbers below 2^62; a point's samples then do not depend on the other points either. progress:
    called after each point with (done, n). Raises ValueError where radius, samples or shapes make no sense.
    """
    options = {"radius": radius, "generator": generator, "seeds": seeds, "batch": batch, "progress": progress}
    return margins_by_samples(model, x, y, counts=[samples], **options)[0]


def margins_by_samples(model, x, y, *, counts, radius=5.0, generator=None, seeds=None, batch=None, progress=None):
    """Estimate the margins after each of the ascending `counts` of samples -> (len(counts), n).

    The samples are nested: the last row is `sampled_margins` with counts[-1] samples and the same generator. Other
    arguments as there.
    """
    _check(x, y, radius, counts)
    warn_of_slips(model, x)
    if seeds is None:
        seeds = torch.randint(2**62, (len(x),), generator=generator).tolist()
    with torch.no_grad():
        logits = model(x)  # (n, c)
    top = logits.argmax(1)
    norms_at = cross_lipschitz(model)
    largest = logits.new_zeros(len(counts), *logits.shape)  # L_k of each point
    for i, seed in enumerate(seeds):
        source = torch.Generator(x.device).manual_seed(seed)
        so_far = torch.zeros_like(logits[i])
        for start in range(0, counts[-1], BLOCK):
            block = uniform_ball(BLOCK, x[i].shape, radius, source, like=x)[: counts[-1] - start]
            norms = [norms_at(x[i] + delta, top[i].expand(len(delta))) for delta in block.split(batch or BLOCK)]
            running = torch.maximum(torch.cat(norms).cummax(0).values, so_far)  # (block, c)
            for j, count in enumerate(counts):
                if start < count <= start + BLOCK:
                    largest[j, i] = running[count - start - 1]
            so_far = running[-1]
        if progress is not None:
            progress(i + 1, len(x))
    return _sign(top, y) * torch.stack([_distance(logits, top, norms) for norms in largest]).clamp(max=radius)


def uniform_ball(n, shape, radius, generator, *, like):
    """Return n points (n, *shape) drawn uniformly from the L2 ball of the given radius around the origin.

    A Gaussian direction times radius * U^(1/d) (Muller 1959). dtype and device are those of `like`.
    """
    direction = torch.randn((n, *shape), generator=generator, dtype=like.dtype, device=like.device).flatten(1)
    length = torch.rand((n, 1), generator=generator, dtype=like.dtype, device=like.device) ** (1 / direction.shape[1])
    return (direction * (radius * length / direction.norm(dim=1, keepdim=True))).view(n, *shape)


def _distance(logits, top, norms):
    """min_{k != top} (f_top - f_k) / norm_k, infinite where no other class can be reached."""
    gaps = logits.gather(1, top[:, None]) - logits  # (n, c), >= 0
    ratio = torch.where(norms > 0, gaps / norms, torch.inf)
    return ratio.scatter(1, top[:, None], torch.inf).amin(1)


def _sign(top, y):
    return torch.where(top == y, 1.0, -1.0)


def _check(x, y, radius, counts):
    if not radius > 0:
        raise ValueError(f"radius is {radius}: it must be a positive L2 distance")
    if not len(counts) or counts[0] < 1 or list(counts) != sorted(set(counts)):
        raise ValueError(f"numbers of samples are {list(counts)}: give one or more in ascending order, the least 1")
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} points and y {len(y)} labels: give one label a point")
