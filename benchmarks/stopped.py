"""python -m benchmarks.stopped: what an attack of reference_results/ would have left, had it taken fewer steps.

An image that a radius broke keeps its step at the larger radii, where it may break sooner. Those that broke after the
ball had bent their way are attacked again at each larger radius, with the settings of the part and the weights that it
keeps. Writes a line for each network, eps and number of steps: images, and how many percent of them are held.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch

from lib.attacks import HELD
from lib.data.arrays import to_float
from lib.data.sources import load
from report.results import RUN, Run
from workflow_scripts.common import checkpoints
from workflow_scripts.common.files import whole_file
from workflow_scripts.common.released import read_about

from .shared import ROOT, markdown
from .steps import ATTACK, soonest

STEPS = [200, 250, 300, 400, 500, 1000]


def main(argv=None):
    args = _arguments(argv)
    torch.set_num_threads(args.threads)
    configured = read_about(args.part / "run.json")["settings"]["attack"]
    attack = {key: configured[key] for key in (*ATTACK, "iterations")}
    data = load("mnist", source=args.source, root=args.data)
    attacks = pd.read_csv(args.part / "attacks.csv.gz").query(
        "dataset == 'mnist' and model in @args.models and eps > 0"
    )
    lines = []
    for run, table in attacks.groupby(RUN, sort=False):
        steps = table.pivot(index="index", columns="eps", values="broken_at").sort_index(axis=1)
        path = args.part / Run(*run).weights()
        network = checkpoints.load_model(path, "mnist", run[1], checkpoints.epochs_kept(path)[-1])
        x, y = to_float(data.x_test[steps.index]), torch.from_numpy(data.y_test[steps.index]).long()
        found = soonest(network, x, y, torch.tensor(steps.to_numpy()), list(steps), attack)
        lines += [line(run, eps, n, of) for eps, of in zip(steps, found.T, strict=True) for n in STEPS]
        print(f"{Run(*run)} done", flush=True)
    with whole_file(args.output) as partial:
        pd.DataFrame(lines).to_csv(partial, index=False, float_format="%.6g")
    print(markdown(list(lines[0]), [[str(cell) for cell in of.values()] for of in lines], 3))


def line(run, eps, steps, broken_at):
    held = ((broken_at == HELD) | (broken_at > steps)).double().mean().item()
    about = dict(zip(RUN, run, strict=True))
    return about | {"eps": eps, "steps": steps, "images": len(broken_at), "held": 100 * held}


def _arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", type=Path, default=ROOT / "reference_results" / "mnist")
    parser.add_argument("--models", nargs="+", default=["mlp"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--source", default="auto")
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "stopped.csv")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
