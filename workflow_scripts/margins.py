"""Sample the margins of the evaluated points at one checkpoint, eq. (3)."""

import pandas as pd
import torch

from lib.checkpoints import load_model, load_points
from lib.job import pick_device, progress_bar, whole_file
from lib.margins import sampled_margins


def main(checkpoints, points, output, *, key, epoch, radius, samples, seed, device):
    """Write one line a point: split, index, label, prediction, margin."""
    device = pick_device(device)
    model = load_model(checkpoints, key["dataset"], key["model"], epoch, device=device)
    tables = []
    for split in ("train", "test"):
        x, y, index = load_points(points, key["dataset"], split, device=device)
        bar = progress_bar(len(x), f"margins {'/'.join(map(str, key.values()))} epoch {epoch} {split}", "point")
        generator = torch.Generator().manual_seed(seed)
        margins = sampled_margins(
            model, x, y, radius=radius, samples=samples, generator=generator, progress=bar.update_to
        )
        bar.close()
        tables.append(margin_table(split, index, y, model(x).argmax(1), margins))
    with whole_file(output) as path:
        pd.concat(tables).to_csv(path, index=False)


def margin_table(split, index, y, prediction, margins):
    values = {"index": index, "label": y, "prediction": prediction, "margin": margins}
    table = pd.DataFrame({name: torch.as_tensor(value).cpu().numpy() for name, value in values.items()})
    table.insert(0, "split", split)
    print(f"{split}: {len(table)} points, minimum {table.margin.min():.4f}, average {table.margin.mean():.4f}")
    return table


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    wildcards, params = snakemake.wildcards, snakemake.params
    main(
        *(snakemake.input.checkpoints, snakemake.input.points, snakemake.output.margins),
        key={name: wildcards[name] for name in ("dataset", "model", "method", "seed")},
        epoch=int(wildcards.epoch),
        radius=params.radius,
        samples=params.samples,
        seed=params.seed,
        device=params.device,
    )
