"""python -m benchmarks.steps: attack networks for twice the paper's steps, as rule 9 of docs/readings.md says.

Reads MNIST's networks from {weights}/mnist/{model}/{method}/seed0/checkpoints.safetensors, their last epoch, attacks
the first test images that the workflow attacks as config.yaml does, and writes a line for each network and eps: images,
those broken by the second half of the paper's steps and by as many more, and what the rule says of the latter.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from lib.attacks import HELD, breaking_steps
from lib.data.arrays import to_float
from lib.data.sources import load
from report.claims import ERROR, STEPS
from report.statistics import of_rare
from workflow_scripts.common import checkpoints
from workflow_scripts.common.evaluated import draw_points
from workflow_scripts.common.files import whole_file

from .shared import ROOT, markdown

PAPER = 1000  # steps
ATTACK = ("step", "gradient_floor", "averaged_over", "loss", "start")  # keys of config.yaml


def main(argv=None):
    args = _arguments(argv)
    torch.set_num_threads(args.threads)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())["attack"]
    data = load("mnist", source=args.source, root=args.data)
    lines = []
    for name in args.networks:
        model, method, count = name.split("-")
        path = args.weights / "mnist" / model / method / "seed0" / "checkpoints.safetensors"
        network = checkpoints.load_model(path, "mnist", model, checkpoints.epochs_kept(path)[-1])
        index = draw_points(len(data.y_test), int(count), seed=0, split="test")
        x, y = to_float(data.x_test[index]), torch.from_numpy(data.y_test[index]).long()
        attack = {key: config[key] for key in ATTACK} | {"iterations": 2 * PAPER}
        broken_at = breaking_steps(network, x, y, eps=config["eps"]["mnist"], **attack)
        broken_at = soonest(network, x, y, broken_at, config["eps"]["mnist"], attack)
        lines += [
            line(model, method, eps, steps) for eps, steps in zip(config["eps"]["mnist"], broken_at.T, strict=True)
        ]
        print(f"{name} done", flush=True)
    table = judged(pd.DataFrame(lines))
    with whole_file(args.output) as partial:
        table.to_csv(partial, index=False, float_format="%.4g")
    print(markdown(list(table), [[str(cell) for cell in row] for row in table.itertuples(index=False)], 2))


def soonest(network, x, y, broken_at, radii, attack):
    """Return the first step (n, radii) that breaks an image at an ascending radius or a smaller one, HELD if none does.

    broken_at: what breaking_steps gave at these radii, the step of the smallest
    """
    broken_at = broken_at.clone()
    for j in range(1, len(radii)):
        late = (broken_at[:, j - 1] > radii[j - 1] / attack["step"]).nonzero()[:, 0]
        if len(late):
            alone = breaking_steps(network, x[late], y[late], eps=[radii[j]], **attack)
            there = broken_at[late, j:]
            broken_at[late, j:] = torch.where(alone == HELD, there, there.minimum(alone))
    return broken_at


def line(model, method, eps, broken_at):
    """What the second half of the paper's steps broke, and as many more; broken_at (n,): steps."""
    late = ((broken_at > PAPER // 2) & (broken_at <= PAPER)).sum().item()
    return {"model": model, "method": method, "eps": eps, "images": len(broken_at), "second_half": late,
            "beyond": (broken_at > PAPER).sum().item()}  # fmt: skip


def judged(table):
    """The table with the exact 95 % interval of the share broken beyond the paper's steps, percent, and a verdict."""
    found = [np.arange(n)[None] < k for n, k in zip(table["images"], table["beyond"], strict=True)]
    low, high = 100 * np.array([of_rare(hits) for hits in found]).T
    least = [100 * of_rare(hits, 1 - ERROR / len(table))[0] for hits in found]
    verdict = pd.Series("open", table.index).mask(high < STEPS, "holds").mask(np.array(least) > STEPS, "fails")
    return table.assign(low=low, high=high, verdict=verdict)


def _arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    networks = ["mlp-std-1000", "mlp-lcr-1000", "mlp-amr-1000", "cnn-lcr-200"]
    parser.add_argument("--networks", nargs="+", default=networks, help="model-method-images")
    parser.add_argument("--weights", type=Path, default=ROOT / "results" / "train")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--source", default="auto")
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "steps.csv")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
