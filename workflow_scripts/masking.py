"""Attack one network by PGD under several floors, with its logits as they are and multiplied."""

import pandas as pd

from lib.attacks import robust_accuracy
from workflow_scripts.common.checkpoints import load_model, load_points
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.files import write_table
from workflow_scripts.common.job import progress_bar
from workflow_scripts.common.runner import call


def main(
    checkpoints, points, table, run, *, epoch, eps, step, iterations, start, attack_seed, subset, floors, factors,
    device,
):  # fmt: skip
    """Write one line a factor on the logits and floor: factor, floor, eps, points, robust (percent).

    A factor changes neither a decision nor a distance, as longer training changes few: it makes the network confident.
    """
    device = pick_device(device)
    x, y, _ = load_points(points, run.dataset, "test", device=device)
    x, y = x[:subset], y[:subset]  # in the order drawn
    bar = progress_bar(len(factors), f"masking {run}", "factor")
    attack = {"eps": [eps], "step": step, "iterations": iterations, "start": start, "seed": attack_seed}
    lines = []
    for factor in factors:
        model = load_model(checkpoints, run.dataset, run.model, epoch, device=device)
        model.head.weight.mul_(factor)
        model.head.bias.mul_(factor)
        for floor in floors:
            (robust,) = robust_accuracy(model, x, y, **attack, gradient_floor=floor)
            lines.append({"factor": factor, "floor": floor, "eps": eps, "points": len(x), "robust": robust})
            print(f"logits times {factor:g}, floor {floor:g}: {robust:.2f} % robust at eps {eps:g}")
        bar.update()
    bar.close()
    write_table(pd.DataFrame(lines), table)


if __name__ == "__main__":
    call(main, snakemake)
