"""The paper's seven figures, one function each, drawn from the tidy tables and nothing else.

The tables, and the Context with data sets and scale, are described in `results`. Training is standard where no method
is named. Models and data sets that the tables do not hold take no room; a single run that they lack is a panel "not
run". Several seeds give a mean and a band, which the key explains.
"""

import numpy as np

from . import plots
from .plots import MARGIN
from .results import DATASETS, LINEAR, METHODS, MODELS, SPLITS, select
from .text import title

LETTERS = "abcdef"
CURVES = {"train_loss": "training loss", "train_error": "training error (%)", "test_error": "test error (%)"}
MEAN_LOOK = {"color": plots.MEAN_COLOUR, "marker": "|", "markersize": 8, "linestyle": "none"}
MEAN_KEY = ("average margin", MEAN_LOOK)
BY_METHOD = "average margin of the test points, by method"


@plots.style()
def figure1(margin_summary, margins, svm, context):
    """Draw minimum and average margin and margin histograms of LR on 0 and 1 beside the SVM's (section 3)."""
    lr = {"dataset": "mnist01", "model": "lr", "method": "std", "split": "train"}
    name = title(context, "mnist01", "lr")
    svm = select(svm, split="train")["margin"]
    figure = plots.new_figure(height=3.7)
    panels = [["minimum", "histograms"], ["average", "histograms"]]
    axes = figure.subplot_mosaic(panels, width_ratios=[1, 1.1])
    for letter, column, reference in [("a", "minimum", svm.min()), ("b", "average", svm.mean())]:
        axes[column].set_title(f"({letter}) {name}: {column} margin")
        axes[column].set(xlabel="epoch", ylabel="margin ($L_2$ distance)")
        _margin_against_svm(axes[column], select(margin_summary, **lr), column, reference)
    figure.align_ylabels([axes["minimum"], axes["average"]])
    axes["histograms"].set_title(f"(c) {name}, and SVM: margins")
    axes["histograms"].set_xlabel(MARGIN)
    _histograms_against_svm(axes["histograms"], select(margins, **lr), svm)
    plots.legend(
        figure,
        ("LR, training points", plots.SPLIT_LINES["train"]),
        ("hard-margin SVM, same points", {"color": plots.SVM_COLOUR, "linestyle": "--"}),
        MEAN_KEY,
        *plots.band(select(margin_summary, **lr)),
    )
    plots.footnote(figure, context, ["mnist01"], plots.pooled("Histograms", select(margins, **lr)))
    return figure


@plots.style()
def figure2(margin_summary, context):
    """Draw average and minimum margin of the CIFAR-10 models, and the average margin of AMR beside Std."""
    return _trade_off(margin_summary, "cifar10", ["std", "amr"], BY_METHOD, context)


@plots.style()
def figure3(curves, context):
    """Draw training loss, training error and test error of LR on digits 0 and 1 (appendix B)."""
    figure = plots.new_figure(height=2.1)
    runs = select(curves, dataset="mnist01", model="lr", method="std")
    for i, (ax, column) in enumerate(zip(figure.subplots(1, 3), CURVES, strict=True)):
        ax.set_title(f"({LETTERS[i]}) {title(context, 'mnist01', 'lr')}")
        ax.set(xlabel="epoch", ylabel=CURVES[column])
        _training(ax, runs, column)
    _key_of_band(figure, runs)
    plots.footnote(figure, context, ["mnist01"])
    return figure


@plots.style()
def figure4(curves, context):
    """Draw the training curves of the MNIST models (left) and of the CIFAR-10 models (right, appendix B)."""
    curves = select(curves, dataset=DATASETS, method="std")
    shown = [dataset for dataset in DATASETS if dataset in set(curves["dataset"])] or DATASETS
    figure = plots.new_figure(height=5.2)
    axes = figure.subplots(3, len(shown), sharex="col", squeeze=False)
    for column_of_axes, dataset in zip(axes.T, shown, strict=True):
        runs = select(curves, dataset=dataset)
        for i, (ax, column) in enumerate(zip(column_of_axes, CURVES, strict=True)):
            ax.set_title(f"({LETTERS[2 * i + DATASETS.index(dataset)]}) {title(context, dataset)}")
            ax.set_ylabel(CURVES[column])
            _training(ax, runs, column)
        column_of_axes[-1].set_xlabel("epoch")
        figure.align_ylabels(column_of_axes)
    key = plots.entries(MODELS, plots.MODEL_LINES, curves["model"])
    plots.legend(figure, *key, *plots.band(curves))
    plots.footnote(figure, context, shown)
    return figure


@plots.style()
def figure5(margins, context):
    """Draw margin histograms of the CIFAR-10 models, on training and test points (appendix C)."""
    return _histograms(margins, "cifar10", context)


@plots.style()
def figure6(margin_summary, context):
    """Draw average and minimum margin of the MNIST models, and, unlike the paper, LCR and AMR beside Std."""
    return _trade_off(margin_summary, "mnist", list(METHODS), f"{BY_METHOD} (ours: not in the paper)", context)


@plots.style()
def figure7(margins, context):
    """Draw margin histograms of the MNIST models, on training and test points (appendix E)."""
    return _histograms(margins, "mnist", context)


def _margin_against_svm(ax, runs, column, reference):
    if runs.empty:
        plots.not_run(ax)
        return
    plots.line(ax, runs, column, **plots.SPLIT_LINES["train"], label="LR")
    ax.axhline(reference, color=plots.SVM_COLOUR, linestyle="--", label="SVM")
    plots.log_epochs(ax)


def _histograms_against_svm(ax, runs, svm):
    if runs.empty:
        plots.not_run(ax)
        return
    epochs = plots.choose(runs["epoch"])
    samples = [*(runs.loc[runs["epoch"] == epoch, "margin"] for epoch in epochs), svm]
    names = [*(f"epoch {epoch:,}" for epoch in epochs), "SVM"]
    edges = plots.bin_edges(samples)
    plots.ridges(ax, samples, names, edges, [*plots.epoch_colours(len(epochs)), plots.SVM_COLOUR])


def _trade_off(margin_summary, dataset, methods, words, context):
    """Draw each model's average margin above its minimum margin: one axis would flatten the smaller.

    Below, where more than standard training was run, the average margin of `methods`; `words` say so above it.
    """
    runs = select(margin_summary, dataset=dataset, method=methods)
    models = [model for model in MODELS if model in set(runs["model"])] or list(MODELS)
    compared = runs.empty or set(runs["method"]) != {"std"}
    figure = plots.new_figure(height=5.0 if compared else 3.0)
    heights = [1, 1, 0.3, 1.4] if compared else [1, 1]
    grid = figure.add_gridspec(len(heights), len(models), height_ratios=heights)
    axes = np.array([[figure.add_subplot(grid[i, j]) for j in range(len(models))] for i in (0, 1, 3)[: 2 + compared]])
    for column, model in zip(axes.T, models, strict=True):
        of_model = select(runs, model=model)
        letter, name = list(MODELS).index(model), title(context, dataset, model)
        _of_splits(column[:2], select(of_model, method="std"), model)
        column[0].set_title(f"({LETTERS[letter]}) {name}")
        if compared:
            _of_methods(column[2], select(of_model, split="test"), model)
            column[2].set_title(f"({LETTERS[3 + letter]}) {name}")
    for ax, label in zip(axes[:, 0], ["average", "minimum", "average"], strict=False):
        ax.set_ylabel(label)
    figure.align_ylabels(axes[:, 0])
    figure.supylabel(MARGIN, fontsize=8)
    key = [(label, plots.SPLIT_LINES[split]) for split, label in SPLITS.items()]
    plots.legend(figure, *key, *plots.band(runs))
    if compared:
        ax = figure.add_subplot(grid[2, :])
        ax.set_axis_off()
        key = plots.entries({method: METHODS[method] for method in methods}, plots.METHOD_LINES, runs["method"])
        ax.legend(handles=plots.handles(key), title=words, loc="center", ncols=len(key), borderpad=0)
    plots.footnote(figure, context, [dataset], _missing(models))
    return figure


def _of_splits(axes, runs, model):
    """Draw average and minimum margin of a model on training and test points, one panel above the other."""
    axes[0].tick_params(labelbottom=False)
    axes[1].set_xlabel("epoch (pale: each; strong: smoothed)" if model in LINEAR else "epoch")
    axes[1].sharex(axes[0])
    for ax, column in zip(axes, ["average", "minimum"], strict=True):
        if runs.empty:
            plots.not_run(ax)
            continue
        for split, look in plots.SPLIT_LINES.items():
            draw = plots.smooth_line if model in LINEAR else plots.line
            draw(ax, select(runs, split=split), column, label=split, **look)
        if runs["epoch"].nunique() == 1:  # two dots that nearly coincide would fill the panel
            plots.from_start(ax)
            plots.from_zero(ax)
        if _coincide(runs, column):
            ax.text(
                0.97, 0.9, "the two coincide", transform=ax.transAxes, ha="right", va="top", color=plots.NOTE_COLOUR
            )


def _coincide(runs, column):
    """Whether the curves of training and test points cannot be told apart on a panel."""
    by_epoch = runs.pivot_table(column, "epoch", "split")
    low = by_epoch.min(axis=None) if len(by_epoch) > 1 else min(by_epoch.min(axis=None), 0)  # where one begins at 0
    height = by_epoch.max(axis=None) - low
    return (by_epoch["train"] - by_epoch["test"]).abs().mean() < 0.02 * height


def _of_methods(ax, runs, model):
    """Draw the average margin by method; of a linear model, which jitters from epoch to epoch, smoothed."""
    ax.set_xlabel("epoch (smoothed)" if model in LINEAR else "epoch")
    if runs.empty:
        plots.not_run(ax)
        return
    for method in [method for method in METHODS if method in set(runs["method"])]:
        of_method = select(runs, method=method)
        of_method = plots.smoothed(of_method, "average") if model in LINEAR else of_method
        look = plots.METHOD_LINES[method] | {"label": f"{method} test", "shift": plots.SHIFTS[method]}
        plots.line(ax, of_method, "average", **look)
    plots.from_zero(ax)
    plots.from_start(ax)


def _key_of_band(figure, runs):
    if band := plots.band(runs):
        plots.legend(figure, *band)


def _training(ax, runs, column):
    """Draw one line per model of `runs` over log epochs: a loss on a log scale, an error from 0 up."""
    if runs.empty:
        plots.not_run(ax)
        return
    for model, of_model in runs.groupby("model"):
        plots.line(ax, of_model, column, label=MODELS[model], **plots.MODEL_LINES[model])
    plots.log_epochs(ax)
    if column == "train_loss":
        plots.log_values(ax)
    else:
        plots.from_zero(ax)


def _histograms(margins, dataset, context):
    """Draw ridges of histograms, early epochs at the top: one row per model that was run, one column per split."""
    margins = select(margins, dataset=dataset, method="std")
    models = [model for model in MODELS if model in set(margins["model"])] or list(MODELS)
    figure = plots.new_figure(height=0.6 + 1.85 * len(models))
    axes = figure.subplots(len(models), 2, sharex="row", squeeze=False)
    for i, model in enumerate(models):
        runs = select(margins, model=model)
        epochs = plots.choose(runs["epoch"])
        runs = select(runs, epoch=epochs)
        edges = plots.bin_edges(margin for _, margin in runs.groupby(["split", "epoch"])["margin"]) if len(runs) else []
        for j, (ax, split) in enumerate(zip(axes[i], SPLITS, strict=True)):
            ax.set_title(f"({LETTERS[2 * i + j]}) {title(context, dataset, model)}, {SPLITS[split]}")
            if runs.empty:
                plots.not_run(ax)
                continue
            of_split = select(runs, split=split)
            samples = [of_split.loc[of_split["epoch"] == epoch, "margin"] for epoch in epochs]
            plots.ridges(ax, samples, map("{:,}".format, epochs), edges, plots.epoch_colours(len(epochs)))
        axes[i, 0].set_ylabel("epoch")
    figure.align_ylabels(axes[:, 0])
    for ax in axes[-1]:
        ax.set_xlabel(MARGIN)
    plots.legend(figure, MEAN_KEY)
    plots.footnote(figure, context, [dataset], _missing(models), plots.pooled("Histograms", margins))
    return figure


def _missing(models):
    """A sentence for the footnote on models that take no room; empty where all were run."""
    missing = ", ".join(MODELS[model] for model in MODELS if model not in models)
    return f"{missing}: not run." if missing else ""
