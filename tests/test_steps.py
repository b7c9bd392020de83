"""Twice the paper's steps (rule 9 of docs/readings.md): counted and judged as written, and the docs show the table."""

import pandas as pd
import pytest
import torch
from scipy.stats import binomtest

from benchmarks import steps
from lib.attacks import HELD
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
