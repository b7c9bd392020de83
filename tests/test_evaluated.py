"""Which images are evaluated, and with which random numbers."""

import numpy as np
import pytest

from workflow_scripts.common.evaluated import draw_points, point_seeds


def test_points_are_distinct_and_those_of_a_smaller_count_come_first():
    points = draw_points(100, 30, seed=1, split="test")
    assert points.dtype == np.int64 and len(set(points)) == 30 and points.min() >= 0 and points.max() < 100
    assert not np.array_equal(points, draw_points(100, 30, seed=2, split="test"))
    np.testing.assert_array_equal(points, draw_points(100, 31, seed=1, split="test")[:30])
    assert sorted(draw_points(7, 7, seed=0, split="test")) == list(range(7))
    for count in (0, 8):
        with pytest.raises(ValueError, match=rf"the test split holds 7 points, {count} are requested"):
            draw_points(7, count, seed=0, split="test")


def test_a_points_seed_follows_from_seed_split_and_position_alone():
    seeds = point_seeds([5, 9, 2], seed=0, split="test")
    assert seeds == [*point_seeds([5], seed=0, split="test"), *point_seeds(np.array([9, 2]), seed=0, split="test")]
    others = [point_seeds([5, 9, 2], seed=seed, split=split) for seed, split in [(1, "test"), (0, "train")]]
    assert len({*seeds, *others[0], *others[1]}) == 9 and all(0 <= seed < 2**62 for seed in seeds)


def test_every_point_is_drawn_equally_often():
    counts = np.zeros(10)
    for seed in range(2000):
        counts[draw_points(10, 3, seed=seed, split="test")] += 1
    assert np.abs(counts - 600).max() < 5 * np.sqrt(2000 * 0.3 * 0.7)
