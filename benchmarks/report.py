"""The table as CSV and Markdown, and the bar chart."""

import csv

from report.plots import NOTE_COLOUR, SPLIT_COLOURS, new_figure, style
from workflow_scripts.common.drawing import save
from workflow_scripts.common.files import whole_file

from .timing import COLUMNS, OURS

HEADER = ["item", "method", "median", "lowest .. highest", "unit", "ours / it", "target", "met", "note"]
PHASES = {"class gradients": "Class gradients", "samples": "Class gradients and drawing of samples",
          "attack,": "Attack: a row of Table 1", "training": "Training: epochs"}  # fmt: skip
LINE = 0.14  # inches for a bar


def write(folder, rows, machine):
    """Write table.csv, table.md and bars.png into `folder`; `machine` is the line that describes it."""
    with whole_file(folder / "table.csv") as path, path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    with whole_file(folder / "table.md") as path:
        path.write_text(markdown(rows, machine))
    save(bars(rows, machine), folder / "bars.png")


def markdown(rows, machine):
    """Return the table with the machine above it."""
    lines = [f"Measured on {machine}.", "", f"| {' | '.join(HEADER)} |", "|---|---|---:|---:|---|---:|---|---|---|"]
    for row in rows:
        span = f"{number(row['lowest'])} .. {number(row['highest'])}" if row["lowest"] != row["highest"] else ""
        ratio = f"{row['ratio']:.2f}x" if row["ratio"] != "" else ""
        cells = [row["item"], row["method"], number(row["value"]), span, row["unit"], ratio, row["target"]]
        lines.append(f"| {' | '.join([*cells, row['met'], row['note']])} |")
    return "\n".join([*lines, ""])


def number(value):
    """Return a number with three digits and thousands separated, or a dash where there is none."""
    if value == "":
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


@style()
def bars(rows, machine):
    """Return the figure: a panel for each phase, a group of bars for each item, speeds relative to ours."""
    panels = {title: _groups(rows, start) for start, title in PHASES.items()}
    panels = {title: groups for title, groups in panels.items() if groups}
    heights = [sum(len(group) + 1.6 for group in groups.values()) for groups in panels.values()]
    figure = new_figure(LINE * sum(heights) + 0.45 * len(panels) + 0.3)
    axes = figure.subplots(len(panels), height_ratios=heights, squeeze=False)[:, 0]
    longest = max(1 / (row["ratio"] or 1) for groups in panels.values() for group in groups.values() for row in group)
    for ax, (title, groups) in zip(axes, panels.items(), strict=True):
        _draw(ax, groups)
        ax.set(xlim=(0, 1.17 * longest))
        ax.set_title(title, fontweight="bold")
    axes[-1].set_xlabel("speed relative to ours; the numbers beside the bars say how many times as fast ours is")
    missing = ", ".join(dict.fromkeys(row["method"] for row in rows if row["note"].endswith("is not installed")))
    note = f"Medians, {machine}." + (f"\nNot installed, so not measured: {missing}." if missing else "")
    figure.supxlabel(note, x=0.01, ha="left", fontsize=6, color=NOTE_COLOUR)
    return figure


def _groups(rows, start):
    """{item: its measured rows}, of the items with something to compare; our own slower methods are no peers."""
    groups = {}
    for row in rows:
        if row["item"].startswith(start) and row["value"] != "" and not row["method"].startswith(f"{OURS},"):
            groups.setdefault(row["item"], []).append(row)
    return {item: group for item, group in groups.items() if len(group) > 1}


def _draw(ax, groups):
    y, ticks = 0, {}
    for item, group in groups.items():
        ax.text(0.005, y, item.split(", ", 1)[1], fontsize=7, va="center", fontstyle="italic")
        for row in group:
            y += 1
            ratio = row["ratio"] or 1
            colour = SPLIT_COLOURS["train"] if row["method"] == OURS else "#B8B8B8"
            label = f"{number(row['value'])} {row['unit']}" if row["method"] == OURS else f"{ratio:.3g}x"
            ax.barh(y, 1 / ratio, height=0.8, color=colour)
            ax.text(1 / ratio + 0.01, y, label, fontsize=7, va="center")
            ticks[y] = row["method"]
        y += 1.6
    ax.set(yticks=list(ticks), yticklabels=ticks.values(), ylim=(y - 0.8, -0.8))
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.grid(True, axis="x")
    ax.set_axisbelow(True)
