"""Estimate the margins of some test points of one network from ever more samples."""

import pandas as pd

from lib.margins import margins_by_samples
from workflow_scripts.common.checkpoints import load_model, load_points
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.evaluated import point_seeds
from workflow_scripts.common.files import write_table
from workflow_scripts.common.job import progress_bar
from workflow_scripts.common.point_tables import point_table
from workflow_scripts.common.runner import call


def main(checkpoints, points, table, run, *, epoch, subset, radius, samples, drawn, precision, margins_seed, device):
    """Write one line a number of samples and point: samples, index, label, margin, foretold, foretold_error.

    The numbers are those that are drawn, halved again and again; the samples are nested. foretold: the margin of all
    `samples` as so many foretell it, with its standard error; empty where these are too few
    """
    device = pick_device(device)
    model = load_model(checkpoints, run.dataset, run.model, epoch, device=device)
    x, y, index = load_points(points, run.dataset, "test", device=device)
    x, y, index = x[:subset], y[:subset], index[:subset]  # in the order drawn
    counts = halved(min(drawn or samples, samples))
    bar = progress_bar(len(x), f"convergence {run}", "point")
    margins, foretold, errors = margins_by_samples(
        model,
        x,
        y,
        counts=counts,
        samples=samples,
        radius=radius,
        seeds=point_seeds(index, seed=margins_seed, split="test"),
        progress=bar.update_to,
        precision=precision,
    )  # (len(counts), points) each
    bar.close()
    parts = []
    for n, *of_count in zip(counts, margins, foretold, errors, strict=True):
        part = point_table(index=index, label=y, margin=of_count[0], foretold=of_count[1], foretold_error=of_count[2])
        part.insert(0, "samples", n)
        parts.append(part)
        print(f"{n} samples: average {part.margin.mean():.4f}, of {samples} foretold {part.foretold.mean():.4f}")
    write_table(pd.concat(parts), table)


def halved(samples):
    """The numbers samples, samples / 2, samples / 4, ... down to 1 (rounded down), ascending."""
    return [samples >> shift for shift in reversed(range(samples.bit_length()))]


if __name__ == "__main__":
    call(main, snakemake)
