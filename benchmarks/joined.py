"""python -m benchmarks.joined: table 1 of all parts of reference_results/ beside the published one, in its table1.*.

Of a network that several parts hold, the one that was trained longest stands there, then the cell of the most points or
images, then the first part by name, so that mnist stands before mnist-cnn-tau20, which has another setting than the
paper.
"""

import argparse
from pathlib import Path

import pandas as pd

from report.page import beside_published
from report.results import DATASETS, METHODS, NETWORK, NETWORKS, at_the_end
from report.table1 import SETTINGS, with_published
from report.text import LATEX
from workflow_scripts.common.files import whole_file, write_text

from .shared import ROOT, markdown

EARLIER = {"epochs_trained": "epochs", "samples_a_point": "samples", "attack_steps": "steps"}
ABOUT = """Clean and robust accuracy in %, average margin of the test points as L2 distance with pixels in [0, 1]: ours,
those of Wu and Yu (2019), and the difference. Epochs of training, samples behind each margin and of these drawn (the
others are told from them), attacked test images, PGD steps. Average distance: of the same margins without their signs
(a misclassified point has a negative one), beside the published average margin once more. Smaller settings than the
published ones: more would take too long on two cores. CIFAR-10's MLPs by LCR and AMR were trained with
objective.precision bfloat16. The last published row is not legible in our copy."""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "reference_results")
    folder = parser.parse_args(argv).folder
    table, about = joined(folder), " ".join(ABOUT.split())
    with whole_file(folder / "table1.csv") as partial:
        table.to_csv(partial, index=False, float_format="%.6g")
    grids = {rows["data"].iloc[0]: beside_published(rows) for _, rows in table.groupby("dataset", sort=False)}
    tables = [f"### {name}\n\n{markdown(of['header'], of['rows'], of['words'])}" for name, of in grids.items()]
    write_text("\n\n".join([about, *tables]) + "\n", folder / "table1.md")
    tables = [latex(grid, f"{name}. {about}") for name, grid in grids.items()]
    write_text("\n".join(["% \\usepackage{booktabs,graphicx}", *tables]), folder / "table1.tex")


def joined(folder):
    """Return the cells of all parts in the order of table 1, each with its part, settings and published value."""
    table = pd.concat([part(path) for path in sorted(folder.glob("*/table1.csv"))], ignore_index=True)
    table = table[table["epochs"] == table.groupby(NETWORK)["epochs"].transform("max")]
    largest = table.sort_values("points", ascending=False, kind="stable").drop_duplicates([*NETWORK, "column"])
    table = largest.sort_index()
    for name, order in {"dataset": DATASETS, "model": NETWORKS, "method": [*METHODS]}.items():
        table[name] = pd.Categorical(table[name], order)
    return with_published(table.sort_values(NETWORK, kind="stable").astype(dict.fromkeys(NETWORK, str)))


def part(path):
    """Return the cells of one part that were run; those of an earlier version had no average distance."""
    cells = pd.read_csv(path, dtype={"column": str}).rename(columns=EARLIER).dropna(subset=["value"])
    if "drawn" not in cells:
        cells = cells.assign(drawn=cells["samples"])
        last = at_the_end(pd.read_csv(path.with_name("margins.csv.gz")))
        distances = last["margin"].abs().groupby([last[key] for key in NETWORK]).mean()
        averages = cells[cells["column"] == "average_margin"].set_index(NETWORK).assign(column="average_distance")
        averages["value"] = distances
        cells = pd.concat([cells, averages.reset_index()])
    kept = [*NETWORK, "column", "value", "spread", "seeds", "points", *SETTINGS, "data"]
    cells = cells[kept].astype(dict.fromkeys(SETTINGS, "Int64"))
    cells.insert(3, "part", path.parent.name)
    return cells


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
