"""The time that jobs ask a scheduler for follows from the config and from rates that were measured."""

import csv
import re
from types import SimpleNamespace

import pytest
import yaml

from report.results import MODELS, OFFICIAL
from rules.times import CLASS_GRADIENTS, DAY, IMAGES, STEPS, minutes
from tests.workflow import ROOT

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
THREADS = 2  # of the benchmark


def run(dataset="mnist", model="mlp", method="std"):
    return SimpleNamespace(dataset=dataset, model=model, method=method)


def changed(**sections):
    return {key: value | sections.get(key, {}) if isinstance(value, dict) else value for key, value in CONFIG.items()}


def test_by_hand():
    assert minutes("margins", CONFIG, run()) == 10 + -(-2 * 1000 * 51200 * 9 // (48_000 * 60))
    assert minutes("margins", changed(margins={"drawn": 1024}), run()) == 10 + 7
    assert minutes("convergence", changed(convergence={"points": 1}), run()) == 10 + 1
    assert minutes("train", CONFIG, run(model="cnn")) == 10 + -(-2 * 200 * 60000 // (890 * 60))
    assert minutes("attack", changed(attack={"points": 100}), run()) == 10 + -(-2 * 100 * 4 * 1000 // (20_000 * 60))
    assert minutes("attack_strong", changed(attack={"points": 100}), run()) == 10 + 2
    every, last = (changed(margins={"followed": followed}) for followed in (["std"], []))
    assert minutes("bracket", every, run()) - 10 == -(-2 * 10 * 1000 * 200 // (20_000 * 60))
    assert minutes("bracket", last, run()) - 10 == 1
    assert minutes("masking", CONFIG, run()) == 10 + -(-2 * 200 * 15 * 1000 // (20_000 * 60))


def test_threads_share_the_work_and_a_gpu_has_a_day():
    alone, two = (minutes("margins", CONFIG | {"threads": n}, run("cifar10", "cnn")) for n in (1, 2))
    assert alone - 10 == pytest.approx(2 * (two - 10), abs=1) and two > DAY
    assert minutes("margins", CONFIG, run("cifar10", "cnn"), gpu=True) == DAY
    assert minutes("masking", CONFIG, run(), gpu=True) == minutes("masking", CONFIG, run()) < DAY
    with pytest.raises(ValueError, match="rule svm: its work is not known"):
        minutes("svm", CONFIG, run())


def measured(item):
    with (ROOT / "benchmarks" / "results" / "table.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["item"] == item and row["method"].startswith("ours")]


@pytest.mark.parametrize(
    ("rates", "item"), [(CLASS_GRADIENTS, "class gradients"), (STEPS, "attack steps"), (IMAGES, "training")]
)
def test_rates_are_no_better_than_those_measured(rates, item):
    for (dataset, model), rate in rates.items():
        rows = measured(f"{item}, {OFFICIAL[dataset]} {MODELS[model]}")
        values = [float(row["value"]) for row in rows]
        if item == "training":
            images = int(re.search(r"[\d,]+", rows[0]["note"])[0].replace(",", ""))
            values = [value * images for value in values]
        assert 0.3 * min(values) < THREADS * rate < 1.02 * min(values), (dataset, model)
