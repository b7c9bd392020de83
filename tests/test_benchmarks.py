import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import extrapolation, timing
from benchmarks.attacks import gradients_of
from benchmarks.gradients import backward_flops
from lib.attacks import breaking_steps
from lib.models import build

ROOT = Path(__file__).parents[1]
WITHOUT_PEERS = """
import sys
sys.modules.update(foolbox=None, torchattacks=None, art=None)
from benchmarks.__main__ import main
main(sys.argv[1:])
"""


class Stopwatch:
    """A clock that moves only when a method says how long it took."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def __call__(self):
        return self.now

    def method(self, name, durations):
        durations = iter(durations)

        def run():
            self.calls.append(name)
            self.now += next(durations)

        return run


def test_methods_run_in_turn_and_the_first_round_does_not_count():
    clock = Stopwatch()
    methods = {"ours": clock.method("ours", [9, 1, 3, 2]), "other": clock.method("other", [9, 8, 4, 6])}
    assert timing.measure(methods, 0, clock) == {"ours": [1, 3, 2], "other": [8, 4, 6]}
    assert clock.calls == ["ours", "other"] * 4


def test_a_larger_budget_gives_more_rounds():
    clock = Stopwatch()
    methods = {name: clock.method(name, [1] * 99) for name in ("ours", "other")}
    assert {len(runs) for runs in timing.measure(methods, 10, clock).values()} == {10}


def test_rows_have_medians_ratios_and_verdicts():
    times = {"ours": [1.0, 4.0, 2.0], "slow": [10.0, 10.0, 10.0], "ours, amr": [4.0, 5.0, 6.0]}
    work = {"ours": 100, "slow": 50, "ours, amr": 100}
    ours, slow, amr = timing.rates("item", times, work, "1/s", targets={"slow": (">=", 12), "ours, amr": ("<=", 3)})
    assert (ours["value"], ours["lowest"], ours["highest"], ours["ratio"]) == (50, 25, 100, "")
    assert (slow["value"], slow["ratio"], slow["target"], slow["met"]) == (5, 10, ">= 12", "no")
    assert (amr["ratio"], amr["target"], amr["met"]) == (2.5, "<= 3", "yes")
    assert list(ours) == timing.COLUMNS


def test_the_fastest_setting_is_found_after_a_warm_up():
    clock = Stopwatch()
    settings = {16: clock.method("", [0, 3, 3]), 64: clock.method("", [9, 4, 2]), 256: clock.method("", [1, 5, 5])}
    assert timing.fastest(settings, clock) == 64


@pytest.mark.filterwarnings("ignore:.* cannot reach eps")
def test_gradients_of_the_attack_are_counted():
    model = build("mnist", "lr").eval().requires_grad_(False)
    x = torch.full((3, 1, 28, 28), 0.5)
    y = model(x).argmax(1) + torch.tensor([0, 0, 1])  # the last is wrong without an attack
    counted = gradients_of(lambda: breaking_steps(model, x, y % 10, eps=[9.0], step=1e-5, iterations=4))
    assert counted == 5 + 5 + 1


def test_operations_of_a_class_gradient_as_counted_by_hand():
    assert backward_flops(build("mnist", "mlp"), torch.zeros(1, 1, 28, 28)) == 2 * (784 * 1024 + 1024 * 10)
    convolutions = 26**2 * 9 * 32 + 24**2 * 9 * 32 * 32 + 10**2 * 9 * 32 * 64 + 8**2 * 9 * 64 * 64
    linear = 64 * 16 * 200 + 200 * 200 + 200 * 10
    assert backward_flops(build("mnist", "cnn"), torch.zeros(1, 1, 28, 28)) == 2 * (convolutions + linear)


def test_hours_are_the_configured_work_over_the_rates():
    config = {
        "runs": {"mnist": {"lr": ["std"], "mlp": ["std", "amr"]}},
        "seeds": [0, 1],
        "training": {"epochs": {"lr": 3, "mlp": 6}},
        "points": {"train": 10, "test": 20, "whole": []},
        "strong": {"iterations": 9},
        "margins": {"samples": 400, "drawn": None, "followed": []},
        "convergence": {"drawn": None},
        "checkpoints": {"lr": [1], "mlp": [1, 2]},
        "attack": {"points": None, "eps": {"mnist": [0.5, 1.0]}, "iterations": 9},
    }
    images = {("mnist", "lr", "std"): 100, ("mnist", "mlp", "std"): 100, ("mnist", "mlp", "amr"): 50}
    rates = images, {("mnist", "mlp"): 30}, {("mnist", "mlp"): 20}
    rows = extrapolation.full_run(config, "here", None, *rates)
    hours = {row["method"]: row["value"] for row in rows}
    assert hours.pop("training, MNIST LR") == 2 * 3 * 60000 / 100 / 3600
    assert hours.pop("training, MNIST MLP") == pytest.approx(2 * 6 * 60000 * (1 / 100 + 1 / 50) / 3600)
    assert hours.pop("margins, MNIST MLP") == 4 * 2 * 30 * 400 * 9 / 30 / 3600
    assert hours.pop("attack, MNIST MLP") == 4 * 10000 * 2 * 9 / 20 / 3600
    assert hours.pop("sum") == pytest.approx(sum(row["value"] for row in rows[:-1]))
    assert not hours
    (few,) = [
        row for row in extrapolation.full_run(config, "here", 40, *rates) if row["method"] == "margins, MNIST MLP"
    ]
    assert few["value"] == 4 * 2 * 30 * 40 * 9 / 30 / 3600 and few["item"] == "here"


@pytest.mark.slow
def test_the_whole_run_without_peers(tmp_path):
    command = [sys.executable, "-c", WITHOUT_PEERS, "--seconds", "0.001", "--threads", "1", "--device", "cpu"]
    subprocess.run([*command, "--output", tmp_path], cwd=ROOT, check=True, capture_output=True, text=True)
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == timing.COLUMNS
    missing = {row["method"] for row in rows if row["note"].endswith("is not installed")}
    assert missing == {"ART clever_u", "ART clever_u, tuned", "foolbox", "torchattacks", "AutoAttack"}
    unmeasured = {row["method"] for row in rows if not row["value"]}
    assert unmeasured == {*missing, "all of the below"}, "the GPU"
    for item in ("class gradients", "attack", "training"):
        found = [row for row in rows if row["item"] == f"{item}, MNIST CNN"]
        assert found[0]["method"] == "ours"
        assert all(float(row["ratio"]) > 0 for row in found[1:] if row["value"])
    assert "SIZES REDUCED" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "bars.png").stat().st_size > 10_000
