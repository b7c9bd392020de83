"""Attack one trained network in three ways at every eps of table 1, and measure the gradients that PGD starts with."""

from lib.attacks import gradient_lengths
from lib.strong_attack import withstands
from workflow_scripts.common.checkpoints import load_model, load_points
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.files import write_table
from workflow_scripts.common.job import progress_bar
from workflow_scripts.common.point_tables import point_table
from workflow_scripts.common.runner import call


def main(checkpoints, points, table, run, *, epoch, eps, step, iterations, distance_steps, device):
    """Write one line a test image: index, label, gradient, and for each eps (0: no attack) whether it held, 1 or 0.

    gradient: L2 norm of the cross-entropy's gradient at the image, tiny values included.
    """
    device = pick_device(device)
    model = load_model(checkpoints, run.dataset, run.model, epoch, device=device)
    x, y, index = load_points(points, run.dataset, "test", device=device)
    eps = [0.0, *eps]
    bar = progress_bar(len(eps), f"strong attack {run}", "radius")
    held = withstands(
        model, x, y, eps=eps, step=step, iterations=iterations, steps=distance_steps, progress=bar.update_to
    )  # (n, len(eps))
    bar.close()
    found = point_table(index=index, label=y, gradient=gradient_lengths(model, x, y))
    print(f"gradients from {found.gradient.min():.3g} to {found.gradient.max():.3g}")
    for radius, column in zip(eps, held.T.int().numpy(), strict=True):
        found[f"eps{radius:g}"] = column
        print(f"eps {radius:g}: {100 * column.mean():.2f} % correct")
    write_table(found, table)


if __name__ == "__main__":
    call(main, snakemake)
