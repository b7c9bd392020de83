import numpy as np
import pytest
from scipy import stats

from report.claims import FAILS, HOLDS, OPEN, Case, Row, settled
from report.statistics import of_change, of_mean, of_rare, of_shares, of_trend, spaced


def test_one_seed_gives_the_paired_t_interval():
    values = np.random.default_rng(0).normal(3, 2, (1, 40))
    assert of_mean(values, 0.9) == pytest.approx(stats.ttest_1samp(values[0], 0).confidence_interval(0.9))


def test_what_two_tables_share_cancels():
    values = np.random.default_rng(0).normal(0, 100, (2, 50))
    assert of_mean(values + 1 - values) == pytest.approx((1, 1))


def test_seeds_whose_points_are_alike_give_the_t_interval_of_the_seeds():
    seeds = np.array([0.0, 1.0, 5.0])
    low, high = of_mean(np.repeat(seeds[:, None], 40, axis=1))
    assert (low, high) == pytest.approx(stats.ttest_1samp(seeds, 0).confidence_interval())


def test_points_and_seeds_add_as_squares():
    points, seeds = np.random.default_rng(1).normal(0, 1, 30), np.array([-1.0, 1.0])
    parts = (points + np.zeros((1, 30)), seeds[:, None] + np.zeros((2, 30)))
    halves = [np.subtract(*of_mean(part)[::-1]) / 2 for part in parts]
    assert np.subtract(*of_mean(parts[0] + parts[1])[::-1]) / 2 == pytest.approx(np.hypot(*halves))


@pytest.mark.parametrize(("wins", "losses"), [(4, 0), (9, 0), (12, 1), (20, 8), (40, 15)])
def test_shares_agree_with_the_exact_test_of_paired_ones(wins, losses):
    """McNemar's exact test: of the pairs that differ, are wins and losses equally likely?"""
    difference = np.array([[1] * wins + [-1] * losses + [0] * (200 - wins - losses)], dtype=float)
    p = stats.binomtest(wins, wins + losses).pvalue
    assert of_shares(difference, 1 - 1.5 * p)[0] > 0 > of_shares(difference, 1 - p / 2)[0]


def test_shares_that_never_differ_are_not_certain():
    low, high = of_shares(np.zeros((1, 50)))
    assert low == pytest.approx(-high) and high == pytest.approx(100 / 52 * 2.0 / 100, rel=0.05)


def test_a_change_agrees_with_a_bootstrap():
    rng = np.random.default_rng(0)
    before = rng.lognormal(0, 0.5, (1, 400))
    after = before * rng.normal(0.97, 0.1, (1, 400))
    low, high = of_change(before, after)
    again = stats.bootstrap((before[0], after[0]), lambda b, a: 100 * (a.mean() / b.mean() - 1), paired=True, rng=rng)
    assert (low, high) == pytest.approx(tuple(again.confidence_interval), abs=0.15)


def test_share_of_none_is_not_certain():
    low, high = of_rare(np.zeros((1, 300), dtype=bool))
    assert low == 0 and high == pytest.approx(3.69 / 300, rel=0.01)  # 1 - 0.025 ** (1 / n)
    assert of_rare(np.array([[False] * 300, [True] * 300])) == (0, 1)


def test_a_trend_of_one_seed_is_a_t_test_of_its_increments():
    values = np.array([[0.0, 1.0, 3.0, 3.5]])
    low, high = stats.ttest_1samp(np.diff(values[0]), 0).confidence_interval()
    assert of_trend(values) == pytest.approx((3 * low, 3 * high))


def test_a_trend_of_several_seeds_is_that_of_their_rises():
    values = np.array([[0.0, 5.0, 1.0], [0.0, 7.0, 2.0], [1.0, 1.0, 4.0]])
    assert of_trend(values) == pytest.approx(stats.ttest_1samp([1, 2, 3], 0).confidence_interval())


def test_epochs_are_spaced_on_a_logarithmic_axis():
    assert list(spaced([1, 10, 20])) == [0, 1, 2]
    places = spaced(range(1, 1001))
    assert [place + 1 for place in places] == [1, 2, 5, 10, 22, 46, 100, 215, 464, 1000]


def row(low, high, level=0.95):
    """A row whose interval at 95 % ends at `low` and `high`, and is as much wider at another level as the normal's."""

    def interval(at):
        wider = stats.norm.ppf((1 + at) / 2) / stats.norm.ppf((1 + level) / 2)
        return (low + high) / 2 - wider * (high - low) / 2, (low + high) / 2 + wider * (high - low) / 2

    return Row(Case("mnist", "mlp", ""), interval=interval, above=0, short="")


def test_one_of_many_rows_fails_only_by_its_simultaneous_interval():
    barely, clearly, holds = row(-2, -0.1), row(-2, -1), row(0.1, 2)
    assert settled([barely])[0].seen == FAILS
    assert [found.seen for found in settled([barely, clearly, *[holds] * 10])] == [OPEN, FAILS, *[HOLDS] * 10]


def test_a_row_needs_what_stands_beside_it_to_agree():
    yes, no, unknown = row(1, 2), row(-2, -1), row(-1, 1)
    found = settled([yes._replace(beside=other.interval) for other in (yes, no, unknown)])
    assert [each.seen for each in found] == [HOLDS, OPEN, OPEN]
