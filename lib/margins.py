"""Margins of classified points (section 2): exact for linear models, sampled for all others (eq. (3)).

The margin of (x, y) is s * d(x, boundary of the predicted class) in the L2 norm, with s = +1 where the
prediction is right and -1 where it is wrong. The caller takes the minimum or the mean.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, starmap

import torch

from .ball import uniform_ball
from .caller import warn
from .checks import check_logits, door
from .extremes import LEAST, expected_maximum
from .inputs import labels, points, several, tensor, whole
from .pullback import Model, Progress, logits_of
from .screen import largest_first

BLOCK = 1024  # perturbations are drawn in blocks of this many, whatever the batch size


def linear_margins(weight: torch.Tensor, bias: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the exact signed margins (n,) of the linear classifier argmax_k w_k^T x + b_k.

    weight (c, d), bias (c,), x (n, d) or (n, ...) flattened, y (n,). Computed in float64, since the difference of
    two rows loses digits. The distance to the boundary is min_{k != yhat} (f_yhat - f_k) / ||w_yhat - w_k||;
    a class with the same weights as the predicted one is never reached.
    """
    weight, bias = tensor(weight, "weight").double(), tensor(bias, "bias").double()
    x = points(x, torch.float64, weight.device).flatten(1).double()
    if weight.ndim != 2 or len(weight) < 2 or bias.shape != weight.shape[:1] or x.shape[1] != weight.shape[1]:
        came = f"weight {tuple(weight.shape)}, bias {tuple(bias.shape)} and x {tuple(x.shape)}"
        raise ValueError(f"{came} do not fit: give (c, d), (c,) and (n, d), c at least 2")
    logits = x @ weight.T + bias  # (n, c)
    check_logits(logits)
    top, y = logits.argmax(1), labels(y, len(x), len(weight), x.device)
    norms = torch.cdist(weight, weight, compute_mode="donot_use_mm_for_euclid_dist")[top]  # (n, c)
    return _sign(top, y) * _distance(logits, top, norms).values


@door
def sampled_margins(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, radius: float = 5.0, samples: int = 51200,
    drawn: int | None = None, generator: torch.Generator | None = None, seeds: Sequence[int] | None = None,
    batch: int | None = None, progress: Progress | None = None, precision: str = "auto",
) -> torch.Tensor:  # fmt: skip
    """Estimate the signed margins (n,) of any classifier by sampled local Lipschitz constants, eq. (3).

    model maps pixels (n, ...) to logits (n, c); x (n, ...), y (n,). L_k is the largest norm of grad(f_yhat - f_k)
    over `samples` points drawn uniformly from the L2 ball B(x, radius); the result is capped at +-radius.
    Sampling makes L_k too small, so this estimates a lower bound of the distance and does not certify it.

    drawn: draw only so many and take the largest norm that is expected among `samples` (extremes.expected_maximum);
    None draws all. generator: torch.Generator on the CPU; each point draws its own perturbations from a seed taken from
    it, on the CPU, so that the samples depend neither on the device nor on `batch`, the number of perturbed points
    handled at once. seeds: these seeds (n,) instead, whole numbers below 2^62; a point's samples then do not depend on
    the other points either. progress: called after each point with (done, n). precision: "auto" looks for the largest
    norms in bfloat16, where the processor is faster so, and computes those in float32; "float32" computes all of them.
    Raises ValueError where radius, samples, drawn or shapes make no sense.

    >>> import minavg, torch
    >>> x, y = torch.tensor([[0.9, 0.4], [0.2, 0.5]]), torch.tensor([0, 0])
    >>> minavg.sampled_margins(torch.nn.Flatten(), x, y, samples=16)  # the two inputs are the logits
    tensor([ 0.3536, -0.2121])
    """
    return margins_with_errors(
        model, x, y, radius=radius, samples=samples, drawn=drawn, generator=generator, seeds=seeds, batch=batch,
        progress=progress, precision=precision,
    )[0]  # fmt: skip


@door
def margins_with_errors(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, radius: float = 5.0, samples: int = 51200,
    drawn: int | None = None, generator: torch.Generator | None = None, seeds: Sequence[int] | None = None,
    batch: int | None = None, progress: Progress | None = None, precision: str = "auto",
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Return the margins (n,) of `sampled_margins` and their standard errors (n,), in the units of x.

    The error is that of telling the largest of `samples` norms from those drawn: 0 where all are, and at the cap.
    """
    counts = [samples if drawn is None else min(drawn, samples)]
    _, foretold, errors = margins_by_samples(
        model, x, y, counts=counts, samples=samples, radius=radius, generator=generator, seeds=seeds, batch=batch,
        progress=progress, precision=precision,
    )  # fmt: skip
    return foretold[0], errors[0]


@door
def margins_by_samples(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, counts: Sequence[int], samples: int, radius: float = 5.0,
    generator: torch.Generator | None = None, seeds: Sequence[int] | None = None, batch: int | None = None,
    progress: Progress | None = None, precision: str = "auto",
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    """Return margins (len(counts), n) from the largest norm of each of the ascending `counts` of nested draws, those
    foretold from these draws for `samples`, and the errors of the latter.

    Foretold is NaN from fewer than extremes.LEAST draws, unless they are all. Other arguments as for sampled_margins.
    """
    counts = _checked(counts, samples)
    if seeds is None:
        seeds = torch.randint(2**62, (len(x),), generator=generator, device="cpu")
    seeds = several(tensor(seeds, "seeds"))
    if len(seeds) != len(x) or any(not (0 <= seed < 2**62 and seed == int(seed)) for seed in seeds):
        raise ValueError(f"{len(seeds)} seeds for {len(x)} points: give each one of its own, from 0 to 2^62 - 1")
    with torch.no_grad():
        logits = torch.cat([logits_of(model, point) for point in x.split(1)])  # so no bit hangs on other points
    check_logits(logits)
    top = logits.argmax(1)
    norms_at = largest_first(model, x, precision)
    largest, expected, errors = logits.new_full((3, len(counts), *logits.shape), torch.nan)  # of L_k of each point
    for i, start, block in _drawn(x, seeds, radius, counts[-1]):
        if start == 0:
            so_far, kept = torch.zeros_like(logits[i]), []
        norms, place = [], start
        for delta in block.split(batch or BLOCK):
            ends = [count - place - 1 for count in counts if place < count < place + len(delta)] + [len(delta) - 1]
            norms.append(norms_at(x[i] + delta, top[i].expand(len(delta)), so_far, ends))
            place += len(delta)
        norms = torch.cat(norms)  # (block, c)
        running = torch.maximum(norms.cummax(0).values, so_far)
        so_far = running[-1]
        kept += [norms] if counts[0] < samples else []
        for j, count in enumerate(counts):
            if start < count <= start + BLOCK:
                largest[j, i] = running[count - start - 1]
                expected[j, i], errors[j, i] = _told(largest[j, i], kept, count, samples)
        if start + BLOCK >= counts[-1]:
            if not (so_far.isfinite() | (logits[i] == -torch.inf)).all():
                raise ValueError(f"gradients around point {i} are not finite: its margin cannot be told")
            if progress is not None:
                progress(i + 1, len(x))
    drawn, foretold = (_distance(logits, top, norms) for norms in (largest, expected))  # (len(counts), n) and k
    relative = (errors / expected).gather(2, foretold.indices[..., None])[..., 0]  # of the class that decides
    error = torch.where(foretold.values >= radius, 0.0, foretold.values * relative)
    if (foretold.values[-1] >= radius).all():
        warn(f"every margin is at the cap: none is below the radius {radius:g}, take a larger one")
    return *(_sign(top, y) * found.values.clamp(max=radius) for found in (drawn, foretold)), error


def _told(largest, kept, count, samples):
    """The norms (c,) expected to be the largest among `samples`, and their errors, from the first `count` draws."""
    if count == samples:
        return largest, torch.zeros_like(largest)
    if count < LEAST:
        return (torch.full_like(largest, torch.nan),) * 2
    return expected_maximum(torch.cat(kept)[:count], samples)


def _drawn(x, seeds, radius, count):
    """Yield (i, start, block) for all points x and, of each, all blocks of `count` perturbations.

    A block has a seed of its own. For a GPU, threads draw the next ones, into memory from which they go up at once.
    """
    like = torch.empty(0, dtype=x.dtype, device="cpu")

    def draw(i, start):
        # Neighbouring seeds must not meet in each other's blocks; torch uses the low 32 bits.
        source = torch.Generator().manual_seed((int(seeds[i]) * 0x9E3779B97F4A7C15 + start) % 2**63)
        block = uniform_ball(BLOCK, x.shape[1:], radius, source, like=like)[: count - start]
        return i, start, block.pin_memory() if x.is_cuda else block.to(x.device)

    order = ((i, start) for i in range(len(x)) for start in range(0, count, BLOCK))
    if not x.is_cuda:
        yield from starmap(draw, order)
        return
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        futures = (pool.submit(draw, *place) for place in order)
        waiting = deque(islice(futures, 2 * torch.get_num_threads()))
        while waiting:
            i, start, block = waiting.popleft().result()
            yield i, start, block.to(x.device, non_blocking=True)
            waiting.extend(islice(futures, 1))


def _distance(logits, top, norms):
    """min_{k != top} (f_top - f_k) / norm_k as (values, indices k) (..., n); infinite where no class can be reached."""
    gaps = logits.gather(1, top[:, None]) - logits  # (n, c), >= 0
    ratio = torch.where((norms == 0) | (gaps == torch.inf), torch.inf, gaps / norms)  # (..., n, c)
    own = torch.zeros_like(gaps, dtype=torch.bool).scatter(1, top[:, None], True)
    return ratio.masked_fill(own, torch.inf).min(-1)


def _sign(top, y):
    return torch.where(top == y, 1.0, -1.0)


def _checked(counts, samples):
    counts = [whole("one of counts", count) for count in several(counts)]
    if not counts or counts != sorted(set(counts)):
        raise ValueError(f"numbers of samples are {counts}: give one or more in ascending order, the least 1")
    if counts[-1] > samples or (LEAST > counts[-1] != samples):
        raise ValueError(f"{counts[-1]} of {samples} samples are drawn: draw at least {LEAST} of them, or all")
    return counts
