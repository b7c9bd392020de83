"""The finding in one moving picture: the margins of logistic regression on 0 and 1, epoch by epoch, and the SVM's."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.animation import PillowWriter

from . import plots
from .text import number, title

FRAMES, RATE, HOLD = 30, 6, 9  # about so many epochs; so many a second; the last one stays so many times as long
DPI = 130
MINIMUM = {"color": plots.CLEAR[3], "marker": "^", "markersize": 7}
AVERAGE = {"color": plots.CLEAR[0], "marker": "v", "markersize": 7}
LR = {"color": plots.CLEAR[0], "alpha": 0.45}
SVM = {"color": plots.SVM_COLOUR, "alpha": 0.35}
SVM_LINE = {"color": plots.SVM_COLOUR, "linewidth": 0.8, "linestyle": plots.DASHED}


def epochs_shown(last):
    """Return the epochs from the first to the `last` that are shown: evenly spread on a log scale."""
    epochs, count = set(), FRAMES
    while len(epochs) < min(FRAMES, last):  # the first ones fall on the same whole numbers
        epochs, count = {round(epoch) for epoch in np.geomspace(1, last, count)}, count + 1
    return sorted(epochs)


@plots.style()
def still(margins, svm, context):
    """Return the last frame as a figure: the histogram at the end, and the way of minimum and average.

    margins: {epoch: margins of the training points}; svm: the SVM's margins of the same points
    """
    edges = plots.bin_edges([*margins.values(), svm])
    figure = _stage(margins, svm, edges, context)
    _add_frame(figure, margins, max(margins), edges)
    return figure


@plots.style()
def moving(margins, svm, context):
    """Return an animated GIF of all epochs of `margins`, as bytes, the same each time; arguments as in `still`."""
    edges = plots.bin_edges([*margins.values(), svm])
    figure = _stage(margins, svm, edges, context)
    frame = _add_frame(figure, margins, min(margins), edges)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # else the panels would move with their texts
    writer = PillowWriter(fps=RATE)
    with TemporaryDirectory() as folder:
        with writer.saving(figure, Path(folder, "film.gif"), DPI):
            for epoch in [*sorted(margins), *[max(margins)] * HOLD]:
                for artist in frame:
                    artist.remove()
                frame = _add_frame(figure, margins, epoch, edges)
                writer.grab_frame()
        return Path(folder, "film.gif").read_bytes()


def _stage(margins, svm, edges, context):
    """The figure with all that does not move."""
    figure = plots.new_figure(height=3.9, width=6.0)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    last = max(margins)
    tallest = max(np.histogram(values, edges)[0].max() for values in [*margins.values(), svm])
    above.stairs(np.histogram(svm, edges)[0], edges, fill=True, **SVM)
    for ax in (above, below):
        ax.axvline(0, color="#AAAAAA", linewidth=0.8, zorder=0)
        for value in (svm.min(), svm.mean()):
            ax.axvline(value, zorder=1, **SVM_LINE)
    for text, value, side in ((" SVM's minimum ", svm.min(), "right"), (" SVM's average", svm.mean(), "left")):
        above.text(value, 1.3 * tallest, text, color=plots.SVM_COLOUR, ha=side, va="top")
    width = edges[-1] - edges[0]
    above.set(
        xlim=(edges[0] - 0.24 * width, edges[-1] + 0.02 * width), ylim=(0, 1.3 * tallest), ylabel="points", yticks=[]
    )
    below.set(yscale="log", ylim=(1.6 * max(last, 2), 0.6), ylabel="epoch", xlabel=plots.MARGIN)
    below.set_yticks([10**power for power in range(len(str(last)))])
    below.set_yticks([], minor=True)
    below.yaxis.set_major_formatter(plots.PLAIN)
    above.set_title(f"{title(context, 'mnist01', 'lr')}: margins of the training points")
    bars = ("logistic regression (LR)", LR | {"linewidth": 6}), ("hard-margin SVM, same points", SVM | {"linewidth": 6})
    plots.legend(figure, *bars, ("minimum", MINIMUM), ("average", AVERAGE), columns=4)
    plots.footnote(figure, context, ["mnist01"])
    return figure


def _add_frame(figure, margins, epoch, edges):
    """Draw what shows one epoch: its histogram, minimum and average, and the way of both up to it."""
    above, below = figure.axes
    values, passed = margins[epoch], [e for e in sorted(margins) if e <= epoch]
    top = above.get_ylim()[1]
    drawn = [above.stairs(np.histogram(values, edges)[0], edges, fill=True, **LR)]
    drawn.append(
        above.text(0.98, 0.94, f"epoch {epoch:,}", transform=above.transAxes, ha="right", va="top", fontsize=11)
    )
    for name, look, height, side in (("minimum", MINIMUM, 0.06, "right"), ("average", AVERAGE, 0.84, "left")):
        way = [margins[e].min() if name == "minimum" else margins[e].mean() for e in passed]
        drawn.append(above.vlines(way[-1], 0, height * top, color=look["color"], linewidth=1.2))
        drawn += above.plot(way[-1], height * top, **look)
        words = f"  {name} {number(way[-1])}  "
        drawn.append(above.text(way[-1], height * top, words, color=look["color"], ha=side, va="center"))
        drawn += below.plot(way, passed, color=look["color"], linewidth=1.2)
        drawn += below.plot(way[-1], epoch, **look)
    return drawn
