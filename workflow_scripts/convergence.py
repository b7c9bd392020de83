"""Estimate the margins of some test points of one network from ever more samples."""

import pandas as pd
import torch

from lib.checkpoints import load_model, load_points
from lib.data import draw_points
from lib.job import pick_device, progress_bar, whole_file
from lib.margins import margins_by_samples


def main(checkpoints, points, output, *, key, epoch, count, margins, seed, device):
    """Write one line a number of samples and point: samples, index, label, margin.

    The numbers are those of the estimate, halved again and again; the samples are nested.
    """
    device = pick_device(device)
    model = load_model(checkpoints, key["dataset"], key["model"], epoch, device=device)
    x, y, index = load_points(points, key["dataset"], "test", device=device)
    drawn = draw_points(len(x), min(count, len(x)), seed=seed, split="test")
    counts = halved(margins["samples"])
    bar = progress_bar(len(drawn), f"convergence {'/'.join(map(str, key.values()))}", "point")
    found = margins_by_samples(
        *(model, x[drawn], y[drawn]),
        counts=counts,
        radius=margins["radius"],
        generator=torch.Generator().manual_seed(margins["seed"]),
        progress=bar.update_to,
    )  # (len(counts), points)
    bar.close()
    values = {"index": index[drawn], "label": y[drawn].cpu()}
    tables = [pd.DataFrame({"samples": n, **values, "margin": row}) for n, row in zip(counts, found.cpu(), strict=True)]
    with whole_file(output) as path:
        pd.concat(tables).to_csv(path, index=False)
    print("\n".join(f"{n} samples: average {row.mean():.4f}" for n, row in zip(counts, found, strict=True)))


def halved(samples):
    """The numbers samples, samples / 2, samples / 4, ... down to 1 (rounded down), ascending."""
    return [samples >> shift for shift in reversed(range(samples.bit_length()))]


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    wildcards, params = snakemake.wildcards, snakemake.params
    main(
        *(snakemake.input.checkpoints, snakemake.input.points, snakemake.output[0]),
        key={name: wildcards[name] for name in ("dataset", "model", "method", "seed")},
        epoch=params.epoch,
        count=params.points,
        margins=params.margins,
        seed=params.seed,
        device=params.device,
    )
