"""The figure of docs/samples.md: bias of the average margin and error of single points, network by network."""

import matplotlib as mpl
from matplotlib.figure import Figure

from report import plots

SHOWN = {  # estimator: colour (Okabe and Ito), marker
    "largest": ("#000000", "s"),
    "normal": ("#E69F00", "v"),
    "line, tenth": ("#D55E00", "o"),
    "quadratic, half": ("#0072B2", "^"),
    "mean of line and quadratic": ("#009E73", "D"),
    "CLEVER, expected": ("#CC79A7", "P"),
}


def figure(table, title, bias, rms):
    """Draw a table of `samples` at one number of draws: a row for each network, a mark for each estimator.

    bias and rms: what counts as small, in percent, shaded
    """
    look = {"axes.grid.axis": "x", "font.size": 9, "xtick.labelsize": 8, "ytick.labelsize": 9}
    with plots.style(), mpl.rc_context(look):
        networks = list(dict.fromkeys(table.network))
        drawing = Figure(figsize=(7.0, 1.5 + 0.36 * len(networks)), layout="constrained")
        left, right = drawing.subplots(1, 2, sharey=True, width_ratios=[1.4, 1])
        for number, (name, (colour, marker)) in enumerate(SHOWN.items()):
            found = table[table.estimator == name].set_index("network").loc[networks]
            y = [i + 0.11 * (number - (len(SHOWN) - 1) / 2) for i in range(len(networks))]
            look = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 4}
            left.errorbar(found.bias, y, xerr=found.bias_error, elinewidth=0.8, label=name, **look)
            right.plot(found.rms, y, **look)
        own = table[table.estimator == "largest"].set_index("network").loc[networks].own
        label = "how far one realised maximum scatters"
        right.plot(own, range(len(networks)), "|", color="#555555", markersize=16, markeredgewidth=1.2, label=label)
        left.axvspan(-bias, bias, color="#DDDDDD", zorder=0)
        right.axvspan(0, rms, color="#DDDDDD", zorder=0)
        left.set_yticks(range(len(networks)), [title(name) for name in networks])
        left.invert_yaxis()
        left.set_xlabel("bias of the average margin, %")
        right.set_xscale("log")
        ticks = [0.5, 1, 2, 5, 10]
        right.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        right.minorticks_off()
        right.set_xlabel("error of single points (rms), %")
        drawing.legend(loc="outside upper center", ncols=3, handletextpad=0.2, columnspacing=1.5)
    return drawing
