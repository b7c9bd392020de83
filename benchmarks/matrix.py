"""python -m benchmarks.matrix: the answer of all parts by the rules of today, in reference_results/matrix.md.

Reads the tables of the parts whose networks were trained for the paper's epochs at the paper's settings, and judges
them as one run. What a later part measured of the same networks, on more points, images or seeds, stands in its place.
README.md shows the same matrix without its effects.
"""

import argparse
from collections import Counter
from pathlib import Path

import pandas as pd
import yaml

from report import answer
from report.claims import FAILS, HOLDS, OPEN, settled
from report.results import COLUMNS, Context
from report.settings import networks
from report.verdicts import judge
from workflow_scripts.common.defaults import completed
from workflow_scripts.common.files import write_text
from workflow_scripts.common.released import read_about

from .shared import ROOT, markdown

PARTS, LATER = ["mnist", "cifar10", "cifar10-mlp"], ["mnist-cnn", "mnist-mlp-std"]
ABOUT = """Does the paper hold? By the rules of [docs/verdicts.md](../docs/verdicts.md), from the tables of {parts}:
where the last two measured more, their rows stand.
Of {rows} comparisons {holds} hold, {fails} fail and {open} are open: what would decide them stands in
[docs/results.md](../docs/results.md#what-is-open-and-what-would-decide-it).

A cell has the verdict (✓ holds, ✗ fails, ? open), then the effect that decides it with its 95 % interval; to fail
takes a wider one, and averages need the attack's distances to agree. Empty: the claim does not speak of this network.
L2 distances with pixels in [0, 1]; robust accuracy in points. One seed each, and the verdict holds for that training
run; the rows of claims 3 and 4 on MNIST's MLP are of three."""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "reference_results")
    folder = parser.parse_args(argv).folder
    write_text(text(*judged(folder)), folder / "matrix.md")


def judged(folder):
    """Return the claims, judged on all parts together, and their Context."""
    claims, context = judged_as_one(folder, PARTS)
    later, _ = judged_as_one(folder, LATER)
    return [with_later(claim, again) for claim, again in zip(claims, later, strict=True)], context


def with_later(claim, later):
    """Return a claim with those rows of `later` that were measured there."""
    place = (lambda case: case[:2]) if claim.key == "8" else (lambda case: case)  # whose names tell how many were drawn
    rows = {place(row.case): row for row in claim.rows} | {place(row.case): row for row in later.rows if row.seeds}
    return claim._replace(rows=settled(rows.values()))


def judged_as_one(folder, parts):
    """Return the claims, judged on some parts as if they were one run, and their Context."""
    tables, data, found = {name: [] for name in COLUMNS}, {}, {}
    base = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    for part in parts:
        about = read_about(folder / part / "run.json")
        settings = base | completed(about["settings"])
        data |= {of["dataset"]: of for of in about["data"]}
        found |= {name: of for name, of in networks(settings).items() if settings["runs"][name[0]][name[1]]}
        for path in (folder / part).glob("*.csv*"):
            if (name := path.name.partition(".")[0]) in tables:
                tables[name].append(pd.read_csv(path))
    frames = {name: pd.concat(of) if of else pd.DataFrame(columns=COLUMNS[name]) for name, of in tables.items()}
    errors = frames["margins"].get("margin_error", pd.Series(0.0, frames["margins"].index))
    frames["margins"]["margin_error"] = errors.fillna(0.0)  # where all samples were drawn
    context = Context(data, found, settings, "")
    return judge(frames, context), context


def text(claims, context):
    """Return the page: how many rows are decided, and the matrix with an effect in each cell."""
    matrix = answer.matrix(claims, context)
    count = Counter(row.verdict for claim in claims for row in claim.rows if row.case[:2] in context.networks)
    numbers = {"holds": count[HOLDS], "fails": count[FAILS], "open": count[OPEN]}
    about = ABOUT.format(parts=", ".join(PARTS + LATER), rows=count.total(), **numbers)
    lines = [[f"**{row['key']}** {row['name']}", *map(cell, row["cells"])] for row in matrix["rows"]]
    return f"# The answer\n\n{about}\n\n{markdown(['claim', *matrix['header']], lines)}\n"


def cell(of):
    if not of:
        return ""
    interval = f" ({of['interval']})" if of["interval"] else ""
    return f"**{of['badge']['symbol']}** {of['effect']}{interval}"


if __name__ == "__main__":
    main()
