"""Exact margins of a linear model: point by point at the checkpoints, minimum and average at every epoch."""

import pandas as pd

from lib.checkpoints import epochs, load_model, load_points
from lib.job import whole_file
from lib.margins import linear_margins
from workflow_scripts.margins import margin_table


def main(checkpoints, points, outputs, summary, *, dataset, wanted):
    """Write one table for each of the `wanted` epochs to `outputs`, a line for every trained epoch to `summary`."""
    splits = {split: load_points(points, dataset, split) for split in ("train", "test")}
    splits = {split: (x.flatten(1).double(), y, index) for split, (x, y, index) in splits.items()}  # once, not an epoch
    paths = dict(zip(wanted, outputs, strict=True))
    lines = []
    for epoch in epochs(checkpoints):
        head = load_model(checkpoints, dataset, "lr", epoch).head
        weight, bias = head.weight, head.bias
        found = {split: linear_margins(weight, bias, x, y) for split, (x, y, _) in splits.items()}
        lines += [
            {"epoch": epoch, "split": split, "points": len(m), "minimum": m.min().item(), "average": m.mean().item()}
            for split, m in found.items()
        ]
        if epoch in paths:
            write_points(paths[epoch], weight, bias, splits, found)
    with whole_file(summary) as path:
        pd.DataFrame(lines).to_csv(path, index=False)


def write_points(path, weight, bias, splits, found):
    tables = [
        margin_table(split, index, y, (x @ weight.double().T + bias).argmax(1), found[split])
        for split, (x, y, index) in splits.items()
    ]
    with whole_file(path) as partial:
        pd.concat(tables).to_csv(partial, index=False)


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(
        *(snakemake.input.checkpoints, snakemake.input.points, snakemake.output.epochs, snakemake.output.summary),
        dataset=snakemake.wildcards.dataset,
        wanted=snakemake.params.epochs,
    )
