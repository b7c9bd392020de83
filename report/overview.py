"""The overview: the trade-off that the paper is about, for all its networks, small enough to be read at 500 pixels."""

import textwrap

from . import plots
from .results import DATASETS, LINEAR, METHODS, MODELS, select
from .text import title

METHODS_SHOWN = ["std", "amr"]
BOUNDARY = {"color": plots.NOTE_COLOUR, "linewidth": 0.8, "linestyle": ":"}


@plots.style()
def figureoverview(margin_summary, context):
    """Draw average and minimum margin of the training points over the epochs: a row a data set, a column a model."""
    runs = select(margin_summary, dataset=DATASETS, model=list(MODELS), method=METHODS_SHOWN, split="train")
    datasets = [dataset for dataset in DATASETS if dataset in set(runs["dataset"])]
    models = [model for model in MODELS if model in set(runs["model"])]
    figure = plots.new_figure(height=1 + 1.2 * (len(datasets) or 1), width=5)
    axes = figure.subplots(len(datasets) or 1, len(models) or 1, squeeze=False)
    if runs.empty:
        plots.not_run(axes[0, 0])
        return figure
    for row, dataset in zip(axes, datasets, strict=True):
        for ax, model in zip(row, models, strict=True):
            ax.set_title(_wrapped(title(context, dataset, model), 60 // len(models)))
            _panel(ax, select(runs, dataset=dataset, model=model))
    figure.supylabel("margin ($L_2$)", fontsize=8)
    for column in axes.T:
        [ax for ax in column if ax.lines][-1].set_xlabel("epoch")
    plots.legend(figure, *_key(runs), columns=3)
    plots.footnote(figure, context, datasets, size=7)
    figure.set_figheight(figure.get_figheight() + 0.13 * len(figure.get_supxlabel().splitlines()))
    return figure


def _wrapped(text, width):
    return textwrap.fill(text, width, break_on_hyphens=False)


def _panel(ax, runs):
    if runs.empty:
        plots.not_run(ax)
        return
    ax.axhline(0, **BOUNDARY)
    ax.margins(y=0.12)
    for (model, method), of_method in runs.groupby(["model", "method"]):
        for column, look in _looks(plots.METHOD_LINES[method]).items():
            shown = plots.smoothed(of_method, column) if model in LINEAR else of_method
            plots.line(ax, shown, column, label=f"{method} {column}", **look)
    plots.log_epochs(ax)


def _looks(look):
    """The lines of a method: dashed and with hollow markers for the minimum margin."""
    hollow = {"linestyle": plots.DASHED, "markerfacecolor": "white", "markeredgecolor": look["color"]}
    return {"average": look | {"linestyle": "-"}, "minimum": look | hollow}


def _key(runs):
    """Colours of the methods that were run, dashes of the two margins, and what else is drawn: a column each."""
    band, names = plots.band(runs), {method: METHODS[method] for method in METHODS_SHOWN}
    below = [("", {"linestyle": "none"})] * len(band)  # the last column is longer by one
    for name, look in plots.entries(names, plots.METHOD_LINES, runs["method"]):
        yield name, _looks(look)["average"]
    yield from below
    for column, look in _looks({"color": plots.MEAN_COLOUR}).items():
        yield f"{column} margin", look
    yield from below
    yield "decision boundary", BOUNDARY
    if set(runs["model"]) & set(LINEAR):
        yield "LR: smoothed over epochs", {"linestyle": "none"}
    yield from band
