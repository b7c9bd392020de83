"""Draw the paper's message from the parts of reference_results: minimum and average margins, Std and AMR."""

import pandas as pd

from lib import plots, tables
from lib.plots import METHOD_COLOURS, METHODS, MODELS, NOTE_COLOUR, OFFICIAL

THIN = {"linewidth": 0.7, "linestyle": ":", "marker": None}  # test points
LEAST_SPAN = 0.2  # of an axis of averages: what changes less looks flat


def main(summaries, margins, output):
    """Draw the CSV files `summaries` and `margins`: a column of panels a network, of its minimum margin, its average
    margin, and its average distance, that of the margins without their signs."""
    runs, points = (pd.concat(map(pd.read_csv, paths), ignore_index=True) for paths in (summaries, margins))
    plots.save(draw(runs, tables.average_distances(points)), output)


@plots.style()
def draw(runs, distances):
    """Return the figure of the networks of `runs` whose margins were followed; dots are checkpoints."""
    runs, distances = (plots.select(table, method=["std", "amr"]) for table in (runs, distances))
    titles = dict(zip(runs["dataset"], runs["data"], strict=True))
    followed = [
        (dataset, model)
        for dataset in OFFICIAL
        for model in MODELS
        if plots.select(runs, dataset=dataset, model=model)["epoch"].nunique() > 1
    ]
    rows = {"minimum": (runs, "minimum margin"), "average": (runs, "average margin")}
    rows["distance"] = (distances, "average distance")
    figure = plots.new_figure(height=4.6)
    axes = figure.subplots(len(rows), len(followed), sharex="col", squeeze=False)
    for column, (dataset, model) in zip(axes.T, followed, strict=True):
        column[0].set_title(f"{titles[dataset]} {MODELS[model]}".replace(" ", "\n", 1))
        column[-1].set_xlabel("epoch")
        for ax, (measure, (table, _)) in zip(column, rows.items(), strict=True):
            network = plots.select(table, dataset=dataset, model=model)
            for (method, split), run in network.groupby(["method", "split"]):
                look = THIN if split == "test" else {}
                plots.line(ax, run, measure, color=METHOD_COLOURS[method], label=f"{method} {split}", **look)
            plots.log_epochs(ax)
        for ax in column[1:]:
            low, high = ax.get_ylim()
            missing = max(0, LEAST_SPAN - (high - low))
            ax.set_ylim(low - missing / 2, high + missing / 2)
    for ax, (_, label) in zip(axes[:, 0], rows.values(), strict=True):
        ax.set_ylabel(label)
    figure.align_ylabels(axes[:, 0])
    colours = [(METHODS[method], {"color": METHOD_COLOURS[method]}) for method in ("std", "amr")]
    plots.key(figure, *colours, ("test points", {"color": NOTE_COLOUR, **THIN}))
    return figure


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(snakemake.input.summaries, snakemake.input.margins, snakemake.output[0])
