"""Table 1 of the paper from the tidy tables, and the published one to compare it with.

Both are tidy: dataset, model, method, column, value, where column is "clean", an eps such as "0.5",
"average_margin" or "masked". Accuracies are in percent, margins L2 distances with pixels in [0, 1].
"""

from pathlib import Path

import pandas as pd

from .plots import METHODS, MODELS, remarks, title

RUN = ["dataset", "model", "method"]
DATASETS, TABLE_MODELS = ("mnist", "cifar10"), ("mlp", "cnn")  # Table 1 leaves out LR
NOT_RUN = "—"
LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"ε": r"$\varepsilon$", "±": r"$\pm$", "—": "---"}
)
HTML = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Table 1</title></head>
<body style="font-family: sans-serif; font-size: 14px; color: #222">
<p style="max-width: 46em">{{ caption }}</p>
{% for block in blocks %}
<table style="border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; margin: 1em 0">
<caption style="text-align: left; padding: 3px 9px">{{ block.title }}</caption>
<thead><tr style="border-bottom: 1px solid">
{% for text in block.header %}
<th style="padding: 3px 9px; text-align: {{ 'left' if loop.index < 3 else 'right' }}">{{ text }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in block.rows %}
<tr>
<td style="padding: 3px 9px">{{ row.model }}</td><td style="padding: 3px 9px">{{ row.method }}</td>
{% for text, best in row.cells %}
<td style="padding: 3px 9px; text-align: right{{ '; font-weight: bold' if best }}">{{ text }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
{% endfor %}
</body>
</html>
"""


def published():
    """Return Table 1 as published: dataset, model, method, column, value; the illegible row is absent."""
    return pd.read_csv(Path(__file__).with_name("published.csv"), dtype={"column": str})


def table1(attacks, summary, about):
    """Return our Table 1 in the paper's order: one row per cell, `value` NaN where there was no run.

    attacks: dataset, model, method, seed, eps, index, label, held (0 or 1; eps 0 is the clean prediction)
    summary: dataset, model, method, seed, epoch, split, points, minimum, average; the last epoch counts
    about: {"datasets": {...}, ...}; a data set that it does not name has no rows. With "floor", the floor of an
        attack, `attacks` are those of several strong ones and also have gradient, the length of the first gradient
        at each image: the column "masked" is the percent of images where it is shorter than the floor
    value is the mean over the seeds, spread their standard deviation (NaN for one seed), seeds their number,
    points the number of images or points behind a value.
    """
    masked = [_masked(attacks, about["floor"])] if "floor" in about else []
    per_seed = pd.concat([_accuracies(attacks), _average_margins(summary), *masked])
    cells = per_seed.groupby([*RUN, "column"]).agg(
        value=("value", "mean"), spread=("value", "std"), seeds=("seed", "nunique"), points=("points", "min")
    )
    wanted = [
        (dataset, model, method, column)
        for dataset in DATASETS
        if dataset in about["datasets"]
        for model in TABLE_MODELS
        for method in METHODS
        for column in [*_columns(attacks, dataset), *["masked"] * len(masked)]
    ]
    table = cells.reindex(pd.MultiIndex.from_tuples(wanted, names=cells.index.names)).reset_index()
    return table.fillna({"seeds": 0, "points": 0}).astype({"seeds": int, "points": int})


def at_the_end(averages):
    """Return the rows of `averages` that are of test points and of the last epoch of their run.

    averages: dataset, model, method, seed, epoch, split and more
    """
    test = averages[averages["split"] == "test"]
    return test[test["epoch"] == test.groupby([*RUN, "seed"])["epoch"].transform("max")]


def average_distances(margins):
    """Return the average of the margins without their signs (L2): dataset, model, method, seed, epoch, split, distance.

    margins: dataset, model, method, seed, epoch, split, margin
    """
    sizes = margins.assign(distance=margins["margin"].abs())
    return sizes.groupby([*RUN, "seed", "epoch", "split"], as_index=False)["distance"].mean()


def caption(table, about):
    """Return what Table 1 shows, in plain words: its units, how many images, where data or scale differ."""
    sizes = table.groupby(["column", "dataset"], sort=False)["points"].max()
    images = " and ".join(f"{n:,} test images of {title(about, name)}" for name, n in sizes["clean"].items())
    points = " and ".join(f"{n:,}" for n in sizes["average_margin"].unique())
    seeds, attack, masked = table["seeds"].max(), "L2 PGD", ""
    if "floor" in about:
        attack = "the strongest of three L2 attacks (PGD on the cross-entropy and on the margin loss, minimum norm)"
        masked = f"Masked: images (%) whose cross-entropy gradient is shorter than the floor {about['floor']:g} of the "
        masked += "attack as configured, which hardly moves them."
    sentences = [
        f"Clean accuracy and robust accuracy under {attack} of radius ε (both in %, on {images}), and average "
        f"margin (L2 distance, pixels in [0, 1], on {points} test points).",
        masked,
        "Best value of each model in bold.",
        f"Mean ± standard deviation of {seeds} seeds." if seeds > 1 else "",
        f"{NOT_RUN}: not run." if table["value"].isna().any() else "",
        *remarks(about, sizes["clean"].index),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def heading(column):
    """Return what stands over a column of Table 1."""
    named = {"clean": "Clean", "average_margin": "Avg margin", "average_distance": "Avg distance", "masked": "Masked"}
    return named.get(column, f"ε = {column}")


def to_latex(table, about):
    """Return Table 1 as a LaTeX float with one block per data set; it needs the package booktabs."""
    blocks = _blocks(table, about)
    columns = max(len(block["header"]) for block in blocks)
    lines = [
        "% \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        "\\setlength{\\belowcaptionskip}{6pt}",
        f"\\caption{{{caption(table, about).translate(LATEX)}}}",
        f"\\label{{tab:table1{'-strong' if 'floor' in about else ''}}}",
        "\\footnotesize",
        f"\\setlength{{\\tabcolsep}}{{{2 if (table['seeds'] > 1).any() else 4}pt}}",
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
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""])


def _latex_cell(cell):
    text, best = cell
    value, _, spread = text.translate(LATEX).partition(" $\\pm$ ")
    value = f"\\textbf{{{value}}}" if best else value
    return f"{value}{{\\tiny${{\\pm}}${spread}}}" if spread else value  # tiny: six such columns fit a page


def to_markdown(table, about):
    """Return Table 1 as Markdown: the caption, then one table per data set."""
    lines = [caption(table, about)]
    for block in _blocks(table, about):
        rule = ["---", "---", *["---:"] * (len(block["header"]) - 2)]
        rows = [
            [row["model"], row["method"], *(f"**{text}**" if best else text for text, best in row["cells"])]
            for row in block["rows"]
        ]
        lines += ["", block["title"], ""]
        lines += [f"| {' | '.join(row)} |" for row in [block["header"], rule, *rows]]
    return "\n".join([*lines, ""])


def to_html(table, about):
    """Return Table 1 as a small page that needs no other file."""
    from jinja2 import Environment  # only the workflow installs it

    environment = Environment(autoescape=True, trim_blocks=True, keep_trailing_newline=True)
    return environment.from_string(HTML).render(caption=caption(table, about), blocks=_blocks(table, about))


def _accuracies(attacks):
    """Percent of images that held: dataset, model, method, seed, column, value, points."""
    held = attacks.groupby([*RUN, "seed", "eps"])["held"].agg(["mean", "size"]).reset_index()
    held["column"] = held["eps"].map(_column)
    held["value"] = 100 * held["mean"]
    return held.rename(columns={"size": "points"})[[*RUN, "seed", "column", "value", "points"]]


def _average_margins(summary):
    """Average margin of the test points at the last epoch of each run, in the columns of `_accuracies`."""
    named = at_the_end(summary).rename(columns={"average": "value"}).assign(column="average_margin")
    return named[[*RUN, "seed", "column", "value", "points"]]


def _masked(strong, floor):
    """Percent of images whose first gradient is shorter than the floor, in the columns of `_accuracies`."""
    clean = strong[strong["eps"] == 0]
    of_seed = clean.assign(below=clean["gradient"] < floor).groupby([*RUN, "seed"])["below"]
    share = of_seed.agg(["mean", "size"]).reset_index().rename(columns={"size": "points"})
    named = share.assign(column="masked", value=100 * share["mean"])
    return named[[*RUN, "seed", "column", "value", "points"]]


def _columns(attacks, dataset):
    eps = sorted(attacks.loc[(attacks["dataset"] == dataset) & (attacks["eps"] > 0), "eps"].unique())
    return ["clean", *map(_column, eps), "average_margin"]


def _column(eps):
    return str(float(eps)) if eps else "clean"


def _blocks(table, about):
    """Turn the table into texts: per data set a title, a header and rows; a cell is (text, is it best)."""
    return [
        {
            "title": title(about, dataset),
            "header": ["Model", "Method", *map(heading, of_dataset["column"].unique())],
            "rows": [row for _, block in of_dataset.groupby("model", sort=False) for row in _rows(block)],
        }
        for dataset, of_dataset in table.groupby("dataset", sort=False)
    ]


def _rows(block):
    """Rows of one model; the best of a column is bold where there is more than one to compare."""
    block = block.assign(shown=block["value"].round(2))
    of_column = block.groupby("column")["shown"]
    block["best"] = (block["shown"] == of_column.transform("max")) & (of_column.transform("count") > 1)
    block["best"] &= block["column"] != "masked"
    for i, (method, of_method) in enumerate(block.groupby("method", sort=False)):
        cells = [(_text(cell.value, cell.spread), cell.best) for cell in of_method.itertuples()]
        model = MODELS[of_method["model"].iloc[0]]
        yield {"model": "" if i else model, "method": METHODS[method], "cells": cells}


def _text(value, spread):
    if pd.isna(value):
        return NOT_RUN
    return f"{value:.2f}" if pd.isna(spread) else f"{value:.2f} ± {spread:.2f}"
