"""Join the parts of reference_results in one table 1: ours, at the settings that each row tells, and the published."""

from itertools import product
from pathlib import Path

import pandas as pd

from lib import tables
from lib.plots import METHODS, MODELS, OFFICIAL
from workflow_scripts.table1 import write

SETTINGS = {  # column of a part's table: (heading, the paper's value for mlp and cnn)
    "epochs_trained": ("Epochs", 200),
    "samples_a_point": ("Samples", 51200),
    "images": ("Images", 10000),
    "attack_steps": ("PGD steps", 1000),
}
NOT_RUN = "not run: too long for the machines at hand; benchmarks/results/table.md has the hours"
CAPTION = (
    "Clean and robust accuracy in %, average margin of the test points as L2 distance with pixels in [0, 1]: ours, "
    "those of Wu and Yu (2019), and the difference; with the epochs of training, the samples behind each margin, the "
    "attacked test images and the steps of the attack. Average distance: that of the same margins without their signs "
    "(a misclassified point has a negative one), beside the published average margin once more: docs/fidelity.md. "
    "Settings below the published ones, and networks not run: more would take too long on the machines at hand, "
    "benchmarks/results/table.md has the hours. The last published row is not legible in our copy of the paper."
)


def main(parts, outputs):
    """Write the table of the `parts` (folders that reference.py filled) to `outputs`: csv, md and tex.

    Raises ValueError where there is none.
    """
    if not parts:
        raise ValueError("reference_results holds no part with a table 1: gather one first, make reference PARTS=mnist")
    table = joined([read(part) for part in parts])
    blocks = [(data, wide(rows)) for data, rows in table.groupby("data", sort=False)]
    write(table.to_csv(index=False), outputs["csv"])
    write(to_markdown(blocks), outputs["md"])
    write(to_latex(blocks), outputs["tex"])


def read(folder):
    """A part's table 1 without the networks that it left out, with a cell for the average distance of each."""
    table = pd.read_csv(folder / "table1.csv", dtype={"column": str})
    table = table[table["epochs_trained"].notna()].assign(part=folder.name)
    distances = tables.at_the_end(tables.average_distances(pd.read_csv(folder / "margins.csv.gz")))
    distances = distances.groupby(tables.RUN)["distance"].mean().rename("value").reset_index()
    cells = table[table["column"] == "average_margin"].drop(columns=["value", "spread"])
    return pd.concat([table, cells.assign(column="average_distance").merge(distances, on=tables.RUN)])


def joined(parts):
    """One line a cell, in the paper's order; a network that is in several parts has its lines in each."""
    published, ours = tables.published(), pd.concat(parts, ignore_index=True)
    averages = published[published["column"] == "average_margin"]
    published = pd.concat([published, averages.assign(column="average_distance")])
    networks = pd.DataFrame(product(tables.DATASETS, tables.TABLE_MODELS, METHODS), columns=tables.RUN)
    networks = networks.merge(ours[[*tables.RUN, "part"]].drop_duplicates(), how="left")
    cells = networks.merge(published[["dataset", "column"]].drop_duplicates(), on="dataset")
    table = cells.merge(ours, on=[*cells], how="left")
    titles = dict(zip(ours["dataset"], ours["data"], strict=True))
    table["data"] = table["dataset"].map(OFFICIAL | titles)
    table["reason_if_empty"] = table["value"].isna().map({True: NOT_RUN, False: ""})
    table = table.merge(published.rename(columns={"value": "published"}), on=[*tables.RUN, "column"], how="left")
    return table.assign(difference=table["value"] - table["published"])


def wide(rows):
    """Three lines a network and part, ours, published and difference, or one of a network not run; all texts."""
    columns = list(dict.fromkeys(rows["column"]))
    lines = []
    for (model, method, part), cells in rows.groupby(["model", "method", "part"], sort=False, dropna=False):
        cells = cells.set_index("column").loc[columns]
        name = f"{MODELS[model]} {METHODS[method]}"
        published = [*texts([paper for _, paper in SETTINGS.values()], ","), *texts(cells["published"], ".2f")]
        if pd.isna(part):
            lines.append([f"{name}, not run", "published", *published])
            continue
        settings = texts([cells[column].max() for column in SETTINGS], ",.0f")
        lines += [
            [name, "ours", *settings, *texts(cells["value"], ".2f")],
            ["", "published", *published],
            ["", "difference", *[""] * len(SETTINGS), *texts(cells["difference"], "+.2f")],
        ]
    headings = [heading for heading, _ in SETTINGS.values()]
    return pd.DataFrame(lines, columns=["Network", "", *headings, *map(tables.heading, columns)])


def texts(values, form):
    return ["" if pd.isna(value) else f"{value:{form}}".replace("-", "−") for value in values]


def to_markdown(blocks):
    found = [CAPTION]
    for data, block in blocks:
        align = ["left", "left", *["right"] * (block.shape[1] - 2)]
        found += ["", f"### {data}", "", block.to_markdown(index=False, colalign=align, disable_numparse=True)]
    return "\n".join([*found, ""])


def to_latex(blocks):
    found = []
    for data, block in blocks:
        block = block.rename(columns=lambda text: text.translate(tables.LATEX))
        body = block.replace("−", "$-$", regex=True)
        caption = f"{data}. {CAPTION}".translate(tables.LATEX)
        found.append(body.to_latex(index=False, caption=caption, column_format="ll" + "r" * (block.shape[1] - 2)))
    return "\n".join(found)


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(sorted({Path(path).parent for path in snakemake.input.parts}), dict(snakemake.output.items()))
