import numpy as np
import pytest

from lib.svm import hard_margin_svm


def test_four_points_by_hand():
    """The widest street between (0, 0), (0, 2) and (4, 0), (4, 2) is the line x = 2, at distance 2."""
    weight, bias = hard_margin_svm([[0, 0], [0, 2], [4, 0], [4, 2]], [3, 3, 7, 7])
    norm = np.linalg.norm(weight)
    np.testing.assert_allclose(weight / norm, [1, 0], atol=1e-5)
    assert -bias / norm == pytest.approx(2, rel=1e-5)
    assert 1 / norm == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_direction_has_a_larger_minimum_margin(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 2))
    y = (x @ [1, 2] > 0.3).astype(int)
    x += np.where(y, 1, -1)[:, None] * np.array([1, 2]) * 0.2
    weight, bias = hard_margin_svm(x, y)
    sign = np.where(y, 1, -1)
    found = (sign * (x @ weight + bias)).min() / np.linalg.norm(weight)
    angles = np.linspace(0, 2 * np.pi, 200001)
    projected = np.stack([np.cos(angles), np.sin(angles)], 1) @ x.T  # (angles, n)
    best = ((projected[:, y == 1].min(1) - projected[:, y == 0].max(1)) / 2).max()  # by brute force
    assert found == pytest.approx(best, rel=1e-4)


def test_inseparable_points_are_refused():
    with pytest.raises(ValueError, match="not linearly separable"):
        hard_margin_svm([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    with pytest.raises(ValueError, match="two classes"):
        hard_margin_svm([[0.0], [1.0]], [1, 1])
