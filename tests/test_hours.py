"""The hours in README and docs are those of the benchmark's table."""

import pytest

from benchmarks.hours import END, PLACES, START, TABLE, summary, with_hours
from tests.workflow import ROOT


@pytest.mark.parametrize("place", PLACES)
def test_every_place_has_the_hours_of_the_table(place):
    text = (ROOT / place).read_text()
    assert with_hours(text, summary(TABLE)) == text, "python -m benchmarks.hours writes them anew"


def test_phases_are_summed_machine_by_machine(tmp_path):
    rows = [("a", "training, A", 2.5), ("a", "margins, A", 40), ("a", "margins, B", 60), ("a", "sum", 102.5)]
    rows += [("b", "attack, A", 0.25), ("b", "sum", 0.25)]
    lines = [f'"hours of the paper\'s run, {item}","{method}",{hours}' for item, method, hours in rows]
    (tmp_path / "table.csv").write_text("\n".join(["item,method,value", "training,ours,99", *lines]))
    assert summary(tmp_path / "table.csv").splitlines()[2:] == [
        "| a | 2.5 | 100 | 0.0 | 102 |",
        "| b | 0.0 | 0.0 | 0.2 | 0.2 |",
    ]


def test_a_place_without_the_comments_is_an_error():
    assert with_hours(f"x\n{START}old\n{END}\ny", "new") == f"x\n{START}new\n{END}\ny"
    with pytest.raises(ValueError, match="are missing"):
        with_hours(f"x\n{START}old", "new")
