"""python -m benchmarks.joined: table 1 of all parts of reference_results/ beside the published one, in its table1.*.

Of a network that several parts hold, the one that was trained longest stands there.
"""

import argparse
from pathlib import Path

import pandas as pd

from report.page import beside_published
from report.results import DATASETS, METHODS, NETWORK, NETWORKS
from report.table1 import SETTINGS, published
from report.text import LATEX

from .scaling import ROOT

EARLIER = {"epochs_trained": "epochs", "samples_a_point": "samples", "attack_steps": "steps"}
ABOUT = """Clean and robust accuracy in %, average margin of the test points as L2 distance with pixels in [0, 1]: ours,
those of Wu and Yu (2019), and the difference. Epochs of training, samples behind each margin and of these drawn (the
others are told from them), attacked test images, PGD steps. Average distance: of the same margins without their signs
(a misclassified point has a negative one), beside the published average margin once more. Smaller settings than the
published ones: more would take too long on two cores. The last published row is not legible in our copy."""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "reference_results")
    folder = parser.parse_args(argv).folder
    table, about = joined(folder), " ".join(ABOUT.split())
    table.to_csv(folder / "table1.csv", index=False, float_format="%.6g")
    grids = {rows["data"].iloc[0]: beside_published(rows) for _, rows in table.groupby("dataset", sort=False)}
    tables = [f"### {name}\n\n{markdown(grid)}" for name, grid in grids.items()]
    (folder / "table1.md").write_text("\n\n".join([about, *tables]) + "\n", encoding="utf-8")
    tables = [latex(grid, f"{name}. {about}") for name, grid in grids.items()]
    (folder / "table1.tex").write_text("\n".join(["% \\usepackage{booktabs,graphicx}", *tables]), encoding="utf-8")


def joined(folder):
    """Return the cells of all parts in the order of table 1, each with its part, settings and published value."""
    table = pd.concat(part(path) for path in sorted(folder.glob("*/table1.csv")))
    table = table[table["epochs"] == table.groupby(NETWORK)["epochs"].transform("max")]
    table = table.drop_duplicates([*NETWORK, "column"])
    for name, order in {"dataset": DATASETS, "model": NETWORKS, "method": [*METHODS]}.items():
        table[name] = pd.Categorical(table[name], order)
    table = table.sort_values(NETWORK, kind="stable").astype(dict.fromkeys(NETWORK, str))
    cells = published()
    averages = cells[cells["column"] == "average_margin"].assign(column="average_distance")
    table = table.merge(pd.concat([cells, averages]).rename(columns={"value": "published"}), how="left")
    return table.assign(difference=table["value"] - table["published"])


def part(path):
    """Return the cells of one part that were run; those of an earlier version had no average distance."""
    cells = pd.read_csv(path, dtype={"column": str}).rename(columns=EARLIER).dropna(subset=["value"])
    if "drawn" not in cells:
        cells = cells.assign(drawn=cells["samples"])
        margins = pd.read_csv(path.with_name("margins.csv.gz")).query("split == 'test'")
        last = margins[margins["epoch"] == margins.groupby(NETWORK)["epoch"].transform("max")]
        distances = last["margin"].abs().groupby([last[key] for key in NETWORK]).mean()
        averages = cells[cells["column"] == "average_margin"].set_index(NETWORK).assign(column="average_distance")
        averages["value"] = distances
        cells = pd.concat([cells, averages.reset_index()])
    kept = [*NETWORK, "column", "value", "spread", "seeds", "points", *SETTINGS, "data"]
    cells = cells[kept].astype(dict.fromkeys(SETTINGS, "Int64"))
    cells.insert(3, "part", path.parent.name)
    return cells


def markdown(grid):
    rule = ["---" if place < grid["words"] else "---:" for place in range(len(grid["header"]))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [grid["header"], rule, *grid["rows"]])


def latex(grid, caption):
    columns = "l" * grid["words"] + "r" * (len(grid["header"]) - grid["words"])
    header, *rows = (" & ".join(row).translate(LATEX | {ord("&"): "&"}) for row in [grid["header"], *grid["rows"]])
    return "\n".join(
        [
            "\\begin{table}",
            f"\\caption{{{caption.translate(LATEX)}}}",
            "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
            f"\\begin{{tabular}}{{{columns}}}",
            *("\\toprule", f"{header} \\\\", "\\midrule", *(f"{row} \\\\" for row in rows), "\\bottomrule"),
            *("\\end{tabular}%", "}", "\\end{table}", ""),
        ]
    )


if __name__ == "__main__":
    main()
