"""The whole answer about a classifier in one call: accuracy under the strongest attack, margins, and what to doubt."""

import sys
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch

from .attacks import gradient_lengths
from .bounds import Bounds
from .checks import LOSSES, door
from .inputs import Radii
from .margins import margins_with_errors
from .minimum_norm import attack_distances
from .parts import logits_at
from .pullback import Model
from .strong_attack import withstands


class Estimate(NamedTuple):
    """A mean over points and its standard error; that of a minimum is the error of telling this margin from samples."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:10.4g} ± {self.error:.2g}"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found; accuracies and shares in percent, lengths in the units of x. `print` shows a table.

    average_distance: of the margins without their signs. Shares of points: capped, whose margin is at the cap;
    exceeding, whose margin is over 0.1 % above the distance at which an attack without bounds crosses the boundary, so
    too large; hidden, whose first cross-entropy gradient is below 1e-7. points: a row a point, which pandas.DataFrame
    takes as it is: label, prediction, margin, its error, that distance, that gradient, whether it holds at each eps.
    """

    eps: tuple[float, ...]
    clean_accuracy: Estimate
    robust_accuracy: tuple[Estimate, ...]
    average_margin: Estimate
    minimum_margin: Estimate
    average_distance: Estimate
    capped: float
    exceeding: float
    hidden: float
    told: str  # how the margins were told
    points: np.recarray = field(repr=False)

    def __str__(self) -> str:
        shares = (self.clean_accuracy, *self.robust_accuracy)
        lengths = self.average_margin, self.minimum_margin, self.average_distance
        rows = [
            ("accuracy under the strongest attack", "clean", *(f"eps {radius:g}" for radius in self.eps)),
            ("  percent", *(f"{share.value:.1f}" for share in shares)),
            ("  standard error", *(f"{share.error:.1f}" for share in shares)),
            (f"margins of {len(self.points)} points, {self.told}",),
            *zip(("  average", "  minimum", "  average distance"), map(str, lengths), strict=True),
            ("  % at the cap", f"{self.capped:.1f}"),
            ("  % above the distance of an attack", f"{self.exceeding:.1f}"),
            ("% of first gradients below 1e-7", f"{self.hidden:.1f}"),
        ]
        return "\n".join(f"{name:36}" + "".join(f"{cell:>10}" for cell in cells) for name, *cells in rows)

    def plot(self) -> Any:
        """Return a matplotlib Figure of two panels: the margins' histogram, and accuracy against eps."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.hist(self.points.margin, bins=30)
        left.set(xlabel="margin", ylabel="points")
        shares = dict(zip((0, *self.eps), (self.clean_accuracy, *self.robust_accuracy), strict=True))
        right.errorbar(sorted(shares), *zip(*(shares[radius] for radius in sorted(shares)), strict=True), marker="o")
        right.set(xlabel="eps", ylabel="accuracy under attack, %", ylim=(-3, 103))
        return figure


@door
def evaluate(
    model: Model, x: torch.Tensor, y: torch.Tensor, *, eps: Radii = (0.5, 1.0, 1.5, 2.0), radius: float = 5.0,
    samples: int = 51200, drawn: int | None = 1024, bounds: Bounds = (0, 1), step: float = 0.01, iterations: int = 1000,
    steps: int = 200, generator: torch.Generator | None = None, progress: bool = True,
) -> Evaluation:  # fmt: skip
    """Return accuracy, accuracy under the strongest attack and margins of points, with standard errors and shares.

    model maps x (n, ...) to logits (n, c); y (n,). eps, step, iterations, steps and bounds as for `withstands`; radius,
    samples, drawn and generator as for `sampled_margins`. Errors are those of n points drawn from many; an accuracy's
    counts one more right and one more wrong answer, so that 100 % has one too. progress: a bar on stderr, which says
    beforehand how long it will take. Raises ValueError for what these functions refuse.

    >>> import minavg, torch
    >>> x, y = torch.tensor([[0.9, 0.4], [0.2, 0.5]]), torch.tensor([0, 1])  # 0.354 and 0.212 from the boundary
    >>> it = minavg.evaluate(torch.nn.Flatten(), x, y, eps=[0.3], samples=32, drawn=None, progress=False)
    >>> it.robust_accuracy[0].value, f"{it.minimum_margin.value:.3f}"
    (50.0, '0.212')
    """
    eps, tell = list(dict.fromkeys(eps)), partial(_tell, perf_counter()) if progress else None
    top, gradient, start = logits_at(model, x).argmax(1), gradient_lengths(model, x, y), perf_counter()
    distance = attack_distances(model, x, steps=steps)
    pace = (perf_counter() - start) / (steps * len(x))  # seconds for a gradient of a point
    tries = sum((distance[top == y] > eps_i).sum().item() for eps_i in eps) * len(LOSSES) * iterations
    told = tell and partial(tell, perf_counter(), pace * max(tries, 1))
    margin, error = margins_with_errors(
        model, x, y, radius=radius, samples=samples, drawn=drawn, generator=generator, progress=told
    )
    told = tell and partial(tell, perf_counter(), 0)
    held = withstands(model, x, y, eps=eps, step=step, iterations=iterations, steps=steps, bounds=bounds, progress=told)
    columns = {"label": y, "prediction": top, "margin": margin, "margin_error": error, "distance": distance}
    columns |= {"gradient": gradient} | {f"eps{at:.12g}": holds for at, holds in zip(eps, held.T, strict=True)}
    points = np.rec.fromarrays(list(map(_array, columns.values())), names=list(columns))
    margin, size = points.margin.astype(float), np.abs(points.margin)
    return Evaluation(
        eps=tuple(eps), clean_accuracy=_accuracy(points.label == points.prediction),
        robust_accuracy=tuple(_accuracy(points[name]) for name in points.dtype.names[6:]),
        average_margin=_average(margin), average_distance=_average(np.abs(margin)),
        minimum_margin=Estimate(float(margin.min()), float(points.margin_error[margin.argmin()])),
        capped=100 * float((size >= radius).mean()),
        exceeding=100 * float((size > 1.001 * points.distance).mean()),
        hidden=100 * float((points.gradient < 1e-7).mean()),  # a usual floor
        told=f"{min(drawn or samples, samples):,} of {samples:,} samples in radius {radius:g}", points=points,
    )  # fmt: skip


def _array(values):
    return (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()  # which numpy lacks


def _accuracy(right):
    share, n = (right.sum() + 1) / (len(right) + 2), len(right) + 2
    return Estimate(100 * float(right.mean()), 100 * float(share * (1 - share) / n) ** 0.5)


def _average(values):
    error = float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return Estimate(float(values.mean()), error)


def _tell(begun, since, after, done, total):
    """Draw the bar: `done` of `total` since `since`, then `after` seconds more; and first say how long it will take."""
    now = perf_counter()
    ahead = (now - since) * (total - done) / done + after
    time = f"{ahead:.0f} s" if ahead < 100 else f"{ahead / 60:.0f} min" if ahead < 6000 else f"{ahead / 3600:.1f} h"
    if after and done == min(3, total):
        print(f"\r{f'after {done} of {total} points: about {time} to go':80}", file=sys.stderr)
    share = (now - begun) / (now - begun + ahead)
    bar = f"\r[{'#' * round(40 * share):40}] {100 * share:3.0f} %, {time} to go   "
    print(bar, end="" if after or done < total else "\n", file=sys.stderr)
