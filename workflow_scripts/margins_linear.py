"""Exact margins of a linear model: point by point at the checkpoints, minimum and average at every epoch."""

import pandas as pd

from lib.margins import linear_margins
from workflow_scripts.common.checkpoints import epochs_kept, load_model, load_points
from workflow_scripts.common.files import write_table
from workflow_scripts.common.point_tables import margin_table
from workflow_scripts.common.runner import call


def main(checkpoints, points, tables, summary, dataset, *, epochs):
    """Write one table for each of the `epochs` to `tables`, a line for every trained epoch to `summary`."""
    splits = {split: load_points(points, dataset, split) for split in ("train", "test")}
    splits = {split: (x.flatten(1).double(), y, index) for split, (x, y, index) in splits.items()}  # once, not an epoch
    paths = dict(zip(epochs, tables, strict=True))
    lines = []
    for epoch in epochs_kept(checkpoints):
        head = load_model(checkpoints, dataset, "lr", epoch).head
        weight, bias = head.weight, head.bias
        found = {split: linear_margins(weight, bias, x, y) for split, (x, y, _) in splits.items()}
        lines += [
            {"epoch": epoch, "split": split, "points": len(m), "minimum": m.min().item(), "average": m.mean().item()}
            for split, m in found.items()
        ]
        if epoch in paths:
            write_table(of_points(weight, bias, splits, found), paths[epoch])
    write_table(pd.DataFrame(lines), summary)


def of_points(weight, bias, splits, found):
    """The margins of all points, `found`, as one table."""
    return pd.concat(
        margin_table(split, index, y, (x @ weight.double().T + bias).argmax(1), found[split])
        for split, (x, y, index) in splits.items()
    )


if __name__ == "__main__":
    call(main, snakemake)
