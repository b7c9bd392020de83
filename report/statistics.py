"""How sure a difference is: bootstrap intervals over points and seeds, exact intervals of shares, and trends."""

import numpy as np
from scipy import stats

DRAWS, CHUNK, LEVEL = 2000, 50, 0.95  # CHUNK: draws at once


def bootstrap(statistic, *tables, seed=0):
    """Return the 95 % percentile interval (low, high) of `statistic(mean of each table)`, which takes arrays of means.

    tables: arrays (seeds, points), aligned: a draw takes the same points, and the same seeds, from each of them, so
    that what they share cancels. One seed is kept as it is: the interval then speaks of these networks only.
    """
    rng = np.random.default_rng(seed)
    seeds, points = tables[0].shape
    found = []
    for _ in range(DRAWS // CHUNK):
        rows, columns = rng.integers(seeds, size=(CHUNK, seeds)), rng.integers(points, size=(CHUNK, points))
        of_seeds = (table[:, columns].mean(axis=2).T for table in tables)  # (CHUNK, seeds)
        found.append(statistic(*(np.take_along_axis(means, rows, axis=1).mean(axis=1) for means in of_seeds)))
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def share(hits):
    """Return the exact binomial 95 % interval (low, high) of the share of true values in `hits` (seeds, points).

    Unlike a bootstrap it does not shrink to nothing where no value is true. Of several seeds: the widest ends.
    """
    found = [stats.binomtest(int(row.sum()), row.size).proportion_ci(LEVEL) for row in np.asarray(hits, dtype=bool)]
    return min(interval.low for interval in found), max(interval.high for interval in found)


def trend(values):
    """Return Kendall's tau between `values` and their order, and its two-sided p (1 where nothing can be said)."""
    if len(values) < 2 or np.ptp(values) == 0:
        return 0.0, 1.0
    found = stats.kendalltau(np.arange(len(values)), values)
    return float(found.statistic), float(found.pvalue)
