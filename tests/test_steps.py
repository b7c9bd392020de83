"""Twice the paper's steps (rule 9 of docs/readings.md): counted and judged as written, and the docs show the table."""

import pandas as pd
import pytest
import torch
from scipy.stats import binomtest

from benchmarks import steps, stopped
from lib.attacks import HELD, breaking_steps
from lib.models import build
from report.results import METHODS
from tests.workflow import ROOT
from workflow_scripts.common.checkpoints import save


def test_each_half_is_counted():
    broken_at = torch.tensor([0, 500, 501, 1000, 1001, 2000, HELD])
    found = steps.line("mlp", "std", 2.0, broken_at)
    assert (found["images"], found["second_half"], found["beyond"]) == (7, 2, 2)


@pytest.mark.parametrize(("beyond", "verdict"), [(0, "holds"), (4, "open"), (11, "open"), (20, "open"), (21, "fails")])
def test_verdicts_are_those_of_exact_intervals_and_of_all_rows_together(beyond, verdict):
    rows = [{"images": 1000, "beyond": beyond}, *[{"images": 1000, "beyond": 0}] * 15]
    found = steps.judged(pd.DataFrame(rows)).iloc[0]
    interval = binomtest(beyond, 1000).proportion_ci(0.95)
    assert (found["low"], found["high"]) == pytest.approx((100 * interval.low, 100 * interval.high))
    assert found["verdict"] == verdict
    alone = steps.judged(pd.DataFrame(rows[:1])).iloc[0]["verdict"]
    assert alone == ("fails" if beyond >= 20 else verdict)


def test_an_image_that_a_smaller_radius_broke_late_is_attacked_again_at_the_larger_ones():
    network, radii = build("mnist", "mlp", seed=0).eval().requires_grad_(False), [0.3, 0.35, 0.4, 0.45, 0.5]
    x = torch.rand(300, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    y, attack = network(x).argmax(1), {"step": 0.05, "iterations": 40}
    alone = torch.stack([breaking_steps(network, x, y, eps=[eps], **attack)[:, 0] for eps in radii], 1)
    first = alone.where(alone != HELD, 99).cummin(1).values
    given = breaking_steps(network, x, y, eps=radii, **attack)
    assert torch.equal(steps.soonest(network, x, y, given, radii, attack), first.where(first != 99, HELD))
    assert (given > first).any()  # it keeps the late step


def test_a_network_is_attacked_for_twice_the_steps(tmp_path):
    path = tmp_path / "mnist/mlp/std/seed0/checkpoints.safetensors"
    path.parent.mkdir(parents=True)
    save(path, {1: build("mnist", "mlp").state_dict()}, {})
    places = ["--weights", str(tmp_path), "--output", str(tmp_path / "steps.csv")]
    steps.main([*places, "--networks", "mlp-std-4", "--source", "embedded"])
    table = pd.read_csv(tmp_path / "steps.csv")
    assert table["eps"].tolist() == [0.5, 1.0, 1.5, 2.0] and set(table["images"]) == {4}
    assert set(table["verdict"]) <= {"open", "holds", "fails"}


def test_the_docs_show_the_table():
    docs, marks = (ROOT / "docs/attack.md").read_text(), {"holds": "", "open": " ?", "fails": " **✗**"}
    table = pd.read_csv(ROOT / "benchmarks/results/steps.csv")
    pd.testing.assert_frame_equal(steps.judged(table.iloc[:, :6]), table, rtol=1e-3)
    for (model, method), rows in table.groupby(["model", "method"]):
        cells = [
            f"{100 * row.beyond / row.images:.1f} ({row.low:.1f} to {row.high:.1f}){marks[row.verdict]}"
            for row in rows.itertuples()
        ]
        name = f"{model.upper()}, {METHODS[method]}, {rows['images'].iloc[0]:,} images"
        assert len(cells) == 4 and f"| {name} | {' | '.join(cells)} |" in docs


def test_the_docs_show_what_fewer_steps_would_have_left():
    table = pd.read_csv(ROOT / "benchmarks/results/stopped.csv").query("eps >= 1.5")
    docs = (ROOT / "docs/attack.md").read_text()
    for count, rows in table.groupby("steps"):
        cells = rows["held"].map("{:.1f}".format)  # by method, then by eps
        assert len(cells) == 6 and f"| {count:,} | {' | '.join(cells)} |" in docs


def test_fewer_steps_are_counted_from_the_soonest_step_at_any_radius():
    found = stopped.line(("mnist", "mlp", "std", 0), 2.0, 300, torch.tensor([0, 299, 300, 301, HELD]))
    assert (found["images"], found["held"], found["method"]) == (5, 40, "std")
