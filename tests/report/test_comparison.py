import numpy as np
import pandas as pd
import pytest

from report import comparison
from report import table1 as tables
from report.settings import Network
from tests.report.reproduced import reproduced
from tests.report.tidy import QUICK

RUN = {"dataset": "mnist", "model": "cnn", "method": "std", "seed": 0}


@pytest.fixture(scope="module")
def compared():
    made, context = reproduced(checkpoints=QUICK, points=20, images=40)
    table = tables.table1(made["attacks"], made["margin_summary"], context)
    return table


def test_ours_stand_beside_the_published_cell_by_cell(compared):
    both = compared
    cell = both.set_index(["dataset", "model", "method", "column"]).loc["mnist", "cnn", "std", "2.0"]
    assert cell["published"] == 87.52 and cell["difference"] == cell["value"] - 87.52
    assert set(both["epochs"]) == {200} and set(both["images"]) == {40} and set(both["steps"]) == {1000}


def test_illegible_cells_stay_empty(compared):
    both = compared
    empty = both[both["published"].isna()]
    assert set(empty[["dataset", "model", "method"]].itertuples(index=False, name=None)) == {("cifar10", "cnn", "amr")}
    assert len(empty) == 7 and empty["difference"].isna().all() and empty["value"].notna().all()


def attack(held, images, eps):
    return pd.DataFrame(
        [RUN | {"eps": e, "index": i, "held": h} for e in eps for i, h in zip(images, held, strict=True)]
    )


def test_readings_compare_the_same_images():
    configured = attack([1, 1, 1, 0], range(4), [0.0, 1.0, 2.0])
    strong = attack([1, 0, 0], [0, 1, 3], [0.0, 2.0]).assign(gradient=[1e-20, 1, 1] * 2)
    (row,) = comparison.readings(configured, strong, floor=1e-12)  # images 0, 1, 3 at eps 2
    assert (row["eps"], row["images"]) == (2.0, 3)
    assert [row[name] for name in ("configured", "strong", "overstated")] == pytest.approx([200 / 3, 100 / 3, 100 / 3])
    assert row["masked"] == pytest.approx(100 / 3)
    assert row["low"] < 0 < row["high"] and not row["sure"]


def test_an_overstatement_is_sure_where_many_images_say_so():
    configured, strong = attack([1] * 40, range(40), [1.0]), attack([0] * 20 + [1] * 20, range(40), [1.0])
    (row,) = comparison.readings(configured, strong.assign(gradient=1.0), floor=0)
    assert row["sure"] and row["low"] < 50 < row["high"]


def test_failure_rate_counts_points_with_an_adversarial_found():
    run = RUN | {"epoch": 200, "split": "test"}
    pairs = [(0.5, 0.4), (0.5, 0.5), (0.5, 0.6), (0.5, np.nan), (0.5, np.inf)]
    brackets = pd.DataFrame([run | {"index": i, "margin": m, "distance": d} for i, (m, d) in enumerate(pairs)])
    (row,) = comparison.failures(brackets).itertuples()
    assert (row.rate, row.points) == (pytest.approx(100 / 3), 3)


def test_failure_rate_without_an_adversarial_point():
    point = RUN | {"epoch": 1, "split": "test", "index": 0, "margin": 5.0, "distance": np.inf}
    (row,) = comparison.failures(pd.DataFrame([point])).itertuples()
    assert row.points == 0 and np.isnan(row.rate)


def test_margins_told_from_few_samples_are_checked_where_all_were_drawn():
    points = pd.DataFrame({"dataset": "mnist", "model": "mlp", "method": "std", "seed": 0, "index": [3, 8, 9]})
    few = points.assign(samples=800, margin=[1.2, 2.2, -1.1], foretold=[1.01, 1.98, -1.0])
    fewer, every = few.assign(samples=400, foretold=9.0), few.assign(samples=51200, margin=[1.0, 2.0, -1.0])
    table = pd.concat([fewer, few, few.assign(samples=1600), every.assign(foretold=every["margin"])])
    network = Network(200, 500, 500, 51200, 1024, images=10, steps=10, strong_steps=10)
    (line,) = comparison.foretold(table, {("mnist", "mlp"): network})
    assert (line["points"], line["drawn"], line["samples"]) == (3, 800, 51200)
    errors = [1.0, -1.0, 0.0]
    assert line["bias"] == pytest.approx(0, abs=1e-9) and line["rms"] == pytest.approx((2 / 3) ** 0.5)
    assert line["error"] == pytest.approx(np.std(errors, ddof=1) / 3**0.5)
    assert not comparison.foretold(table, {("mnist", "mlp"): network._replace(drawn=None)})
    assert not comparison.foretold(table, {("mnist", "mlp"): network._replace(checked=1024)})
