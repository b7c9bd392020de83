"""Estimators of the largest of many draws from few, and among them the one in lib.extremes.

Each is a function (norms (trials, drawn, c) float64 tensor, samples) -> (estimate, error), both (trials, c). Fits that
are linear in the order statistics have lib.extremes' own error, the others a jackknife over 16 groups of draws; NaN
where no error is claimed. None is below the largest of those drawn.
"""

from functools import partial
from math import pi, sqrt

import torch

from lib.extremes import continued, expected_maximum, maxima, polynomial, powers, scores

GROUPS = 16  # of the jackknife
BLOCK = 32  # CLEVER's, of which 1,024 draws hold 32
STEEPEST = 100.0  # largest shape, the largest that CLEVER starts from
ENDS = torch.logspace(-3, 4, 120, dtype=torch.float64)  # right end points tried, beyond the largest block maximum
HOSKING = (2.0466534, -3.6544371, 1.8396733, -0.20360244), (1.0, -2.0182173, 1.2420401, -0.21741801)


def largest(norms, samples):
    """What is stated today: the largest of those drawn."""
    return norms.amax(1), torch.zeros_like(norms[:, 0])


def weighted(drawn):
    """The best linear unbiased line through the top tenth, by the large-sample covariance of order statistics."""
    z = scores(drawn)[: round(0.1 * drawn)]
    p, density = torch.special.ndtr(-z), (-(z**2) / 2).exp() / sqrt(2 * pi)  # p: share above
    covariance = torch.minimum(p[:, None], p) * (1 - torch.maximum(p[:, None], p)) / (density[:, None] * density)
    basis = powers(z, 1)
    solved = torch.linalg.solve(covariance, basis)
    return torch.linalg.solve(basis.T @ solved, solved.T).T


def expected_maxima(drawn):
    """Least squares of the expected maxima of n = drawn, drawn / 2, ..., drawn / 64 on those of n standard normals."""
    sizes = [round(drawn / 2**j) for j in range(7)]
    ranks = torch.arange(drawn, dtype=torch.float64)  # values above the one at this rank
    weights = [_log_choose(drawn - 1 - ranks, n - 1) - _log_choose(torch.tensor(drawn).double(), n) for n in sizes]
    of_maxima = torch.stack(weights).exp()  # (7, drawn): expected maximum of n from the descending order statistics
    basis = powers(torch.stack([maxima(n).mean() for n in sizes]), 1)
    return (torch.linalg.pinv(basis) @ of_maxima).T


def normal(norms, samples):
    return norms.mean(1) + maxima(samples).mean() * norms.std(1)


def cornish_fisher(norms, samples):
    mean, std = norms.mean(1), norms.std(1)
    u, z = (norms - mean[:, None]) / std[:, None], maxima(samples).mean()
    skew, kurtosis = (u**3).mean(1), (u**4).mean(1) - 3
    bent = (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * kurtosis / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    return mean + std * (z + bent)


def pareto(norms, samples):
    """Generalised Pareto of the excesses of the top tenth by probability-weighted moments (Hosking and Wallis 1987)."""
    drawn = norms.shape[1]
    k = round(0.1 * drawn)
    top = norms.topk(k + 1, dim=1).values
    excess = top[:, :k] - top[:, k:]  # descending
    above = (torch.arange(k, 0, -1, dtype=torch.float64) - 0.35) / k
    a0, a1 = excess.mean(1), (excess * (1 - above)[:, None]).mean(1)
    scale, shape = 2 * a0 * a1 / (a0 - 2 * a1), 2 - a0 / (a0 - 2 * a1)  # shape > 0: heavy tail
    rate = torch.tensor(samples * k / drawn).double()  # draws of `samples` above the threshold
    shape = torch.where(shape.abs() < 1e-6, 1e-6, shape).clamp(max=0.9)
    return top[:, k] + scale * (rate**shape * torch.lgamma(1 - shape).exp() - 1) / shape


def lognormal(norms, samples):
    """Three-parameter lognormal by L-moments (Hosking's generalised normal, 1997)."""
    n = norms.shape[1]
    x, i = norms.sort(dim=1).values, torch.arange(n, dtype=torch.float64)[:, None]
    b0, b1, b2 = x.mean(1), (i / (n - 1) * x).mean(1), (i * (i - 1) / ((n - 1) * (n - 2)) * x).mean(1)
    l1, l2, l3 = b0, 2 * b1 - b0, 6 * b2 - 6 * b1 + b0
    t = l3 / l2
    above, below = (sum(a * t ** (2 * j) for j, a in enumerate(row)) for row in HOSKING)
    k = -t * above / below
    k = torch.where(k.abs() < 1e-6, 1e-6, k)
    scale = l2 * k * (-(k**2) / 2).exp() / (1 - 2 * torch.special.ndtr(-k / sqrt(2)))
    location = l1 - scale / k * (1 - (k**2 / 2).exp())
    return location + (scale / k)[..., None].mul(1 - (-k[..., None] * maxima(samples)).exp()).mean(-1)


def clever(norms, samples, *, end):
    """Reverse Weibull by maximum likelihood on block maxima: its right end point, or the expected maximum.

    The likelihood is maximised over 120 end points up to 10,000 ranges beyond the largest maximum, and for each over
    the shape by Newton's method; shapes below 1, where it has no maximum, and above 100 are left out.
    """
    trials, drawn, c = norms.shape
    blocks = norms.view(trials, drawn // BLOCK, BLOCK, c).amax(2)  # (trials, blocks, c)
    most, spread = blocks.amax(1), blocks.amax(1) - blocks.amin(1)
    y = ((most[:, None] - blocks) / spread[:, None])[None] + ENDS[
        :, None, None, None
    ]  # (ends, trials, blocks, c), positive
    logs = y.log()
    shape = 1.2 / logs.std(2)
    for _ in range(40):
        power = torch.exp(shape[:, :, None] * (logs - logs.amax(2, keepdim=True)))
        share = power / power.sum(2, keepdim=True)
        mean = (share * logs).sum(2)
        slope = 1 / shape**2 + (share * logs**2).sum(2) - mean**2
        shape = (shape - (mean - 1 / shape - logs.mean(2)) / slope).clamp(min=1e-3)
    log_scale = torch.logsumexp(shape[:, :, None] * logs, 2).sub(torch.tensor(float(y.shape[2])).log()) / shape
    likelihood = shape.log() - shape * log_scale + (shape - 1) * logs.mean(2) - 1
    best = torch.where((shape >= 1) & (shape <= STEEPEST), likelihood, -torch.inf).argmax(
        0, keepdim=True
    )  # (1, trials, c)
    shape, scale = shape.gather(0, best)[0], log_scale.exp().gather(0, best)[0] * spread
    right = most + ENDS[best[0]] * spread
    if end:
        return right
    times = torch.tensor(samples / BLOCK, dtype=torch.float64)  # block maxima in `samples` draws
    return right - scale * times ** (-1 / shape) * torch.lgamma(1 + 1 / shape).exp()


def jackknifed(estimate, norms, samples):
    """The estimate, raised to the largest of those drawn where it is below, and its error by groups of draws."""
    whole, groups = estimate(norms, samples), torch.arange(norms.shape[1]) % GROUPS
    without = torch.stack([estimate(norms[:, groups != g], samples) for g in range(GROUPS)])
    error = (without.var(0, unbiased=False) * (GROUPS - 1)).sqrt()
    return torch.maximum(whole, norms.amax(1)), error


def unsure(estimate, norms, samples):
    return torch.maximum(estimate(norms, samples), norms.amax(1)), torch.full_like(norms[:, 0], torch.nan)


def _log_choose(n, k):
    """log of n over k, -inf where n < k."""
    inside = (n - k).clamp(min=0)
    found = torch.lgamma(n + 1) - torch.lgamma(torch.tensor(k + 1.0).double()) - torch.lgamma(inside + 1)
    return torch.where(n >= k, found, -torch.inf)


def _fitted(fit):
    return partial(continued, fit=fit)


ALL = {  # the simplest first: docs/samples.md
    "largest": largest,
    "normal": partial(jackknifed, normal),
    "line, tenth": _fitted(partial(polynomial, share=0.1, degree=1)),
    "line, twentieth": _fitted(partial(polynomial, share=0.05, degree=1)),
    "line, fifth": _fitted(partial(polynomial, share=0.2, degree=1)),
    "line, weighted": _fitted(weighted),
    "expected maxima": _fitted(expected_maxima),
    "quadratic, half": _fitted(partial(polynomial, share=0.5, degree=2)),
    "mean of line and quadratic": expected_maximum,
    "Cornish-Fisher": partial(jackknifed, cornish_fisher),
    "Pareto": partial(jackknifed, pareto),
    "lognormal": partial(jackknifed, lognormal),
    "CLEVER, end": partial(unsure, partial(clever, end=True)),
    "CLEVER, expected": partial(unsure, partial(clever, end=False)),
}
QUICK = [
    name for name, estimate in ALL.items() if estimate in (largest, expected_maximum) or estimate.func is continued
]
