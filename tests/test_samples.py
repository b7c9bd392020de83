"""The study of docs/samples.md: its estimators on simulated draws, its margins and its rule on made-up numbers."""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import norms, samples
from benchmarks.estimators import ALL, weighted
from lib.extremes import maxima, scores
from lib.models import build

SAMPLES = 51200
BY_MAXIMA = ("CLEVER, end",)  # estimates an end point, which a normal has not


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("largest", *BY_MAXIMA)])
def test_every_estimator_comes_near_the_maximum_of_normals(name):
    """Within 0.5 standard deviations: maxima of 1,024 lie 0.99 below it."""
    draws = torch.randn((40, 1024, 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    estimate, error = ALL[name](draws, SAMPLES)
    assert estimate.mean().item() == pytest.approx(maxima(SAMPLES).mean().item(), abs=0.5)
    assert (estimate >= draws.amax(1)).all() and not (error < 0).any()


def test_clever_finds_the_end_of_uniforms():
    draws = torch.rand((40, 1024, 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert ALL["CLEVER, end"](draws, SAMPLES)[0].mean().item() == pytest.approx(1, abs=1e-3)


def test_weighted_line_is_exact_on_a_line():
    z = scores(500)[:50]
    torch.testing.assert_close((2 + 3 * z) @ weighted(500), torch.tensor([2.0, 3.0], dtype=torch.float64))


def test_margins_and_their_errors():
    largest, error = torch.tensor([[2.0, 1.0], [0.1, 0.0]]), torch.tensor([[0.2, 0.3], [0.1, 0.0]])
    gaps = torch.tensor([2.0, 3.0])
    assert samples.margin(largest, gaps).tolist() == [1, 5]
    assert samples.margin_error(largest, error, gaps).tolist() == pytest.approx([0.1, 0])  # capped: no error


def test_a_row_judges_bias_spread_and_claims():
    real = torch.tensor([1.0, 2.0], dtype=torch.float64)
    noise = torch.randn((2, 500), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = real[:, None] * (1.01 + 0.02 * noise)
    row = samples.judge(found, torch.full_like(found, 0.02), real, 1.02 * real, torch.zeros(2))
    assert row["bias"] == pytest.approx(1, abs=0.1) and row["smooth_bias"] == pytest.approx(-1, abs=0.1)
    assert row["scatter"] == pytest.approx(2, rel=0.1) and row["rms"] == pytest.approx(5**0.5, rel=0.1)
    assert row["claimed"] == pytest.approx(2) and 88 < row["covered"] < 95


def test_the_rule_takes_the_simplest_of_those_that_tie():
    def table(**worst):
        rows = [(network, name, bias, 0.1, rms) for name, (bias, rms) in worst.items() for network in "ab"]
        return pd.DataFrame(rows, columns=["network", "estimator", "bias", "bias_error", "rms"])

    others = {name: (3.0, 5.0) for name in ALL}
    assert samples.choice(table(**others | {"normal": (0.35, 1), "Pareto": (-0.3, 1)}))[0] == "normal"
    assert samples.choice(table(**others | {"normal": (0.45, 1), "Pareto": (-0.3, 1)}))[0] == "Pareto"
    assert samples.choice(table(**others | {"normal": (0.1, 2.5), "Pareto": (-0.3, 2)}))[0] == "Pareto"
    chosen, why = samples.choice(table(**others | {"normal": (0.1, 2.5)}))
    assert chosen == "normal" and "None" in why


@pytest.mark.parametrize("dataset, model", [("mnist", "mlp"), ("mnist", "cnn")])
def test_some_classes_have_the_norms_of_all(dataset, model):
    network = build(dataset, model).eval().requires_grad_(False)
    x = torch.rand((5, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    top = network(x[:1]).argmax(1).expand(5)
    classes = torch.tensor([k for k in range(10) if k != top[0]][:2])
    expected = norms.cross_lipschitz(network)(x, top)[:, classes]
    torch.testing.assert_close(norms.some_classes(network, classes, x, top), expected, rtol=1e-4, atol=1e-6)


def test_nearest_classes():
    logits, largest = torch.tensor([5.0, 4.0, 3.0, 0.0]), torch.tensor([0.0, 2.0, 3.5, 1.0])
    assert norms.nearest(logits, largest, 1.25).tolist() == [1, 2]  # distances 0.5, 0.57, 5


def test_the_study_runs_from_files(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(samples, "SAMPLES", 8192)
    rng = np.random.default_rng(0)
    for i in range(2):
        folder = tmp_path / "norms" / "mnist-mlp-std-8"
        folder.mkdir(parents=True, exist_ok=True)
        about = {"logits": np.float32([3, 2, 0]), "classes": np.arange(3), "label": 0}
        np.savez(folder / f"point{i}.npz", norms=rng.normal(10, 1, (8192, 3)).astype(np.float32), **about)
    given = ["--norms", tmp_path / "norms", "--output", tmp_path, "--figure", tmp_path / "figure.png"]
    samples.main([str(argument) for argument in given])
    table = pd.read_csv(tmp_path / "samples.csv")
    assert set(table.estimator) == set(ALL) and (table.points == 2).all() and (tmp_path / "figure.png").stat().st_size
    assert "MNIST MLP Std, 8 epochs" in capsys.readouterr().out


def test_networks_whose_norms_are_not_there_keep_their_lines(tmp_path):
    path = tmp_path / "samples.csv"
    first = pd.DataFrame({"network": ["cifar10-mlp-std-8", "mnist-cnn-amr-200"], "bias": [1.0, 2.0]})
    assert list(samples.with_earlier(first, path).bias) == [2.0, 1.0]
    first.to_csv(path, index=False)
    anew = pd.DataFrame({"network": ["mnist-cnn-amr-200", "mnist-cnn-amr-10"], "bias": [3.0, 4.0]})
    assert list(samples.with_earlier(anew, path).bias) == [4.0, 3.0, 1.0]
