"""Exact margins of a linear model: point by point at the checkpoints, minimum and average at every epoch."""

import pandas as pd

from lib.margins import linear_margins
from workflow_scripts.common.checkpoints import epochs_kept, load_model, load_points
from workflow_scripts.common.files import write_table
from workflow_scripts.common.point_tables import margin_table
from workflow_scripts.common.runner import call
from workflow_scripts.common.summary import summarised


def main(checkpoints, points, table, summary, dataset, *, epochs):
    """Write a line for each point at each of the `epochs` to `table`, and for every trained epoch to `summary`."""
    splits = {split: load_points(points, dataset, split) for split in ("train", "test")}
    splits = {split: (x.flatten(1).double(), y, index) for split, (x, y, index) in splits.items()}  # once, not an epoch
    lines, tables = [], []
    for epoch in epochs_kept(checkpoints):
        head = load_model(checkpoints, dataset, "lr", epoch).head
        for split, (x, y, index) in splits.items():
            found = linear_margins(head.weight, head.bias, x, y)
            lines.append({"epoch": epoch, "split": split, **summarised(found.numpy())})
            if epoch in epochs:
                prediction = (x @ head.weight.double().T + head.bias).argmax(1)
                tables.append(margin_table(split, index, y, prediction, found).assign(margin_error=0.0, epoch=epoch))
    write_table(pd.concat(tables), table)
    write_table(pd.DataFrame(lines), summary)


if __name__ == "__main__":
    call(main, snakemake)
