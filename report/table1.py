"""Table 1 of the paper from the tidy tables, and the published one to compare it with.

Both are tidy: dataset, model, method, column, value, where column is "clean", an eps such as "0.5",
"average_margin" or "masked". Accuracies are in percent, margins L2 distances with pixels in [0, 1].
"""

from pathlib import Path

import pandas as pd

from .departures import paper
from .rendering import render
from .results import DATASETS, METHODS, MODELS, NETWORK, NETWORKS, at_the_end
from .text import LATEX, NOT_RUN, number, remarks, title

SETTINGS = ["epochs", "samples", "drawn", "images", "steps"]
COLUMN_NAMES = {
    "clean": "Clean",
    "average_margin": "Avg margin",
    "average_distance": "Avg distance",
    "masked": "Masked",
}


def published():
    """Return Table 1 as published: dataset, model, method, column, value; the illegible row is absent."""
    return pd.read_csv(Path(__file__).with_name("published.csv"), dtype={"column": str})


def table1(attacks, margin_summary, context, floor=None):
    """Return our Table 1 in the paper's order beside the published one: a row a cell, `value` NaN where not run.

    A data set that the context does not name has no rows. floor: of the attack as configured, where `attacks` are those
    of several strong ones; the column "masked" is the percent of images whose first gradient is shorter.
    value is the mean over the seeds, spread their standard deviation (NaN for one seed), seeds their number, points the
    number of images or points behind a value; the columns SETTINGS are those of the row's network.
    """
    masked = [] if floor is None else [_masked(attacks, floor)]
    per_seed = pd.concat([_accuracies(attacks), *_averages(margin_summary), *masked])
    cells = per_seed.groupby([*NETWORK, "column"]).agg(
        value=("value", "mean"), spread=("value", "std"), seeds=("seed", "nunique"), points=("points", "min")
    )
    wanted = [
        (dataset, model, method, column)
        for dataset in DATASETS
        if dataset in context.datasets
        for model in NETWORKS
        for method in METHODS
        for column in [*_columns(attacks, dataset), *["masked"] * len(masked)]
    ]
    table = cells.reindex(pd.MultiIndex.from_tuples(wanted, names=cells.index.names)).reset_index()
    table = table.fillna({"seeds": 0, "points": 0}).astype({"seeds": int, "points": int})
    return _with_settings(with_published(table), context, strong=floor is not None)


def with_published(table):
    """The columns published and difference; the average distance stands beside the published average margin."""
    cells = published().rename(columns={"value": "published"})
    averages = cells[cells["column"] == "average_margin"].assign(column="average_distance")
    table = table.merge(pd.concat([cells, averages]), on=[*NETWORK, "column"], how="left", validate="one_to_one")
    return table.assign(difference=table["value"] - table["published"])


def _with_settings(table, context, strong):
    """The columns SETTINGS; empty where nothing was run."""
    run = table.groupby(NETWORK)["value"].transform("count") > 0
    images = table["points"].where(table["column"] == "clean").groupby([table[key] for key in NETWORK])
    rows = list(zip(table["dataset"], table["model"], strict=True))
    for name in ("epochs", "samples", "drawn", "steps"):
        field = "strong_steps" if strong and name == "steps" else name
        values = [getattr(context.networks.get(row), field, None) for row in rows]
        table[name] = pd.array(values, dtype="Int64")
    table["images"] = images.transform("max").astype("Int64")
    table.loc[~run, SETTINGS] = pd.NA
    return table


def marks(table):
    """Return {(data set, model): (letter, settings in words)} of the networks whose scale is not the paper's."""
    found, letters = {}, {}
    for (dataset, model), rows in table.dropna(subset=["epochs"]).groupby(["dataset", "model"], sort=False):
        ours, theirs = rows[SETTINGS].max().fillna({"drawn": rows["samples"].max()}), paper(model)
        points = rows.loc[rows["column"] == "average_margin", "points"].max()
        if points not in (0, theirs.test) or any(ours[name] != getattr(theirs, name) for name in SETTINGS):
            told = f" extrapolated from {ours['drawn']:,}" if ours["drawn"] < ours["samples"] else ""
            text = f"epochs {ours['epochs']:,}, samples a margin {ours['samples']:,}{told}, images {ours['images']:,}"
            text += f", PGD steps {ours['steps']:,}, test points {points:,}"
            found[dataset, model] = letters.setdefault(text, chr(ord("a") + len(letters))), text
    return found


def caption(table, context, floor=None):
    """Return what Table 1 shows, in plain words: its units, how many images, where data or scale differ."""
    sizes = table.groupby(["column", "dataset"], sort=False)["points"].agg(_span)
    images = " and ".join(f"{n} test images of {title(context, name)}" for name, n in sizes["clean"].items())
    points = _span(table.loc[table["column"] == "average_margin", "points"])
    seeds, attack, masked = table["seeds"].max(), "L2 PGD", ""
    if floor is not None:
        attack = "the strongest of three L2 attacks (PGD on the cross-entropy and on the margin loss, minimum norm)"
        masked = f"Masked: images (%) whose cross-entropy gradient is shorter than the floor {floor:g} of the "
        masked += "attack as configured, which hardly moves them."
    sentences = [
        f"Clean accuracy and robust accuracy under {attack} of radius ε (both in %, on {images}), and average "
        f"margin (L2 distance, pixels in [0, 1], on {points} test points).",
        masked,
        "Best value of each model in bold.",
        f"Mean ± standard deviation of {seeds} seeds." if seeds > 1 else "",
        f"{NOT_RUN}: not run." if table["value"].isna().any() else "",
        *remarks(context, sizes["clean"].index),
        *dict.fromkeys(f"({letter}) {text}." for letter, text in marks(table).values()),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _span(counts):
    """The numbers of points or images of several networks: one, or from the least to the most."""
    counts = sorted(set(counts[counts > 0])) or [0]
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def heading(column):
    """Return what stands over a column of Table 1."""
    return COLUMN_NAMES.get(column, f"ε = {column}")


def to_latex(table, context, floor=None):
    """Return Table 1 as a LaTeX float with one block per data set, shrunk where it would be wider than the page.

    It needs the packages booktabs and graphicx.
    """
    blocks = _blocks(table, context)
    columns = max(len(block["header"]) for block in blocks)
    lines = [
        "% \\usepackage{booktabs,graphicx}",
        "\\begin{table}",
        "\\centering",
        "\\setlength{\\belowcaptionskip}{6pt}",
        f"\\caption{{{caption(table, context, floor).translate(LATEX)}}}",
        f"\\label{{tab:table1{'' if floor is None else '-strong'}}}",
        "\\footnotesize",
        f"\\setlength{{\\tabcolsep}}{{{2 if (table['seeds'] > 1).any() else 4}pt}}",
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{ll{'r' * (columns - 2)}}}",
        "\\toprule",
    ]
    for i, block in enumerate(blocks):
        lines += ["\\midrule"] if i else []
        lines.append(f"\\multicolumn{{{columns}}}{{l}}{{{block['title'].translate(LATEX)}}} \\\\")
        lines += [" & ".join(block["header"]).translate(LATEX | {ord("&"): "&"}) + " \\\\", "\\midrule"]
        for j, row in enumerate(block["rows"]):
            lines += ["\\addlinespace"] if j and row["model"] else []
            lines.append(" & ".join([row["model"], row["method"], *map(_latex_cell, row["cells"])]) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}%", "}", "\\end{table}", ""])


def _latex_cell(cell):
    text, best = cell
    value, _, spread = text.translate(LATEX).partition(" $\\pm$ ")
    value = f"\\textbf{{{value}}}" if best else value
    return f"{value}{{\\tiny${{\\pm}}${spread}}}" if spread else value  # tiny: six such columns fit a page


def to_markdown(table, context, floor=None):
    """Return Table 1 as Markdown: the caption, then one table per data set."""
    lines = [caption(table, context, floor)]
    for block in _blocks(table, context):
        rule = ["---", "---", *["---:"] * (len(block["header"]) - 2)]
        rows = [
            [row["model"], row["method"], *(f"**{text}**" if best else text for text, best in row["cells"])]
            for row in block["rows"]
        ]
        lines += ["", block["title"], ""]
        lines += [f"| {' | '.join(row)} |" for row in [block["header"], rule, *rows]]
    return "\n".join([*lines, ""])


def to_html(table, context, floor=None):
    """Return Table 1 as a small page that needs no other file."""
    text, blocks = caption(table, context, floor), _blocks(table, context)
    return render("table1.html.j2", {"caption": text, "blocks": blocks})


def _accuracies(attacks):
    """Percent of images that held: dataset, model, method, seed, column, value, points."""
    held = attacks.groupby([*NETWORK, "seed", "eps"])["held"].agg(["mean", "size"]).reset_index()
    held["column"] = held["eps"].map(_column)
    held["value"] = 100 * held["mean"]
    return held.rename(columns={"size": "points"})[[*NETWORK, "seed", "column", "value", "points"]]


def _averages(margin_summary):
    """Average margin and distance of the test points at the last epoch of each run, in the columns of `_accuracies`."""
    last = at_the_end(margin_summary)
    for column, source in {"average_margin": "average", "average_distance": "distance"}.items():
        cells = last.assign(column=column, value=last[source])
        yield cells[[*NETWORK, "seed", "column", "value", "points"]]


def _masked(strong, floor):
    """Percent of images whose first gradient is shorter than the floor, in the columns of `_accuracies`."""
    clean = strong[strong["eps"] == 0]
    of_seed = clean.assign(below=clean["gradient"] < floor).groupby([*NETWORK, "seed"])["below"]
    share = of_seed.agg(["mean", "size"]).reset_index().rename(columns={"size": "points"})
    named = share.assign(column="masked", value=100 * share["mean"])
    return named[[*NETWORK, "seed", "column", "value", "points"]]


def _columns(attacks, dataset):
    eps = sorted(attacks.loc[(attacks["dataset"] == dataset) & (attacks["eps"] > 0), "eps"].unique())
    return ["clean", *map(_column, eps), "average_margin", "average_distance"]


def _column(eps):
    return str(float(eps)) if eps else "clean"


def _blocks(table, context):
    """Turn the table into texts: per data set a title, a header and rows; a cell is (text, is it best)."""
    marked = marks(table)
    table = table[table["column"] != "average_distance"]  # not in the paper's table
    return [
        {
            "title": title(context, dataset),
            "header": ["Model", "Method", *map(heading, of_dataset["column"].unique())],
            "rows": [row for _, block in of_dataset.groupby("model", sort=False) for row in _rows(block, marked)],
        }
        for dataset, of_dataset in table.groupby("dataset", sort=False)
    ]


def _rows(block, marked):
    """Rows of one model; the best of a column is bold where there is more than one to compare."""
    dataset, model = block.iloc[0][["dataset", "model"]]
    name = f"{MODELS[model]} ({marked[dataset, model][0]})" if (dataset, model) in marked else MODELS[model]
    block = block.assign(shown=block["value"].round(2))
    of_column = block.groupby("column")["shown"]
    block["best"] = (block["shown"] == of_column.transform("max")) & (of_column.transform("count") > 1)
    block["best"] &= block["column"] != "masked"
    for i, (method, of_method) in enumerate(block.groupby("method", sort=False)):
        cells = [(cell_text(cell.value, cell.spread), cell.best) for cell in of_method.itertuples()]
        yield {"model": "" if i else name, "method": METHODS[method], "cells": cells}


def cell_text(value, spread):
    """Return a mean over the seeds with its standard deviation, where there are several, or the sign for not run."""
    return number(value, empty=NOT_RUN) + (f" ± {spread:.2f}" if pd.notna(spread) else "")
