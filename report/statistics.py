"""How sure an effect is: intervals of means, changes, shares and trends, over points and over seeds.

Every table is an array (seeds, points): the same points in each seed. One seed is taken as it is: the interval then
speaks of that training run only. Of several seeds both are drawn: the half-widths of an interval over the points and of
one over the seeds' means are added as squares. docs/verdicts.md gives the reasons, and how often this errs on noise.
"""

from functools import cache

import numpy as np
from scipy import stats

LEVEL, EPOCHS = 0.95, 10  # EPOCHS: that a trend is judged by, at most


def of_mean(values, level=LEVEL, added=()):
    """Return (low, high) of the mean of `values` by Student's t.

    added: values that count as further points for the interval, and not for a seed's mean
    """
    points = np.append(values.mean(axis=0), added)
    return _widened(points.mean(), [_half(points, level)] * 2, values.mean(axis=1), level)


def of_shares(difference, level=LEVEL):
    """Return (low, high) of the mean of paired differences of 0 and 1, adjusted as Agresti and Min (2005) do."""
    return of_mean(difference, level, added=[-(0.5**0.5), 0.5**0.5])


def of_change(before, after, level=LEVEL):
    """Return (low, high) of how many percent the mean of `after` lies above that of `before`, by linearisation."""
    ratio = after.mean() / before.mean()
    return of_mean(100 * ((after - ratio * before) / before.mean() + ratio - 1), level)


def of_rare(hits, level=LEVEL):
    """Return (low, high) of the share of true values in `hits`: the mean of the seeds' exact binomial intervals.

    Unlike a t interval it does not shrink to nothing where no value is true.
    """
    shares = hits.mean(axis=1)
    low, high = np.mean([_exact(int(row.sum()), row.size, level) for row in hits], axis=0)
    low, high = _widened(shares.mean(), [shares.mean() - low, high - shares.mean()], shares, level)
    return max(0.0, low), min(1.0, high)


def of_trend(values, level=LEVEL):
    """Return (low, high) of the last value minus the first of `values` (seeds, epochs) in order; three epochs at least.

    One seed: by a t test on the increments, exact for a random walk. Several: by the spread of the seeds.
    """
    if len(values) > 1:
        rises = values[:, -1] - values[:, 0]
        return _widened(rises.mean(), [0.0, 0.0], rises, level)
    steps = np.diff(values[0])
    low, high = of_mean(steps[None], level)
    return low * len(steps), high * len(steps)


def spaced(epochs):
    """Return the places of those of the sorted `epochs` that are nearest to EPOCHS ones evenly spaced on a log axis."""
    logs = np.log(np.asarray(epochs, dtype=float))
    if len(logs) <= EPOCHS:
        return np.arange(len(logs))
    return np.unique(abs(logs - np.linspace(logs[0], logs[-1], EPOCHS)[:, None]).argmin(axis=1))


def _half(values, level):
    """Half the width of the t interval of a mean."""
    n = len(values)
    return np.inf if n < 2 else _t(level, n - 1) * values.std(ddof=1) / n**0.5


@cache
def _t(level, freedom):
    """The quantile of Student's t that two-sided intervals need."""
    return stats.t.ppf((1 + level) / 2, freedom)


@cache
def _exact(hits, size, level):
    """The exact binomial interval of a share."""
    return stats.binomtest(hits, size).proportion_ci(level)


def _widened(centre, halves, of_seeds, level):
    """An interval around `centre`, its halves widened by the spread of the seeds where there are several."""
    between = _half(of_seeds, level) if len(of_seeds) > 1 else 0.0
    below, above = np.hypot(halves, between)
    return float(centre - below), float(centre + above)
