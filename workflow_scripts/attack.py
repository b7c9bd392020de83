"""Attack one trained network with PGD at every eps of table 1."""

import pandas as pd

from lib.attacks import HELD, breaking_steps
from lib.checkpoints import load_model, load_points
from lib.job import pick_device, progress_bar, whole_file


def main(checkpoints, points, output, *, key, epoch, eps, settings, device):
    """Write one line a test image: index, label, and for each eps (0: no attack) the step that broke it, -1: none."""
    device = pick_device(device)
    model = load_model(checkpoints, key["dataset"], key["model"], epoch, device=device)
    x, y, index = load_points(points, key["dataset"], "test", device=device)
    eps = [0.0, *eps]
    bar = progress_bar(len(x) * len(eps), f"attack {'/'.join(map(str, key.values()))}", "image and radius")
    steps = breaking_steps(model, x, y, eps=eps, **settings, progress=bar.update_to)  # (n, len(eps))
    bar.close()
    table = pd.DataFrame({"index": index, "label": y.cpu().numpy()})
    for radius, column in zip(eps, steps.T.numpy(), strict=True):
        table[f"eps{radius:g}"] = column
        print(f"eps {radius:g}: {100 * (column == HELD).mean():.2f} % correct")
    print(f"at most {most_steps(steps, settings['iterations'])} gradient steps for {len(x)} images")
    with whole_file(output) as path:
        table.to_csv(path, index=False)


def most_steps(steps, iterations):
    """Gradient steps if each radius took its own, up to the first that breaks a point; shared ones are taken once."""
    attacked = steps[:, 1:]
    fresh = (steps[:, :-1] == HELD) & (attacked != HELD)
    return int((attacked == HELD).sum() * iterations + attacked[fresh].sum())


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
