"""Attack one trained network in three ways at every eps of table 1, and measure the gradients that PGD starts with."""

import pandas as pd

from lib.attacks import gradient_lengths
from lib.brackets import withstands
from lib.checkpoints import load_model, load_points
from lib.job import pick_device, progress_bar, whole_file


def main(checkpoints, points, output, *, key, epoch, eps, settings, device):
    """Write one line a test image: index, label, gradient, and for each eps (0: no attack) whether it held, 1 or 0.

    gradient: L2 norm of the cross-entropy's gradient at the image, tiny values included.
    """
    device = pick_device(device)
    model = load_model(checkpoints, key["dataset"], key["model"], epoch, device=device)
    x, y, index = load_points(points, key["dataset"], "test", device=device)
    eps = [0.0, *eps]
    bar = progress_bar(len(eps), f"strong attack {'/'.join(map(str, key.values()))}", "radius")
    held = withstands(model, x, y, eps=eps, **settings, progress=bar.update_to)  # (n, len(eps))
    bar.close()
    table = pd.DataFrame({"index": index, "label": y.cpu(), "gradient": gradient_lengths(model, x, y).cpu()})
    print(f"gradients from {table.gradient.min():.3g} to {table.gradient.max():.3g}")
    for radius, column in zip(eps, held.T.int().numpy(), strict=True):
        table[f"eps{radius:g}"] = column
        print(f"eps {radius:g}: {100 * column.mean():.2f} % correct")
    with whole_file(output) as path:
        table.to_csv(path, index=False)


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    wildcards, params = snakemake.wildcards, snakemake.params
    main(
        *(snakemake.input.checkpoints, snakemake.input.points, snakemake.output[0]),
        key={name: wildcards[name] for name in ("dataset", "model", "method", "seed")},
        epoch=params.epoch,
        eps=params.eps,
        settings=params.settings,
        device=params.device,
    )
