"""Find the smallest adversarial distance of the evaluated points at every checkpoint of one run."""

import pandas as pd
import torch

from lib.minimum_norm import attack_distances
from workflow_scripts.common.checkpoints import load_model, load_points
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.files import write_table
from workflow_scripts.common.job import progress_bar
from workflow_scripts.common.point_tables import point_table
from workflow_scripts.common.runner import call


def main(checkpoints, points, table, run, *, epochs, steps, device):
    """Write one line an epoch and point: epoch, split, index, label, prediction, distance (inf: none found)."""
    device = pick_device(device)
    splits = {split: load_points(points, run.dataset, split, device=device) for split in ("train", "test")}
    bar = progress_bar(len(epochs), f"bracket {run}", "checkpoint")
    found = []
    for epoch in epochs:
        model = load_model(checkpoints, run.dataset, run.model, epoch, device=device)
        for split, (x, y, index) in splits.items():
            part = measure(model, x, y, index, steps)
            print(f"epoch {epoch} {split}: {len(part)} points, average distance {part.distance.mean():.4f}")
            part.insert(0, "epoch", epoch)
            part.insert(1, "split", split)
            found.append(part)
        bar.update()
    bar.close()
    write_table(pd.concat(found), table)


def measure(model, x, y, index, steps):
    with torch.no_grad():
        prediction = model(x).argmax(1)
    distance = attack_distances(model, x, steps=steps)
    return point_table(index=index, label=y, prediction=prediction, distance=distance)


if __name__ == "__main__":
    call(main, snakemake)
