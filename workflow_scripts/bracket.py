"""Find the smallest adversarial distance of the evaluated points at every checkpoint of one run."""

import pandas as pd
import torch

from lib.brackets import attack_distances
from lib.checkpoints import load_model, load_points
from lib.job import pick_device, progress_bar, whole_file


def main(checkpoints, points, output, *, key, epochs, steps, device):
    """Write one line an epoch and point: epoch, split, index, label, prediction, distance (inf: none found)."""
    device = pick_device(device)
    splits = {split: load_points(points, key["dataset"], split, device=device) for split in ("train", "test")}
    bar = progress_bar(len(epochs), f"bracket {'/'.join(map(str, key.values()))}", "checkpoint")
    tables = []
    for epoch in epochs:
        model = load_model(checkpoints, key["dataset"], key["model"], epoch, device=device)
        tables += [measure(model, epoch, split, *of_split, steps) for split, of_split in splits.items()]
        bar.update()
    bar.close()
    with whole_file(output) as path:
        pd.concat(tables).to_csv(path, index=False)


def measure(model, epoch, split, x, y, index, steps):
    distance = attack_distances(model, x, steps=steps)
    with torch.no_grad():
        prediction = model(x).argmax(1)
    values = {"index": index, "label": y, "prediction": prediction, "distance": distance}
    table = pd.DataFrame({name: torch.as_tensor(value).cpu().numpy() for name, value in values.items()})
    table.insert(0, "epoch", epoch)
    table.insert(1, "split", split)
    print(f"epoch {epoch} {split}: {len(table)} points, average distance {table.distance.mean():.4f}")
    return table


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    wildcards, params = snakemake.wildcards, snakemake.params
    main(
        *(snakemake.input.checkpoints, snakemake.input.points, snakemake.output[0]),
        key={name: wildcards[name] for name in ("dataset", "model", "method", "seed")},
        epochs=params.epochs,
        steps=params.steps,
        device=params.device,
    )
