"""The expected largest of many draws, from few: against closed forms, quadrature and simulation."""

import numpy as np
import pytest
import torch
from scipy import stats

from lib.extremes import expected_maximum, maxima

SAMPLES = 51200


def drawn(kind="normal", shape=(1000, 1024, 1), *, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(shape, generator=generator, dtype=dtype)
    uniform = torch.rand(shape, generator=generator, dtype=dtype)
    return {"normal": normal, "half-normal": normal.abs(), "uniform": uniform, "exponential": -uniform.log()}[kind]


def by_quadrature(law, n):
    """E max of n draws = low + the integral of 1 - F^n."""
    low, high = law.ppf(0.01), law.isf(1e-12)
    t = np.linspace(low, high, 200001)
    return low + np.trapezoid(1 - law.cdf(t) ** n, t)


@pytest.mark.parametrize("n", [1, 2, 1024, SAMPLES])
def test_maxima_of_normals_have_the_expected_mean(n):
    exact = {1: 0.0, 2: np.pi**-0.5}.get(n) or (by_quadrature(stats.norm, n) if n > 2 else 0.0)
    assert maxima(n).mean().item() == pytest.approx(exact, abs=2e-3)


def test_normals_meet_the_exact_expectation():
    estimate, _ = expected_maximum(drawn(), SAMPLES)
    exact = by_quadrature(stats.norm, SAMPLES)
    assert estimate.mean().item() == pytest.approx(exact, abs=3 * estimate.std().item() / 1000**0.5)


def test_the_tail_of_half_normals_is_nearly_normal():
    estimate, _ = expected_maximum(drawn("half-normal"), SAMPLES)
    assert estimate.mean().item() == pytest.approx(by_quadrature(stats.halfnorm, SAMPLES), rel=0.02)


def test_tails_of_another_shape_are_wrong_as_documented():
    """Exponentials: H_n; uniforms: n / (n + 1). The first tail is heavier than a normal one, the second ends."""
    estimate, _ = expected_maximum(drawn("exponential"), SAMPLES)
    exact = np.euler_gamma + np.log(SAMPLES)
    assert 0.8 * exact < estimate.mean() < exact and estimate.mean() > drawn("exponential").amax(1).mean()
    estimate, _ = expected_maximum(drawn("uniform"), SAMPLES)
    assert 1 < estimate.mean() < 1.12


@pytest.mark.parametrize(
    ("kind", "n"), [("normal", 256), ("normal", 1024), ("half-normal", 1024), ("exponential", 512)]
)
def test_the_standard_error_is_the_spread_of_the_estimate(kind, n):
    estimate, error = expected_maximum(drawn(kind, (2000, n, 1)), SAMPLES)
    assert (error**2).mean().sqrt().item() == pytest.approx(estimate.std().item(), rel=0.1)


@pytest.mark.parametrize("samples", [1, 40, 64])
def test_no_more_samples_than_drawn_give_their_maximum(samples):
    x = drawn(shape=(3, 64, 5))
    estimate, error = expected_maximum(x, samples)
    assert torch.equal(estimate, x.amax(1)) and not error.any()


def test_twice_as_many_samples_as_drawn():
    x = drawn(shape=(2000, 512, 1))
    gain = (expected_maximum(x, 1024)[0] - x.amax(1)).mean().item()
    exact = by_quadrature(stats.norm, 1024) - by_quadrature(stats.norm, 512)
    assert gain == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize("kind", ["normal", "exponential", "uniform"])
def test_estimates_grow_with_the_samples_and_never_lie_below_the_largest_drawn(kind):
    x = drawn(kind, (50, 100, 2))
    estimates = torch.stack([expected_maximum(x, n)[0] for n in (100, 101, 200, 1000, 10**5, 10**8)])
    assert (estimates.diff(dim=0) >= 0).all() and torch.equal(estimates[0], x.amax(1))


def test_constant_columns_stay_exactly_what_they_are():
    x = torch.cat([drawn(shape=(100, 1)), torch.zeros(100, 1), torch.full((100, 1), 0.1)], 1).float()
    estimate, error = expected_maximum(x, SAMPLES)
    assert estimate[1] == 0 and estimate[2] == torch.tensor(0.1) and not error[1:].any()
    assert error[0] > 0 and estimate.dtype == error.dtype == torch.float32


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5, 0.99])
def test_a_quantity_that_is_often_zero_gives_numbers(share):
    """A network that is dead in a part of the ball."""
    alive = drawn("uniform", (20, 200, 3)) < share
    estimate, error = expected_maximum(torch.where(alive, 1 + drawn("uniform", (20, 200, 3), seed=1), 0), SAMPLES)
    assert estimate.isfinite().all() and error.isfinite().all() and (error >= 0).all()


def test_order_scale_and_batch_do_not_matter():
    x = drawn(shape=(4, 1024, 3))
    estimate, error = expected_maximum(x, SAMPLES)
    shuffled = x[:, torch.randperm(1024, generator=torch.Generator().manual_seed(1))]
    for a, b in zip(expected_maximum(shuffled, SAMPLES), (estimate, error), strict=True):
        assert torch.equal(a, b)
    for i in range(4):
        one, its_error = expected_maximum(3 * x[i] + 7, SAMPLES)
        torch.testing.assert_close(one, 3 * estimate[i] + 7)
        torch.testing.assert_close(its_error, 3 * error[i])


def test_float32_loses_nothing_that_matters():
    x = 100 + drawn(shape=(1024, 9))
    for a, b in zip(expected_maximum(x.float(), SAMPLES), expected_maximum(x, SAMPLES), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-5)


def test_too_few_draws_are_refused():
    with pytest.raises(ValueError, match="draw at least 20"):
        expected_maximum(drawn(shape=(19, 2)), SAMPLES)
    assert expected_maximum(drawn(shape=(20, 2)), SAMPLES)[0].isfinite().all()


@pytest.mark.parametrize("kind", [torch.randn, torch.rand])
def test_the_error_is_the_jackknifes_also_where_the_largest_draw_is_what_is_told(kind):
    norms = 10 + kind(1024, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    _, error = expected_maximum(norms, 51200)
    order = norms.sort(0, descending=True).values
    without = torch.stack([expected_maximum(torch.cat([order[:i], order[i + 1 :]]), 51200)[0] for i in range(520)])
    times = torch.ones(520, 1, dtype=torch.float64)
    times[-1] = 1024 - 519  # values below the upper half leave the same behind
    mean = (times * without).sum(0) / 1024
    expected = (1023 / 1024 * (times * (without - mean) ** 2).sum(0)).sqrt()
    assert (error > 0).all() and (error / expected - 1).abs().median() < 0.02
