"""python -m benchmarks.hours: write the hours of the paper's run from results/table.csv into README.md and docs/.

They stand between two comments there, so that no two places disagree; a test compares them.
"""

import csv

from workflow_scripts.common.files import write_text

from .extrapolation import ITEM
from .shared import ROOT, TABLE, markdown

PLACES = ("README.md", "docs/scaling.md")
START, END = "<!-- hours: python -m benchmarks.hours -->\n", "<!-- /hours -->"
PHASES = ("training", "margins", "attack")


def main():
    for place in PLACES:
        path = ROOT / place
        write_text(with_hours(path.read_text(encoding="utf-8"), summary(TABLE)), path)


def with_hours(text, table):
    """Return the text with the table between the two comments; ValueError where they are not there."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"the comments {START.strip()} and {END} are missing")
    return f"{before}{START}{table}\n{END}{after}"


def summary(path):
    """Return the hours of each phase, a line for each machine and way of taking the margins, in Markdown."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["item"].startswith(ITEM) and row["value"]]
    lines = []
    for item in dict.fromkeys(row["item"] for row in rows):
        hours = dict.fromkeys(PHASES, 0.0)
        for row in rows:
            phase = row["method"].split(",")[0]
            if row["item"] == item and phase in hours:
                hours[phase] += float(row["value"])
        values = [*hours.values(), sum(hours.values())]
        lines.append(
            [item.removeprefix(ITEM), *(f"{value:,.0f}" if value >= 10 else f"{value:.1f}" for value in values)]
        )
    return markdown(["hours", "training", "margins", "attack, at most", "sum"], lines)


if __name__ == "__main__":
    main()
