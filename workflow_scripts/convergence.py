"""Estimate the margins of some test points of one network from ever more samples."""

from functools import partial
from pathlib import Path

import pandas as pd

from lib.margins import margins_by_samples
from workflow_scripts.common import parts
from workflow_scripts.common.checkpoints import load_model, load_points
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.evaluated import point_seeds
from workflow_scripts.common.files import discard, write_table
from workflow_scripts.common.point_tables import point_table
from workflow_scripts.common.runner import call

NAMES = ["margin", "foretold", "foretold_error"]


def main(
    checkpoints, points, table, run, *, epoch, subset, radius, samples, drawn, precision, margins_seed, device, code=()
):  # fmt: skip
    """Write one line a number of samples and point: samples, index, label, margin, foretold, foretold_error.

    The numbers are those that are drawn, halved again and again; the samples are nested. foretold: the margin of all
    `samples` as so many foretell it, with its standard error; empty where these are too few. code: as for margins
    """
    device = pick_device(device)
    model = load_model(checkpoints, run.dataset, run.model, epoch, device=device)
    x, y, index = load_points(points, run.dataset, "test", device=device)
    x, y, index = x[:subset], y[:subset], index[:subset]  # in the order drawn
    counts = halved(min(drawn or samples, samples))
    seeds = point_seeds(index, seed=margins_seed, split="test")
    settings = {"counts": counts, "samples": samples, "radius": radius, "precision": precision}
    unfinished = Path(table).with_suffix(".unfinished.npz")
    key = parts.key_of(model, x, y, code, seeds=seeds, device=device.type, **settings)
    estimate = partial(estimated, model, x, y, seeds, settings)
    found = parts.in_parts(estimate, NAMES, len(x), unfinished, key, f"convergence {run}")  # (points, len(counts)) each
    tables = []
    for j, n in enumerate(counts):
        part = point_table(index=index, label=y, **{name: found[name][:, j] for name in NAMES})
        part.insert(0, "samples", n)
        tables.append(part)
        print(f"{n} samples: average {part.margin.mean():.4f}, of {samples} foretold {part.foretold.mean():.4f}")
    write_table(pd.concat(tables), table)
    discard(unfinished)


def estimated(model, x, y, seeds, settings, some, progress):
    """Margins, those foretold and their errors at the points of the slice `some`, (points, len(counts)) each."""
    found = margins_by_samples(model, x[some], y[some], seeds=seeds[some], progress=progress, **settings)
    return [values.T.cpu() for values in found]


def halved(samples):
    """The numbers samples, samples / 2, samples / 4, ... down to 1 (rounded down), ascending."""
    return [samples >> shift for shift in reversed(range(samples.bit_length()))]


if __name__ == "__main__":
    call(main, snakemake)
