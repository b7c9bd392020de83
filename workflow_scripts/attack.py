"""Attack one trained network with PGD at every eps of table 1."""

from lib.attacks import HELD, breaking_steps
from workflow_scripts.common.checkpoints import load_model, load_points
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.files import write_table
from workflow_scripts.common.job import progress_bar
from workflow_scripts.common.point_tables import point_table
from workflow_scripts.common.runner import call


def main(
    checkpoints, points, table, run, *, epoch, eps, step, iterations, loss, gradient_floor, averaged_over, start,
    attack_seed, device,
):  # fmt: skip
    """Write one line a test image: index, label, and for each eps (0: no attack) the step that broke it, -1: none."""
    device = pick_device(device)
    model = load_model(checkpoints, run.dataset, run.model, epoch, device=device)
    x, y, index = load_points(points, run.dataset, "test", device=device)
    eps = [0.0, *eps]
    bar = progress_bar(len(x) * len(eps), f"attack {run}", "image and radius")
    steps = breaking_steps(
        model,
        x,
        y,
        eps=eps,
        step=step,
        iterations=iterations,
        loss=loss,
        gradient_floor=gradient_floor,
        averaged_over=averaged_over,
        start=start,
        seed=attack_seed,
        progress=bar.update_to,
    )  # (n, len(eps))
    bar.close()
    found = point_table(index=index, label=y)
    for radius, column in zip(eps, steps.T.numpy(), strict=True):
        found[f"eps{radius:g}"] = column
        print(f"eps {radius:g}: {100 * (column == HELD).mean():.2f} % correct")
    print(f"at most {most_steps(steps, iterations)} gradient steps for {len(x)} images")
    write_table(found, table)


def most_steps(steps, iterations):
    """Gradient steps if each radius took its own, up to the first that breaks a point; shared ones are taken once."""
    attacked = steps[:, 1:]
    fresh = (steps[:, :-1] == HELD) & (attacked != HELD)
    return int((attacked == HELD).sum() * iterations + attacked[fresh].sum())


if __name__ == "__main__":
    call(main, snakemake)
