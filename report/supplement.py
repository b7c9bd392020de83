"""Figures S1 to S4, which the paper lacks: how far its measurements can be trusted. One function each, as in `figures`.

Networks that a table does not hold are left out; where it holds none, all panels say "not run".
"""

import numpy as np
import pandas as pd
import seaborn as sns

from . import plots
from .results import DATASETS, METHODS, MODELS, NETWORK, OFFICIAL, PANELS, select
from .text import title

LETTERS = "abcdefghijkl"
FORETOLD = {"marker": None, "linestyle": (0, (1, 1)), "linewidth": 1.0}
EDGE = {"color": plots.NOTE_COLOUR, "linestyle": "--", "linewidth": 0.7}


@plots.style()
def figureS1(convergence, context):
    """Draw the average margin from more and more samples, drawn and foretold, and what each doubling takes away."""
    figure = plots.new_figure(height=4.0)
    shown = list(dict.fromkeys(dataset for dataset, _ in _held(convergence)))
    axes = figure.subplots(2, len(shown), sharex="col", squeeze=False)
    for j, dataset in enumerate(shown):
        runs = select(convergence, dataset=dataset, method="std")
        for i, (ax, draw) in enumerate(zip(axes[:, j], [_averages, _doublings], strict=True)):
            ax.set_title(f"({LETTERS[len(shown) * i + j]}) {title(context, dataset)}")
            if runs.empty:
                plots.not_run(ax)
                continue
            for model, of_model in runs.groupby("model"):
                draw(ax, of_model, label=MODELS[model], **plots.MODEL_LINES[model])
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter(plots.PLAIN)
            plots.from_zero(ax)
        axes[1, j].set_xlabel("samples a point")
    axes[0, 0].set_ylabel("average margin ($L_2$,\npixels in [0, 1])")
    axes[1, 0].set_ylabel("decrease of the |margin|\nby doubling (%)")
    figure.align_ylabels(axes[:, 0])
    key = plots.entries(MODELS, plots.MODEL_LINES, convergence["model"])
    if convergence.dropna(subset=["foretold"]).groupby(NETWORK)["samples"].nunique().max() > 1:
        key.append(("foretold for all samples", {"color": plots.NOTE_COLOUR, **FORETOLD}))
    plots.legend(figure, *key, *plots.band(convergence))
    plots.footnote(figure, context, shown)
    return figure


@plots.style()
def figureS2(attacks, context, steps):
    """Draw robust accuracy against the steps that PGD has taken, for every network and every radius.

    steps: {"mnist/mlp": how many were taken}
    """
    shown = _held(attacks)
    methods = [method for method in METHODS if method in set(attacks["method"])] or list(METHODS)
    figure = plots.new_figure(height=0.8 + 1.6 * len(shown))
    axes = figure.subplots(len(shown), len(methods), squeeze=False)
    attacked = attacks[attacks["eps"] > 0]
    radii = {name: sorted(select(attacked, dataset=name)["eps"].unique()) for name in DATASETS}
    colours = plots.epoch_colours(max(map(len, radii.values()), default=0))
    for i, (dataset, model) in enumerate(shown):
        ran = [method for method in methods if len(select(attacks, dataset=dataset, model=model, method=method))]
        for j, method in enumerate(methods):
            ax = axes[i, j]
            letter = LETTERS[len(methods) * i + j]
            ax.set_title(f"({letter}) {title(context, dataset, model)}, {METHODS[method]}")
            runs = select(attacks, dataset=dataset, model=model, method=method)
            if runs.empty:
                plots.not_run(ax)
                continue
            last = max(2, steps[f"{dataset}/{model}"])
            for eps, colour in zip(radii[dataset], colours, strict=False):
                standing = _standing(select(runs, eps=eps), last)
                plots.line(ax, standing, "robust", over="step", color=colour, label=eps)
            ax.set(xlim=(1, last), ylim=(0, 103))
            ax.tick_params(labelleft=method == ran[0])
            plots.log_epochs(ax)
        axes[i, 0].set_ylabel("robust accuracy (%)")
    for ax in axes[-1]:
        ax.set_xlabel("PGD steps")
    names = [" / ".join(f"{of[i]:g}" for of in radii.values() if i < len(of)) for i in range(len(colours))]
    whose = " / ".join(OFFICIAL[dataset] for dataset, of in radii.items() if of)
    words = [f"ε = {names[0]} ({whose})", *names[1:]] if names else []
    key = [(word, {"color": c}) for word, c in zip(words, colours, strict=True)]
    plots.legend(figure, *key, *plots.band(attacks))
    plots.footnote(figure, context, [dataset for dataset, _ in shown])
    return figure


@plots.style()
def figureS3(masking, context):
    """Draw robust accuracy against the floor under PGD's gradients, for networks made more and more confident."""
    shown = _held(masking)
    columns = min(2, len(shown))
    figure = plots.new_figure(height=2.3 if len(shown) < 3 else 4.2)
    axes = figure.subplots(-(-len(shown) // columns), columns, squeeze=False)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    floors, factors = sorted(masking["floor"].unique()), sorted(masking["factor"].unique())
    looks = _nested(factors)
    for letter, ax, (dataset, model) in zip(LETTERS, axes.flat, shown, strict=False):
        runs = select(masking, dataset=dataset, model=model, method="std")
        scale = f", ε = {runs['eps'].iloc[0]:g}, {runs['points'].iloc[0]:,} images" if len(runs) else ""
        ax.set_title(f"({letter}) {title(context, dataset, model)}{scale}")
        if runs.empty:
            plots.not_run(ax)
            continue
        for factor, look in looks.items():
            plots.line(ax, select(runs, factor=factor), "robust", over="floor", label=factor, **look)
        lowest = min((floor for floor in floors if floor > 0), default=1)
        ax.set_xscale("symlog", linthresh=lowest, linscale=2)  # 0 stands two decades below the lowest
        ax.set_xlim(-0.2 * lowest, 3 * max(lowest, *floors))
        ax.set_xticks(floors, [f"{floor:g}" for floor in floors])
        ax.set_xticks([], minor=True)
        ax.set_ylim(-5, 105)
    for ax in axes[:, 0]:
        ax.set_ylabel("robust accuracy (%)")
    for ax in axes.flat[len(shown) - columns : len(shown)]:
        ax.set_xlabel("floor under the gradient's norm (0: none)")
    plots.legend(figure, *[(f"logits × {factor:g}", look) for factor, look in looks.items()], *plots.band(masking))
    plots.footnote(figure, context, [dataset for dataset, _ in shown])
    return figure


@plots.style()
def figureS4(brackets, context):
    """Draw estimated margins against the distances at which an attack crossed, and how often they are too large."""
    shown = _held(brackets)
    figure = plots.new_figure(height=0.8 + 1.8 * len(shown))
    axes = figure.subplots(len(shown), 2, squeeze=False)
    for i, (dataset, model) in enumerate(shown):
        name, (left, right) = title(context, dataset, model), axes[i]
        left.set_title(f"({LETTERS[2 * i]}) {name}: last checkpoint")
        right.set_title(f"({LETTERS[2 * i + 1]}) {name}: estimate too large")
        runs = select(brackets[np.isfinite(brackets["distance"])], dataset=dataset, model=model)
        if runs.empty:
            plots.not_run(left)
            plots.not_run(right)
            continue
        _scatter(left, runs[runs["epoch"] == runs.groupby("method")["epoch"].transform("max")])
        failed = runs.assign(failed=100.0 * (runs["margin"] > runs["distance"]))
        failed = failed.groupby(["method", "seed", "epoch"], as_index=False)["failed"].mean()
        for method in [method for method in METHODS if method in set(failed["method"])]:
            look = plots.METHOD_LINES[method] | {"label": method, "shift": plots.SHIFTS[method]}
            plots.line(right, select(failed, method=method), "failed", **look)
        plots.from_zero(right)
        plots.from_start(right)
        left.set_ylabel("estimated |margin|")
        right.set_ylabel("points (%)")
    axes[-1, 0].set_xlabel("distance of the attack ($L_2$, pixels in [0, 1])")
    axes[-1, 1].set_xlabel("epoch")
    key = plots.entries(METHODS, plots.METHOD_LINES, brackets["method"])
    plots.legend(figure, *key, ("equal", EDGE), *plots.band(brackets))
    plots.footnote(figure, context, [dataset for dataset, _ in shown], plots.pooled("Dots", brackets))
    return figure


def _held(table):
    """The networks (data set, model) of a table, in the order of their panels; all where it holds none."""
    found = set(zip(table["dataset"], table["model"], strict=True))
    return [network for network in PANELS if network in found] or PANELS


def _nested(factors):
    """The look of each factor's line: each thinner than the ones below it, which may lie in the same place."""
    return {
        factor: {"color": colour, "marker": "o", "linewidth": 1.2 + 1.2 * below, "markersize": 4 + 2 * below}
        for factor, colour, below in zip(
            factors, plots.epoch_colours(len(factors)), range(len(factors))[::-1], strict=True
        )
    }


def _averages(ax, runs, **look):
    """Draw the average margin of so many samples, and what these foretell for all of them."""
    by_seed = runs.groupby(["seed", "samples"], as_index=False)[["margin", "foretold"]].mean()
    plots.line(ax, by_seed, "margin", over="samples", **look)
    told = by_seed.dropna(subset=["foretold"])
    if told["samples"].nunique() > 1:
        plots.line(ax, told, "foretold", over="samples", **look | FORETOLD | {"label": f"{look['label']} foretold"})


def _doublings(ax, runs, **look):
    """Draw by how many percent the average |margin| falls from n / 2 to n samples, at n."""
    sizes = runs.assign(size=runs["margin"].abs()).groupby(["seed", "samples"], as_index=False)["size"].mean()
    half = sizes.assign(samples=2 * sizes["samples"])
    both = sizes.merge(half, on=["seed", "samples"], suffixes=("", "_before"))
    both["decrease"] = 100 * (1 - both["size"] / both["size_before"])
    if len(both):
        plots.line(ax, both, "decrease", over="samples", **look)


def _standing(runs, last_step):
    """Robust accuracy after each step from the first to `last_step`: seed, step, robust (percent)."""
    steps = np.arange(1, last_step + 1)
    frames = []
    for seed, broken_at in runs.groupby("seed")["broken_at"]:
        last = np.sort(np.where(broken_at < 0, np.inf, broken_at))
        standing = len(last) - np.searchsorted(last, steps, side="right")
        frames.append(pd.DataFrame({"seed": seed, "step": steps, "robust": 100 * standing / len(last)}))
    return pd.concat(frames)


def _scatter(ax, points):
    """Draw a dot a point, in the colour and with the marker of its method; none of these lies on top everywhere."""
    points = points.sort_values("index", kind="stable")
    colours, markers = ({m: look[part] for m, look in plots.METHOD_LINES.items()} for part in ("color", "marker"))
    columns = {"x": "distance", "y": "margin", "hue": "method", "style": "method"}
    look = {
        "palette": colours,
        "markers": markers,
        "s": 8 if len(points) < 1000 else 4,
        "alpha": 0.6,
        "linewidth": 0,
        "legend": False,
    }
    sns.scatterplot(points, ax=ax, **columns, **look)
    end = 1.05 * points[["distance", "margin"]].max().max()
    ax.plot([0, end], [0, end], **EDGE, zorder=3)
    ax.set(xlim=(0, end), ylim=(0, end), xlabel="")  # else seaborn's, the column's name
