"""Sample the margins of the evaluated points at one checkpoint, eq. (3)."""

import pandas as pd

from lib.margins import margins_with_errors
from lib.screen import is_screened
from workflow_scripts.common.checkpoints import load_model, load_points
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.evaluated import point_seeds
from workflow_scripts.common.files import write_table
from workflow_scripts.common.job import progress_bar
from workflow_scripts.common.point_tables import margin_table
from workflow_scripts.common.runner import call


def main(checkpoints, points, table, run, epoch, *, radius, samples, drawn, precision, margins_seed, device):
    """Write one line a point: split, index, label, prediction, margin, margin_error.

    drawn: of the `samples`, from which the margin is then extrapolated with a standard error; None: all
    """
    device = pick_device(device)
    model = load_model(checkpoints, run.dataset, run.model, epoch, device=device)
    tables = []
    for split in ("train", "test"):
        x, y, index = load_points(points, run.dataset, split, device=device)
        if is_screened(model, x, precision):
            print(f"{split}: looking for the largest norms in bfloat16, computing those in float32")
        bar = progress_bar(len(x), f"margins {run} epoch {epoch} {split}", "point")
        seeds = point_seeds(index, seed=margins_seed, split=split)
        margins, errors = margins_with_errors(
            model,
            x,
            y,
            radius=radius,
            samples=samples,
            drawn=drawn,
            seeds=seeds,
            progress=bar.update_to,
            precision=precision,
        )
        bar.close()
        tables.append(
            margin_table(split, index, y, model(x).argmax(1), margins).assign(margin_error=errors.cpu().numpy())
        )
    write_table(pd.concat(tables), table)


if __name__ == "__main__":
    call(main, snakemake)
