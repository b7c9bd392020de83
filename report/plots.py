"""The look of every figure, defined once: style, sizes, colours, and the few things that panels share.

Figures themselves are in `figures` and `supplement`. Importing this module changes no matplotlib setting.
"""

import textwrap
from contextlib import contextmanager
from io import BytesIO

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import AutoLocator

from .text import remarks

SINGLE, DOUBLE = 3.3, 6.8  # widths of one and of two columns, inches

# Okabe and Ito's colours, which colour-blind readers can tell apart; wine for LCR is Tol's.
METHOD_COLOURS = {"std": "#D55E00", "lcr": "#882255", "amr": "#009E73"}
SPLIT_COLOURS = {"train": "#0072B2", "test": "#E69F00"}
SPLIT_LINES = {  # the test line is dashed: often the two nearly coincide
    "train": {"color": SPLIT_COLOURS["train"], "linestyle": "-"},
    "test": {"color": SPLIT_COLOURS["test"], "linestyle": (0, (3, 1.5))},
}
MODEL_COLOURS = {"lr": "#000000", "mlp": "#CC79A7", "cnn": "#56B4E9"}
SVM_COLOUR = "#555555"
MEAN_COLOUR = "#222222"
NOTE_COLOUR = "#777777"
MARGIN = "margin ($L_2$ distance, pixels in [0, 1])"

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same figure on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": "#333333",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 0,
    "pdf.fonttype": 42,
    "svg.hashsalt": "minavg",  # else svg identifiers are drawn at random
}
METADATA = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}


@contextmanager
def style():
    """Draw and save in the project's style inside `with style():` or a function decorated with `@style()`."""
    with mpl.rc_context({**matplotlib.style.library["seaborn-v0_8-ticks"], **STYLE}):
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


def footnote(figure, context, datasets):
    """Print the remarks on `datasets` in grey under the figure, nothing where there are none."""
    width = int(figure.get_figwidth() * 22)  # letters of 6 points that fit
    text = "\n".join(textwrap.fill(remark, width) for remark in remarks(context, datasets))
    if text:
        figure.supxlabel(text, x=0.01, ha="left", fontsize=6, color=NOTE_COLOUR)


def not_run(ax):
    """Say on an empty panel that its run is not among the results."""
    ax.text(0.5, 0.5, "not run", transform=ax.transAxes, ha="center", va="center", color=NOTE_COLOUR)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)


def line(ax, runs, column, over="epoch", **line_style):
    """Draw `column` of `runs` against the epoch: the mean of the seeds in a band from lowest to highest.

    One seed gives the line alone. Epochs with gaps between them, as at checkpoints, are marked by dots. Another column
    may take the epoch's place.
    """
    by_epoch = runs.groupby(over)[column]
    mean = by_epoch.mean()
    sparse = len(mean) == 1 or (np.diff(mean.index) > 1).any()
    ax.xaxis.set_major_locator(_whole_epochs())
    (drawn,) = ax.plot(mean.index, mean, **{"marker": "o" if sparse else None, **line_style})
    if runs["seed"].nunique() > 1:
        band = {"color": drawn.get_color(), "alpha": 0.2, "linewidth": 0, "zorder": drawn.get_zorder() - 0.1}
        ax.fill_between(mean.index, by_epoch.min(), by_epoch.max(), **band)


def _whole_epochs():
    locator = AutoLocator()
    locator.set_params(integer=True, min_n_ticks=1)  # a single epoch too
    return locator


def log_epochs(ax):
    """Put the epochs on a log axis that is labelled in plain numbers."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")


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


def bin_edges(values):
    """Return the edges of equal histogram bins over all `values`: more of them, the more values there are."""
    values = np.asarray(values, dtype=float)
    bins = int(np.clip(2.5 * np.sqrt(len(values)), 12, 60))
    return np.histogram_bin_edges(values, bins=bins)


def epoch_colours(count):
    """Return `count` colours from light (early) to dark (late)."""
    return [mpl.colors.to_hex(mpl.colormaps["viridis_r"](x)) for x in np.linspace(0.2, 0.95, count)]


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


def legend(figure, *entries, loc="outside upper center"):
    """Put one legend outside the panels: an entry is (label, properties of its line)."""
    handles = [Line2D([], [], label=label, **properties) for label, properties in entries]
    figure.legend(handles=handles, loc=loc, ncols=len(entries))
