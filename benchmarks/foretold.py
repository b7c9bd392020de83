"""python -m benchmarks.foretold: how far off are margins told from 800 draws, where all 51,200 were drawn later.

Reads the convergence tables of reference_results/ and, of networks that these lack, those in
benchmarks/results/all_samples/. docs/samples.md shows what it prints.
"""

import pandas as pd

from report.results import METHODS, MODELS, OFFICIAL, RUN
from report.statistics import of_change, of_mean

from .shared import ROOT, markdown

SAMPLES, DRAWN = 51200, 800
HEADER = ["network", "points", "a margin, mean", "a margin, rms", "average", "last doubling"]


def main():
    print(markdown(HEADER, rows()))


def rows():
    """One row a network: errors of what is told, in percent of what all draws give, with 95 % intervals; no signs."""
    folders = ROOT / "reference_results", ROOT / "benchmarks/results"
    paths = [*folders[0].glob("*/convergence.csv.gz"), *folders[1].glob("all_samples/*.csv")]
    table = pd.concat(map(pd.read_csv, paths)).drop_duplicates([*RUN, "samples", "index"], keep="last")
    table = table.groupby(RUN).filter(lambda lines: lines["samples"].max() == SAMPLES)
    return [row(run, lines) for run, lines in table.groupby(RUN)]


def row(run, lines):
    dataset, model, method, seed = run
    distances = lines.assign(distance=lines["margin"].abs()).pivot(index="samples", columns="index", values="distance")
    drawn, half = (distances.loc[[samples]].to_numpy() for samples in (SAMPLES, SAMPLES // 2))  # (1, points) each
    told = lines[lines["samples"] == DRAWN].set_index("index")["foretold"][distances.columns].abs().to_numpy()[None]
    errors = 100 * (told / drawn - 1)
    name = f"{OFFICIAL[dataset]} {MODELS[model]} {METHODS[method]}" + f", seed {seed}" * (seed > 0)
    of_average, doubling = of_change(drawn, told), of_change(half, drawn)
    return [
        name,
        str(drawn.size),
        with_interval(errors.mean(), of_mean(errors)),
        f"{(errors**2).mean() ** 0.5:.1f}",
        with_interval(100 * (told.mean() / drawn.mean() - 1), of_average),
        with_interval(100 * (drawn.mean() / half.mean() - 1), doubling),
    ]


def with_interval(value, interval):
    return f"{value:+.1f} ({interval[0]:+.1f} to {interval[1]:+.1f})"


if __name__ == "__main__":
    main()
