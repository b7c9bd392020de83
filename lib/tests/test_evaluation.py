"""The whole answer in one call, against the functions behind it, independent counts, and exact distances."""

import re
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import lib
from lib.attacks import gradient_lengths
from lib.evaluation import Evaluation, evaluate
from lib.margins import margins_with_errors
from lib.strong_attack import withstands
from lib.tests.exact_distances import exact_distances, tiny_network

EPS = (0.4, 0.1)  # in any order
SETTINGS = {"eps": EPS, "radius": 0.3, "samples": 2000, "drawn": 64, "iterations": 60, "steps": 40}


@pytest.fixture(scope="module")
def digits():
    model, x, y = tiny_network(seed=0)
    return model, x[:40], y[:40]


@pytest.fixture(scope="module")
def it(digits):
    return evaluate(*digits, **SETTINGS, generator=torch.Generator().manual_seed(0), progress=False)


def test_the_points_are_those_of_the_functions_behind_it(digits, it):
    model, x, y = digits
    points, source = it.points, torch.Generator().manual_seed(0)
    assert isinstance(it, Evaluation) and len(points) == 40 and points.dtype.names[6:] == ("eps0.4", "eps0.1")
    margin, error = margins_with_errors(model, x, y, radius=0.3, samples=2000, drawn=64, generator=source)
    held = torch.cat([withstands(model, x, y, eps=[eps], iterations=60, steps=40) for eps in EPS], 1)
    expected = {
        "label": y, "prediction": model(x).argmax(1), "margin": margin, "margin_error": error,
        "gradient": gradient_lengths(model, x, y), "eps0.4": held[:, 0], "eps0.1": held[:, 1],
    }  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_array_equal(points[name], values.numpy(), err_msg=name)
    exact = exact_distances(model, x)
    assert (points["distance"] >= exact * (1 - 1e-4)).all() and np.median(points["distance"] / exact) < 1.001


def test_the_numbers_are_counted_anew_from_the_points(it):
    points = it.points.tolist()
    n, right = len(points), sum(row[0] == row[1] for row in points)
    margins = [row[2] for row in points]
    mean = sum(margins) / n
    error = (sum((margin - mean) ** 2 for margin in margins) / (n - 1) / n) ** 0.5
    assert it.average_margin == pytest.approx((mean, error), rel=1e-6)
    assert it.minimum_margin == pytest.approx(min((row[2], row[3]) for row in points))
    assert it.average_distance.value == pytest.approx(sum(map(abs, margins)) / n)
    share = (right + 1) / (n + 2)
    assert it.clean_accuracy == pytest.approx((100 * right / n, 100 * (share * (1 - share) / (n + 2)) ** 0.5))
    assert [found.value for found in it.robust_accuracy] == [
        100 * sum(row[6 + j] for row in points) / n for j in (0, 1)
    ]
    assert it.robust_accuracy[0].value < it.robust_accuracy[1].value < it.clean_accuracy.value
    assert it.capped == 100 * sum(abs(margin) >= np.float32(0.3) for margin in margins) / n > 0
    assert it.exceeding == 100 * sum(abs(row[2]) > 1.001 * row[4] for row in points) / n


def test_it_prints_a_table_of_ten_lines(it):
    lines = str(it).splitlines()
    assert len(lines) == 10 and "64 of 2,000 samples in radius 0.3" in lines[3]
    numbers = [list(map(float, re.findall(r"-?\d+\.\d+", line))) for line in lines[1:3]]
    shares = (it.clean_accuracy, *it.robust_accuracy)
    assert np.allclose(numbers, [[s.value for s in shares], [s.error for s in shares]], atol=0.051)
    assert f"{it.average_margin.value:.4g} ± {it.average_margin.error:.2g}" in lines[4]
    assert f"{it.minimum_margin.value:.4g}" in lines[5] and lines[7].endswith(f"{it.capped:.1f}")


def test_it_draws_two_panels_and_fills_a_data_frame(it, tmp_path):
    pandas = pytest.importorskip("pandas")
    figure = it.plot()
    left, right = figure.axes
    assert sum(bar.get_height() for bar in left.patches) == 40
    line = right.lines[0]
    assert line.get_xdata().tolist() == [0, 0.1, 0.4] and line.get_ydata()[0] == it.clean_accuracy.value
    assert sorted(line.get_ydata(), reverse=True) == line.get_ydata().tolist()
    figure.savefig(tmp_path / "it.png")
    frame = pandas.DataFrame(it.points)
    assert frame["eps0.1"].mean() * 100 == pytest.approx(it.robust_accuracy[1].value)


def test_confident_networks_hide_their_gradients_and_linear_margins_do_not_exceed():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(5, 3)).requires_grad_(False), torch.rand((20, 5))
    with torch.no_grad():
        model[0].weight.mul_(1e4)
        model[0].bias.mul_(1e4)
    settings = {"eps": 0.05, "samples": 20, "drawn": None, "radius": 9.0, "iterations": 20, "progress": False}
    it = evaluate(model, x, model(x).argmax(1), **settings)
    assert it.hidden > 90 and it.exceeding == 0 and it.capped == 0 and it.clean_accuracy.value == 100
    assert 0 < it.clean_accuracy.error < 6 and it.minimum_margin.error == 0


def test_standardised_columns_are_measured_without_a_word(digits):
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(5, 3)).requires_grad_(False), 3 * torch.randn((20, 5))
    settings = {"samples": 20, "drawn": None, "step": 0.1, "iterations": 20, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inside = evaluate(model, x, model(x).argmax(1), bounds=(x.min(0).values, x.max(0).values), **settings)
        free = evaluate(model, x, model(x).argmax(1), bounds=None, **settings)
    assert (inside.points["eps0.5"] >= free.points["eps0.5"]).all()
    with pytest.raises(ValueError, match="None for none"):
        evaluate(model, x, model(x).argmax(1), **settings)


def test_the_bar_says_beforehand_how_long_it_will_take(digits, capsys):
    evaluate(*digits, **SETTINGS)
    out, err = capsys.readouterr()
    assert out == "" and re.search(r"after 3 of 40 points: about \d+ s to go *\n", err)
    shares = [int(share) for share in re.findall(r"(\d+) %", err)]
    assert len(shares) > 40 and shares[-1] == 100 and err.endswith("\n") and err.count("\n") == 2
    evaluate(*digits, **SETTINGS, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "change", [{"eps": ()}, {"eps": -1}, {"step": 0}, {"iterations": 0}, {"radius": 0}, {"drawn": 3}, {"steps": 0}]
)
def test_what_makes_no_sense_is_refused_before_the_margins_are_sampled(digits, change, monkeypatch):
    model, x, y = digits
    monkeypatch.setattr("lib.margins.largest_first", lambda *arguments: pytest.fail("margins were sampled"))
    with pytest.raises(ValueError, match=next(iter(change)).removesuffix("s").replace("drawn", "3 of 2000")):
        evaluate(model, x, y, **SETTINGS | change, progress=False)
    with pytest.raises(ValueError, match="40 points and y 39 labels"):
        evaluate(model, x, y[:-1], progress=False)


def test_the_package_exports_the_function_and_not_its_module():
    assert lib.evaluate is evaluate and lib.evaluation.evaluate is evaluate
