"""Which images are evaluated, and with which random numbers: what holds for a few of them holds among many."""

import numpy as np


def draw_points(n, count, *, seed, split):
    """Return `count` of the positions 0..n-1, drawn at random without repetition, in their order, int64 (count,).

    With the same n and seed the positions of a smaller count are the first of a larger one. `split` names the points
    in the error: ValueError where there are fewer than `count`.
    """
    if not 1 <= count <= n:
        raise ValueError(f"the {split} split holds {n} points, {count} are requested: request between 1 and {n}")
    return np.random.default_rng(seed).permutation(n)[:count]


def point_seeds(index, *, seed, split):
    """Return a seed below 2^62 for each position of `index` (n,) in the split train or test, as a list.

    It follows from `seed`, the split and the position alone, not from the other points or their order.
    """
    draws = [np.random.SeedSequence([seed, ("train", "test").index(split), int(i)]) for i in index]
    return [int(draw.generate_state(1, np.uint64)[0] >> 2) for draw in draws]
