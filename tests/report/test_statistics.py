import numpy as np
import pytest

from report.statistics import bootstrap, share, trend


def test_bootstrap_of_a_mean_is_as_wide_as_its_standard_error():
    values = np.random.default_rng(0).normal(3, 2, (1, 1000))
    low, high = bootstrap(lambda mean: mean, values)
    assert (low, high) == pytest.approx(
        (values.mean() - 1.96 * 2 / 1000**0.5, values.mean() + 1.96 * 2 / 1000**0.5), rel=0.01
    )


def test_what_two_tables_share_cancels():
    values = np.random.default_rng(0).normal(0, 100, (2, 50))
    assert bootstrap(lambda a, b: b - a, values, values + 1) == pytest.approx((1, 1))


def test_seeds_are_drawn_too():
    low, high = bootstrap(lambda mean: mean, np.repeat([[0.0], [1.0]], 40, axis=1))  # all points alike
    assert (low, high) == (0, 1)


def test_share_of_none_is_not_certain():
    low, high = share(np.zeros((1, 300)))
    assert low == 0 and high == pytest.approx(3.69 / 300, rel=0.01)  # 1 - 0.025 ** (1 / n)
    assert share([[0] * 300, [1] * 300]) == (0, 1)


def test_trend():
    assert trend([1, 2, 3, 4, 5]) == pytest.approx((1, 2 / 120))  # two orders of 120 are as extreme
    assert trend([5, 4, 3, 2, 1])[0] == pytest.approx(-1)
    assert trend([2, 2, 2]) == (0, 1) and trend([1]) == (0, 1)
