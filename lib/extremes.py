"""The largest of many draws, told from few: a straight line through the top tenth on normal scores, continued."""

from collections.abc import Callable

import torch
from torch import Tensor

SHARE = 0.1  # of the draws, from the top, through which the line goes
LEAST = 20  # draws from which anything is told
_QUANTILES = 256  # of the largest of the draws that are left out


def expected_maximum(norms: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Return what the largest of `samples` draws is expected to be, and the standard error of that, from those drawn.

    norms (..., drawn, c): independent draws of c quantities, in any unit and order, of which `samples` are to be
    thought of in all -> (estimate, error), each (..., c), in the same unit and type.

    The draws at hand are part of the `samples`: the estimate is the expectation of the larger of their maximum and
    the maximum of the others, so that it is never below it, and where samples <= drawn it is that maximum, error 0.
    So it is for constant columns. The line is least squares of the top tenth of the order statistics on Blom's
    (1958) normal scores; the error is the jackknife's, over draws, and does not hold how far one realised maximum
    lies from the expected one. Upper tails are taken for normal in shape: docs/samples.md says how wrong that is.
    Raises ValueError where `samples` exceeds `drawn` and fewer than 20 are drawn.
    """
    return continued(norms, samples, line)


def line(drawn: int) -> Tensor:
    """Weights (k, 2) that turn the k largest of `drawn` values, in descending order, into intercept and slope."""
    return torch.linalg.pinv(powers(scores(drawn)[: round(SHARE * drawn)], 1)).T


def continued(norms: Tensor, samples: int, fit: Callable[[int], Tensor]) -> tuple[Tensor, Tensor]:
    """`expected_maximum` by any polynomial in the normal score whose coefficients are linear in the order statistics.

    fit: drawn -> weights (k, p) of the k largest values, p coefficients from the constant up.
    """
    drawn, largest = norms.shape[-2], norms.amax(-2)
    if samples <= drawn:
        return largest, torch.zeros_like(largest)
    if drawn < LEAST:
        raise ValueError(f"{drawn} draws tell nothing about the largest of {samples}: draw at least {LEAST}")
    weights, fewer = (fit(n).to(norms.device) for n in (drawn, drawn - 1))
    k = len(fewer)
    top = norms.double().topk(max(len(weights), k + 1), dim=-2).values.transpose(-1, -2)  # (..., c, k + 1)
    top = top - top[..., :1]  # so that constant columns stay exactly what they are
    coefficients = top[..., : len(weights)] @ weights  # (..., c, p)
    others = powers(_rising(maxima(samples - drawn, device=norms.device), coefficients), weights.shape[1] - 1)
    higher = (others @ coefficients[..., None])[..., 0]  # (..., c, q): the largest of the others, above ours
    slope = ((higher > 0)[..., None] * others).mean(-2)  # how the estimate follows the coefficients, (..., c, p)
    # Leaving out a value moves those below it up a rank: what that does, from the largest value's loss on.
    moved = (slope @ fewer.T * -top[..., : k + 1].diff()).cumsum(-1)  # (..., c, k)
    times = moved.new_ones(k)
    times[-1] = drawn - k  # values below the k largest leave the same behind
    mean, square = (moved**power @ times / drawn for power in (1, 2))
    error = ((square - mean**2).clamp(min=0) * (drawn - 1)).sqrt()
    return (largest + higher.clamp(min=0).mean(-1)).to(norms.dtype), error.to(norms.dtype)


def scores(n: int) -> Tensor:
    """Return Blom's normal scores of n order statistics, descending, float64 (n,)."""
    return -torch.special.ndtri((torch.arange(1, n + 1, dtype=torch.float64) - 0.375) / (n + 0.25))


def maxima(n: int, *, device: torch.device | None = None) -> Tensor:
    """Return quantiles (256,) of the largest of n standard normals, equally likely; their mean is its expectation."""
    u = (torch.arange(_QUANTILES, dtype=torch.float64, device=device) + 0.5) / _QUANTILES
    return -torch.special.ndtri(-torch.expm1(u.log() / n))


def powers(z: Tensor, degree: int) -> Tensor:
    """Return (*z.shape, degree + 1): 1, z, z^2 and so on."""
    return torch.stack([z**power for power in range(degree + 1)], -1)


def _rising(z: Tensor, coefficients: Tensor) -> Tensor:
    """Return z (..., c, q), held at the top of a parabola that bends down: more draws have no smaller maximum."""
    if coefficients.shape[-1] < 3:
        return z
    b, c = coefficients[..., 1:2], coefficients[..., 2:3]
    return torch.minimum(z, torch.where(c < 0, -b / (2 * c), torch.inf))
