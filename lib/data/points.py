"""Which images are evaluated."""

import numpy as np


def draw_points(n, count, *, seed, split="data"):
    """Return `count` of the positions 0..n-1, drawn at random without repetition, ascending, int64 (count,).

    With the same n and seed a larger count holds the points of a smaller one. `split` names the points in the error:
    ValueError where there are fewer than `count`.
    """
    if not 1 <= count <= n:
        raise ValueError(f"the {split} split holds {n} points, {count} are requested: request between 1 and {n}")
    return np.sort(np.random.default_rng(seed).permutation(n)[:count])
