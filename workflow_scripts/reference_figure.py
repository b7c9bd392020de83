"""Draw the paper's message from the parts of reference_results: minimum and average margins, Std and AMR."""

import pandas as pd

from lib import plots
from lib.plots import METHOD_COLOURS, METHODS, MODELS, NOTE_COLOUR, OFFICIAL

THIN = {"linewidth": 0.7, "linestyle": ":", "marker": None}  # test points
LEAST_SPAN = 0.2  # of an axis of average margins: what changes less looks flat


def main(summaries, output):
    """Draw the CSV files `summaries`: one column of panels a network, minimum margin above average margin."""
    runs = pd.concat(map(pd.read_csv, summaries), ignore_index=True)
    plots.save(draw(runs[runs["method"].isin(["std", "amr"])]), output)


@plots.style()
def draw(runs):
    """Return the figure of the networks of `runs` whose margins were followed; dots are checkpoints."""
    titles = dict(zip(runs["dataset"], runs["data"], strict=True))
    followed = [
        (dataset, model)
        for dataset in OFFICIAL
        for model in MODELS
        if plots.select(runs, dataset=dataset, model=model)["epoch"].nunique() > 1
    ]
    figure = plots.new_figure(height=3.4)
    axes = figure.subplots(2, len(followed), sharex="col", squeeze=False)
    for column, (dataset, model) in zip(axes.T, followed, strict=True):
        column[0].set_title(f"{titles[dataset]}\n{MODELS[model]}")
        column[1].set_xlabel("epoch")
        network = plots.select(runs, dataset=dataset, model=model)
        for ax, measure in zip(column, ["minimum", "average"], strict=True):
            for (method, split), run in network.groupby(["method", "split"]):
                look = THIN if split == "test" else {}
                plots.line(ax, run, measure, color=METHOD_COLOURS[method], label=f"{method} {split}", **look)
            plots.log_epochs(ax)
        low, high = column[1].get_ylim()
        missing = max(0, LEAST_SPAN - (high - low))
        column[1].set_ylim(low - missing / 2, high + missing / 2)
    axes[0, 0].set_ylabel("minimum margin")
    axes[1, 0].set_ylabel("average margin")
    figure.align_ylabels(axes[:, 0])
    colours = [(METHODS[method], {"color": METHOD_COLOURS[method]}) for method in ("std", "amr")]
    plots.key(figure, *colours, ("test points", {"color": NOTE_COLOUR, **THIN}))
    return figure


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(snakemake.input.summaries, snakemake.output[0])
