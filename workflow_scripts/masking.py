"""Attack one network by PGD under several floors, with its logits as they are and multiplied."""

import pandas as pd

from lib.attacks import robust_accuracy
from lib.checkpoints import load_model, load_points
from lib.data import draw_points
from lib.job import pick_device, progress_bar, whole_file


def main(checkpoints, points, output, *, key, epoch, eps, step, iterations, masking, seed, device):
    """Write one line a factor on the logits and floor: factor, floor, eps, points, robust (percent).

    A factor changes neither a decision nor a distance, as longer training changes few: it makes the network confident.
    """
    device = pick_device(device)
    x, y, _ = load_points(points, key["dataset"], "test", device=device)
    drawn = draw_points(len(x), min(masking["points"], len(x)), seed=seed, split="test")
    x, y = x[drawn], y[drawn]
    bar = progress_bar(len(masking["factors"]), f"masking {'/'.join(map(str, key.values()))}", "factor")
    lines = []
    for factor in masking["factors"]:
        model = load_model(checkpoints, key["dataset"], key["model"], epoch, device=device)
        model.head.weight.mul_(factor)
        model.head.bias.mul_(factor)
        for floor in masking["floors"]:
            (robust,) = robust_accuracy(model, x, y, eps=[eps], step=step, iterations=iterations, gradient_floor=floor)
            lines.append({"factor": factor, "floor": floor, "eps": eps, "points": len(x), "robust": robust})
            print(f"logits times {factor:g}, floor {floor:g}: {robust:.2f} % robust at eps {eps:g}")
        bar.update()
    bar.close()
    with whole_file(output) as path:
        pd.DataFrame(lines).to_csv(path, index=False)


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    wildcards, params = snakemake.wildcards, snakemake.params
    main(
        *(snakemake.input.checkpoints, snakemake.input.points, snakemake.output[0]),
        key={name: wildcards[name] for name in ("dataset", "model", "method", "seed")},
        **{name: params[name] for name in ("epoch", "eps", "step", "iterations", "masking", "seed", "device")},
    )
