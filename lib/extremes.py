"""The largest of many draws, told from few: a curve through the upper order statistics on normal scores, continued."""

from collections.abc import Callable

import torch
from torch import Tensor

LINE, PARABOLA = 0.1, 0.5  # shares of the draws, from the top, through which they go
LEAST = 20  # draws from which anything is told
_QUANTILES = 256  # of the largest of the draws that are left out


def expected_maximum(norms: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Return what the largest of `samples` draws is expected to be, and the standard error of that, from those drawn.

    norms (..., drawn, c): independent draws of c quantities, in any unit and order, of which `samples` are to be
    thought of in all -> (estimate, error), each (..., c), in the same unit and type.

    The draws at hand are part of the `samples`: the estimate is the expectation of the larger of their maximum and
    the maximum of the others. It is never below theirs, and where samples <= drawn or a column is constant it is
    that maximum, error 0. The curve is the mean of two least-squares fits of the order statistics on Blom's (1958)
    normal scores, a line through the top tenth and a parabola through the upper half; docs/samples.md compares it with
    others. The error is the jackknife's, over draws: how far one realised maximum lies from the expected one, and what
    tails of another shape do, is not in it. Raises ValueError for fewer than 20 draws, unless they are all.
    """
    return continued(norms, samples, curve)


def curve(drawn: int) -> Tensor:
    """Weights (k, 3) that turn the k largest of `drawn` values, in descending order, into 1, z and z^2's factors."""
    weights, straight = polynomial(drawn, PARABOLA, 2) / 2, polynomial(drawn, LINE, 1) / 2
    weights[: len(straight), :2] += straight
    return weights


def polynomial(drawn: int, share: float, degree: int) -> Tensor:
    """The same for least squares of the top `share` on powers of the normal scores, (k, degree + 1)."""
    return torch.linalg.pinv(powers(scores(drawn)[: round(share * drawn)], degree)).T


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
    fall = -top[..., : k + 1].diff()  # (..., c, k)
    moved = slope @ fewer.T * fall
    moved[..., 0] += (higher <= 0).double().mean(-1) * fall[..., 0]  # where the largest itself is what is told
    moved = moved.cumsum(-1)
    times = moved.new_ones(k)
    times[-1] = drawn - k  # values below the k largest leave the same behind
    mean, square = (moved**power @ times / drawn for power in (1, 2))
    error = ((square - mean**2).clamp(min=0) * (drawn - 1)).sqrt()
    return (largest + higher.clamp(min=0).mean(-1)).to(norms.dtype), error.to(norms.dtype)


def scores(n: int) -> Tensor:
    """Return Blom's normal scores of n order statistics, descending, float64 (n,)."""
    return -torch.special.ndtri((torch.arange(1, n + 1, dtype=torch.float64, device="cpu") - 0.375) / (n + 0.25))


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
