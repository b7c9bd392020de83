"""Sample the margins of the evaluated points at one checkpoint, eq. (3)."""

from functools import partial
from pathlib import Path

import pandas as pd

from lib.margins import margins_with_errors
from lib.screen import is_screened
from workflow_scripts.common import parts
from workflow_scripts.common.checkpoints import load_model, load_points
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.evaluated import point_seeds
from workflow_scripts.common.files import discard, write_table
from workflow_scripts.common.point_tables import margin_table
from workflow_scripts.common.runner import call


def main(
    checkpoints, points, table, run, epoch, *, radius, samples, drawn, precision, margins_seed, device, code=()
):  # fmt: skip
    """Write one line a point: split, index, label, prediction, margin, margin_error.

    drawn: of the `samples`, from which the margin is then extrapolated with a standard error; None: all. code: files
    that decide the numbers: a job that was cut off goes on only where they are still the same
    """
    device = pick_device(device)
    model = load_model(checkpoints, run.dataset, run.model, epoch, device=device)
    settings = {"radius": radius, "samples": samples, "drawn": drawn, "precision": precision}
    loaded = {split: load_points(points, run.dataset, split, device=device) for split in ("train", "test")}
    tables, unfinished = [], []
    for split, (x, y, index) in loaded.items():
        seeds = point_seeds(index, seed=margins_seed, split=split)
        key = parts.key_of(model, x, y, code, seeds=seeds, device=device.type, **settings)
        unfinished.append(Path(table).with_suffix(f".{split}.unfinished.npz"))
        if is_screened(model, x, precision):
            print(f"{split}: looking for the largest norms in bfloat16, computing those in float32")
        estimate = partial(estimated, model, x, y, seeds, settings)
        title = f"margins {run} epoch {epoch} {split}"
        found = parts.in_parts(estimate, ["margin", "margin_error"], len(x), unfinished[-1], key, title)
        of_split = margin_table(split, index, y, model(x).argmax(1), found["margin"])
        tables.append(of_split.assign(margin_error=found["margin_error"]))
    write_table(pd.concat(tables), table)
    for path in unfinished:
        discard(path)


def estimated(model, x, y, seeds, settings, some, progress):
    """Margins and their errors at the points of the slice `some`."""
    found = margins_with_errors(model, x[some], y[some], seeds=seeds[some], progress=progress, **settings)
    return [values.cpu() for values in found]


if __name__ == "__main__":
    call(main, snakemake)
