"""The look of every figure, defined once: style, sizes, colours, and the few things that panels share.

Figures themselves are in `figures` and `supplement`. Importing this module changes no matplotlib setting.
"""

import textwrap
from contextlib import contextmanager
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoLocator, FixedLocator, LogLocator
from matplotlib.transforms import ScaledTranslation

from .results import NETWORK
from .text import remarks

DOUBLE = 6.8  # width of two columns, inches

# Colours that colour-blind readers can tell apart; dashes and markers do the same in grey print.
CLEAR, DARK = sns.color_palette("colorblind").as_hex(), sns.color_palette("dark").as_hex()
DASHED, DASHDOT = (0, (3, 1.5)), (0, (5, 1, 1, 1))
METHOD_LINES = {
    "std": {"color": CLEAR[3], "marker": "o"},
    "lcr": {"color": "#882255", "marker": "s", "markersize": 5, "linestyle": DASHED},  # Tol's wine
    "amr": {"color": CLEAR[2], "marker": "^", "markersize": 5, "linestyle": DASHDOT},
}
SHIFTS = {"std": 0, "lcr": -4, "amr": 4}  # of dots, points
SPLIT_COLOURS = {"train": CLEAR[0], "test": DARK[8]}
SPLIT_LINES = {  # often nearly the same line
    "train": {"color": SPLIT_COLOURS["train"]},
    "test": {"color": SPLIT_COLOURS["test"], "linestyle": DASHED},
}
MODEL_LINES = {
    "lr": {"color": "#000000", "linewidth": 1.0},  # often jitters
    "mlp": {"color": "#AA3377", "linestyle": DASHED},  # Tol's purple
    "cnn": {"color": DARK[9], "linestyle": DASHDOT},
}
SVM_COLOUR = "#555555"
MEAN_COLOUR = "#222222"
NOTE_COLOUR = "#777777"
MARGIN = "margin ($L_2$ distance, pixels in [0, 1])"
BAND_LOOK = {"color": NOTE_COLOUR, "alpha": 0.3, "linewidth": 6}
PLAIN = "{x:,g}"  # a number on an axis: 1,000 as everywhere

STYLE = {  # on top of seaborn's "ticks" and "paper"
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same figure on every machine
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#E5E5E5",
    "axes.linewidth": 0.6,
    "lines.markersize": 4,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "minavg",  # else svg identifiers are drawn at random
}
METADATA = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


@contextmanager
def style():
    """Draw and save in the project's style inside `with style():` or a function decorated with `@style()`."""
    with mpl.rc_context({**sns.axes_style("ticks"), **sns.plotting_context("paper", font_scale=0.83), **STYLE}):
        yield


def new_figure(height, width=DOUBLE):
    """Return an empty figure of `width` x `height` inches that keeps its parts from overlapping."""
    return Figure(figsize=(width, height), layout="constrained")


def rendered(figure, suffix):
    """Return `figure` as the bytes of a .pdf, .png or .svg file, the same each time; ValueError for other suffixes."""
    kind = suffix.removeprefix(".")
    if kind not in METADATA:
        raise ValueError(f"{suffix}: a figure is saved as .pdf, .png or .svg; change the suffix")
    content = BytesIO()
    with style():
        figure.savefig(content, format=kind, dpi=200, metadata=METADATA[kind])
    return content.getvalue()


def footnote(figure, context, datasets, *sentences, size=6):
    """Print in grey under the figure what stands behind it: `sentences`, and the remarks on `datasets` and scale."""
    width = int(figure.get_figwidth() * 132 / size)  # letters that fit
    told = [sentence for sentence in [*sentences, *remarks(context, datasets)] if sentence]
    if told:
        text = "\n".join(textwrap.fill(sentence, width) for sentence in told)
        figure.supxlabel(text, x=0.01, ha="left", fontsize=size, color=NOTE_COLOUR)


def pooled(what, runs):
    """Return a sentence for the footnote, where `runs` have several seeds whose points are drawn together."""
    seeds = _several(runs)
    return f"{what}: the points of {seeds} together." if seeds else ""


def band(runs):
    """Return the entry of a key that says what a band or bar is: a list, empty where `runs` have one seed."""
    seeds = _several(runs)
    return [(f"mean of {seeds} ± standard deviation", BAND_LOOK)] if seeds else []


def _several(runs):
    seeds = runs.groupby(NETWORK)["seed"].nunique()
    if not seeds.max() > 1:
        return ""
    return f"{'up to ' if seeds.min() < seeds.max() else ''}{seeds.max()} seeds"


def not_run(ax):
    """Say where a panel would be, between others, that its run is not among the results."""
    ax.text(0.5, 0.5, "not run", transform=ax.transAxes, ha="center", va="center", color=NOTE_COLOUR)
    ax.set_axis_off()


def line(ax, runs, column, over="epoch", shift=0, **look):
    """Draw `column` of `runs` against the epoch: the mean of the seeds in a band of their standard deviation.

    One seed gives the line alone, one epoch a dot. Epochs with gaps between them, as at checkpoints, are marked; on
    other lines a marker, where `look` has one, stands at a few. Another column may take the epoch's place. A dot
    is moved by `shift` points to the right, so that equal ones do not hide one another.
    """
    before = set(ax.get_children())
    places = np.unique(runs[over])
    sparse = len(places) == 1 or (np.diff(places) > 1).any()
    marks = {"marker": "o"} if sparse else {"markevery": list(np.searchsorted(places, choose(places)))}
    bar = {"err_style": "bars", "err_kws": {"linewidth": 1}} if len(places) == 1 else {"err_kws": {"linewidth": 0}}
    sns.lineplot(
        x=runs[over].to_numpy(),  # not by name: seaborn would write it beside the axis
        y=runs[column].to_numpy(),
        errorbar="sd" if runs["seed"].nunique() > 1 else None,
        ax=ax,
        legend=False,
        **bar,
        **marks | look,
    )
    ax.xaxis.set_major_locator(_whole_epochs())
    ax.xaxis.set_major_formatter(PLAIN)
    if shift and len(places) == 1:
        for artist in set(ax.get_children()) - before:
            moved = ScaledTranslation(shift / 72, 0, ax.get_figure(root=True).dpi_scale_trans)
            artist.set_transform(artist.get_transform() + moved)


def smooth_line(ax, runs, column, label, **look):
    """Draw a line that jitters from epoch to epoch smoothed, and below it in pale as it is."""
    line(ax, runs, column, label=label, **look | {"alpha": 0.3, "linewidth": 0.5, "linestyle": "-", "marker": None})
    line(ax, smoothed(runs, column), column, label=f"{label}, smoothed", **look)


def _whole_epochs():
    locator = AutoLocator()
    locator.set_params(integer=True, min_n_ticks=1)  # a single epoch too
    return locator


def log_epochs(ax):
    """Put the epochs on a log axis that is labelled in plain numbers."""
    low, high = ax.dataLim.intervalx
    ax.set_xscale("log")
    few = _whole_epochs()
    if low == high:
        ax.set_xlim(low / 1.5, high * 1.5)
        few = FixedLocator([low])
    _plain_ticks(ax.xaxis, high / low, 60, few)


def log_values(ax):
    """Put the values on a log axis that is labelled in plain numbers."""
    low, high = ax.dataLim.intervaly
    ax.set_yscale("log")
    _plain_ticks(ax.yaxis, high / low, 300, AutoLocator())


def _plain_ticks(axis, ratio, many, few):
    """Label a log axis at powers of ten if its ends differ by `many` times, else at 1, 2, 5, ..., or by `few`."""
    axis.set_major_locator(LogLocator(subs=[1] if ratio > many else [1, 2, 5]) if ratio >= 5 else few)
    axis.set_major_formatter(PLAIN)
    axis.set_minor_formatter("")


def from_start(ax):
    """Let an axis that shows one epoch alone begin with the training."""
    epochs = {float(epoch) for drawn in ax.get_lines() for epoch in drawn.get_xdata()}
    if len(epochs) == 1:
        ax.set_xlim(0, 1.05 * epochs.pop())


def from_zero(ax):
    """Let the y axis begin at 0, or below the lowest values if they are near or under it, and end above the highest."""
    low, high = ax.dataLim.intervaly
    room = 0.06 * (max(high, 0) - min(low, 0) or 1)
    ax.set_ylim(low - room if low < room else 0, max(high, 0) + room if low or high else 1)


def smoothed(runs, column, ratio=1.3):
    """Return `runs` with `column` averaged over the epochs within a factor `ratio`: a rolling mean in log-epoch."""
    of_seeds = []
    for _, of_seed in runs.sort_values("epoch").groupby("seed"):
        epochs, total = of_seed["epoch"].to_numpy(), np.append(0, np.cumsum(of_seed[column]))
        first, end = np.searchsorted(epochs, epochs / ratio), np.searchsorted(epochs, epochs * ratio, side="right")
        of_seeds.append(of_seed.assign(**{column: (total[end] - total[first]) / (end - first)}))
    return pd.concat(of_seeds)


def choose(epochs, count=5):
    """Return at most `count` of `epochs`, in order: first, last, and others evenly spread on a log scale."""
    left = sorted(set(epochs))
    if len(left) <= count:
        return left
    chosen = []
    for target in np.geomspace(left[0] + 1, left[-1] + 1, count):  # + 1: an epoch 0 is allowed
        nearest = min(left, key=lambda epoch: abs(np.log((epoch + 1) / target)))
        chosen.append(nearest)
        left.remove(nearest)
    return sorted(chosen)


def bin_edges(samples):
    """Return the edges of equal histogram bins over all `samples`: more of them, the more values a sample has."""
    samples = [np.asarray(sample, dtype=float) for sample in samples]
    bins = int(np.clip(1.6 * np.sqrt(max(map(len, samples))), 12, 60))
    return np.histogram_bin_edges(np.concatenate(samples), bins=bins)


def epoch_colours(count):
    """Return `count` colours from light (early) to dark (late)."""
    return sns.color_palette("crest", count).as_hex()


def ridges(ax, samples, names, edges, colours):
    """Draw histograms of `samples` below one another on one x axis, all equally high, each with its mean.

    Names stand at the left, on the base line of their histogram. An empty sample keeps its place.
    """
    names, last = list(names), len(samples) - 1
    for i, (values, colour) in enumerate(zip(samples, colours, strict=True)):
        counts, _ = np.histogram(values, edges)
        tops = last - i + 0.88 * counts / max(counts.max(), 1)
        ax.stairs(tops, edges, baseline=last - i, fill=True, color=colour, alpha=0.55, linewidth=0)
        ax.stairs(tops, edges, baseline=last - i, color=colour, linewidth=0.8)
        if len(values):
            ax.vlines(np.mean(values), last - i, last - i + 0.88, color=MEAN_COLOUR, linewidth=0.9)
    ax.axvline(0, color="#AAAAAA", linewidth=0.6, zorder=0)
    ax.set(yticks=[last - i for i in range(len(names))], yticklabels=names, ylim=(-0.08, last + 1))


def entries(names, lines, held):
    """Return the entries of a legend for those keys of `names` that are among `held`, for all where none is."""
    held = set(held) & set(names) or names
    return [(names[key], lines[key]) for key in names if key in held]


def handles(entries):
    """Return what stands in a legend: an entry is (label, properties of its line)."""
    return [Line2D([], [], label=label, **properties) for label, properties in entries]


def legend(figure, *entries, loc="outside upper center", columns=None):
    """Put one legend outside the panels, in two rows where one would not fit."""
    length = sum(len(label) + 9 for label, _ in entries)
    rows = 1 if length < 19 * figure.get_figwidth() else 2
    figure.legend(handles=handles(entries), loc=loc, ncols=columns or -(-len(entries) // rows))
