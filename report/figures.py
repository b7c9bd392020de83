"""The paper's seven figures, one function each, drawn from the tidy tables and nothing else.

The tables, and the Context with data sets and scale, are described in `results`. Training is standard where no method
is named. A run that the tables do not hold is drawn as "not run"; several seeds give a mean and a band.
"""

from . import plots
from .plots import MARGIN
from .results import DATASETS, LINEAR, METHODS, MODELS, SPLITS, select
from .text import title

LETTERS = "abcdef"
CURVES = {"train_loss": "training loss", "train_error": "training error (%)", "test_error": "test error (%)"}
MEAN_LOOK = {"color": plots.MEAN_COLOUR, "marker": "|", "markersize": 8, "linestyle": "none"}
THIN = {"linewidth": 0.7, "linestyle": ":", "marker": None}
MEAN_KEY = ("average margin", MEAN_LOOK)


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
    )
    plots.footnote(figure, context, ["mnist01"], margin_summary, f"{plots.BANDS} {plots.POOLED}")
    return figure


@plots.style()
def figure2(margin_summary, context):
    """Draw average and minimum margin of the CIFAR-10 models, and the average margin of AMR beside Std."""
    figure = plots.new_figure(height=5.0)
    axes = figure.subplots(3, 3, height_ratios=[1, 1, 1.4])
    _trade_off(axes[:2], margin_summary, "cifar10", context)
    for i, (ax, model) in enumerate(zip(axes[2], MODELS, strict=True)):
        ax.set_title(f"({LETTERS[3 + i]}) {title(context, 'cifar10', model)}")
        ax.set_xlabel("epoch (pale: each, strong: smoothed)" if model in LINEAR else "epoch")
        runs = select(margin_summary, dataset="cifar10", model=model, method=["std", "amr"])
        if runs.empty:
            plots.not_run(ax)
            continue
        for (method, split), of_split in runs.groupby(["method", "split"]):
            look = plots.METHOD_LINES[method] | (THIN if split == "train" else {})
            draw = plots.smooth_line if model in LINEAR else plots.line
            draw(ax, of_split, "average", label=f"{method} {split}", **look)
        plots.from_zero(ax)
    axes[2, 0].set_ylabel("average")
    figure.align_ylabels(axes[:, 0])
    figure.supylabel(MARGIN, fontsize=8)
    _key_of_splits(figure, "outside upper left", "(a-c) ")
    plots.legend(
        figure,
        (f"(d-f) {METHODS['std']}, test", plots.METHOD_LINES["std"]),
        (f"{METHODS['amr']}, test", plots.METHOD_LINES["amr"]),
        ("training", {"color": plots.NOTE_COLOUR} | THIN),
        loc="outside upper right",
    )
    plots.footnote(figure, context, ["cifar10"], margin_summary)
    return figure


@plots.style()
def figure3(curves, context):
    """Draw training loss, training error and test error of LR on digits 0 and 1 (appendix B)."""
    figure = plots.new_figure(height=2.1)
    runs = select(curves, dataset="mnist01", model="lr", method="std")
    for i, (ax, column) in enumerate(zip(figure.subplots(1, 3), CURVES, strict=True)):
        ax.set_title(f"({LETTERS[i]}) {title(context, 'mnist01', 'lr')}")
        ax.set(xlabel="epoch", ylabel=CURVES[column])
        _training(ax, runs, column)
    plots.footnote(figure, context, ["mnist01"], curves)
    return figure


@plots.style()
def figure4(curves, context):
    """Draw the training curves of the MNIST models (left) and of the CIFAR-10 models (right, appendix B)."""
    figure = plots.new_figure(height=5.2)
    axes = figure.subplots(3, 2, sharex="col")
    curves = select(curves, dataset=DATASETS, method="std")
    for j, dataset in enumerate(DATASETS):
        runs = select(curves, dataset=dataset)
        for i, (ax, column) in enumerate(zip(axes[:, j], CURVES, strict=True)):
            ax.set_title(f"({LETTERS[2 * i + j]}) {title(context, dataset)}")
            ax.set_ylabel(CURVES[column])
            _training(ax, runs, column)
        axes[-1, j].set_xlabel("epoch")
        figure.align_ylabels(axes[:, j])
    plots.legend(figure, *plots.entries(MODELS, plots.MODEL_LINES, curves["model"]))
    plots.footnote(figure, context, DATASETS, curves)
    return figure


@plots.style()
def figure5(margins, context):
    """Draw margin histograms of the CIFAR-10 models, on training and test points (appendix C)."""
    return _histograms(margins, "cifar10", context)


@plots.style()
def figure6(margin_summary, context):
    """Draw average and minimum margin of the MNIST models, on training and test points (appendix D)."""
    figure = plots.new_figure(height=3.0)
    axes = figure.subplots(2, 3)
    _trade_off(axes, margin_summary, "mnist", context)
    figure.align_ylabels(axes[:, 0])
    figure.supylabel(MARGIN, fontsize=8)
    _key_of_splits(figure)
    plots.footnote(figure, context, ["mnist"], margin_summary)
    return figure


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
    names = [*(f"epoch {epoch}" for epoch in epochs), "SVM"]
    edges = plots.bin_edges([margin for sample in samples for margin in sample])
    plots.ridges(ax, samples, names, edges, [*plots.epoch_colours(len(epochs)), plots.SVM_COLOUR])


def _trade_off(axes, margin_summary, dataset, context):
    """Draw each model's average margin above its minimum margin: one axis would flatten the smaller."""
    for i, model in enumerate(MODELS):
        axes[0, i].set_title(f"({LETTERS[i]}) {title(context, dataset, model)}")
        axes[0, i].tick_params(labelbottom=False)
        axes[1, i].set_xlabel("epoch")
        axes[1, i].sharex(axes[0, i])
        runs = select(margin_summary, dataset=dataset, model=model, method="std")
        for ax, column in zip(axes[:, i], ["average", "minimum"], strict=True):
            if runs.empty:
                plots.not_run(ax)
                continue
            for split, look in plots.SPLIT_LINES.items():
                plots.line(ax, select(runs, split=split), column, label=split, **look)
    axes[0, 0].set_ylabel("average")
    axes[1, 0].set_ylabel("minimum")


def _key_of_splits(figure, loc="outside upper center", panels=""):
    train, test = [(label, plots.SPLIT_LINES[split]) for split, label in SPLITS.items()]
    plots.legend(figure, (panels + train[0], train[1]), test, loc=loc)


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
        for j, (ax, split) in enumerate(zip(axes[i], SPLITS, strict=True)):
            ax.set_title(f"({LETTERS[2 * i + j]}) {title(context, dataset, model)}, {SPLITS[split]}")
            if runs.empty:
                plots.not_run(ax)
                continue
            of_split = select(runs, split=split)
            samples = [of_split.loc[of_split["epoch"] == epoch, "margin"] for epoch in epochs]
            edges = plots.bin_edges(runs["margin"])
            plots.ridges(ax, samples, map(str, epochs), edges, plots.epoch_colours(len(epochs)))
        axes[i, 0].set_ylabel("epoch")
    figure.align_ylabels(axes[:, 0])
    for ax in axes[-1]:
        ax.set_xlabel(MARGIN)
    plots.legend(figure, MEAN_KEY)
    missing = ", ".join(MODELS[model] for model in MODELS if model not in models)
    plots.footnote(figure, context, [dataset], margins, plots.POOLED, more=[f"{missing}: not run."] if missing else [])
    return figure
