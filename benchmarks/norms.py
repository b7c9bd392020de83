"""python -m benchmarks.norms: draw the norms that `benchmarks.samples` studies, and keep them in files.

A network is named dataset-model-method-epoch. Its weights come from {weights}/{dataset}/{model}/{method}/seed0/
checkpoints.safetensors, where the workflow writes them below results/train; one that is not there is trained for as
many epochs as are asked for, at the settings of config.yaml, and kept in the folder of the norms. Each point has a file
of its own, so that a run that was cut off goes on: norms (51200, k) float32 of the classes (k,), logits (c,), label.
With --near 1.25 only the classes are drawn that could be the nearest: those whose distance, by the first 1,024 draws,
is at most 1.25 times the least. Largest norms grow by far less than that from there on, and a CNN takes a third of
the time.
"""

import argparse
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
import yaml

from lib.ball import uniform_ball
from lib.data.arrays import to_float
from lib.data.sources import load
from lib.gradients import cross_lipschitz
from lib.margins import BLOCK
from lib.models import build
from lib.parts import samples_at_once
from lib.pullback import pullback
from lib.training import train
from report.settings import objective_of, sgd_of
from workflow_scripts.common import checkpoints
from workflow_scripts.common.device import pick_device
from workflow_scripts.common.files import whole_file

from .shared import ROOT

SEED = 0


def main(argv=None):
    args = _arguments(argv)
    torch.set_num_threads(args.threads)
    device = pick_device(args.device)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    given = {"samples": args.samples} if args.samples else {}
    for name in args.networks:
        dataset, model, method, epoch = name.split("-")
        data = load(dataset, source=args.source, root=args.data)
        network = weights_of(dataset, model, method, int(epoch), data, args, config).to(device)
        draw(network, data, args.output / name, args.points, args.near, config["margins"] | given)


def weights_of(dataset, model, method, epoch, data, args, config):
    """Return the network after `epoch`, read from the first checkpoint file that has it, else trained and kept."""
    for folder in (*args.weights, args.output / "train"):
        path = folder / dataset / model / method / f"seed{SEED}" / "checkpoints.safetensors"
        if path.is_file() and epoch in checkpoints.epochs_kept(path):
            return checkpoints.load_model(path, dataset, model, epoch)
    network, kept = build(dataset, model, seed=SEED), {}  # path is now that of the last folder, the norms' own
    given = sgd_of(config, dataset, model) | objective_of(config, dataset, model, method)
    for record, _ in train(network, *data[:4], epochs=epoch, seed=SEED, **given):
        kept[record.epoch] = {key: tensor.clone() for key, tensor in network.state_dict().items()}
        print(f"{dataset}-{model}-{method}: {record}", flush=True)
    checkpoints.save(path, kept, {"dataset": dataset, "model": model, "method": method})
    return checkpoints.load_model(path, dataset, model, epoch)


def draw(network, data, folder, points, near, margins):
    """Write the norms of test points that are not yet there; drawn as for `sampled_margins`, but all are kept."""
    device = next(network.parameters()).device
    index = np.random.default_rng(SEED).permutation(len(data.y_test))[:points]  # more points hold those of fewer
    x = to_float(data.x_test[index]).to(device)
    seeds = torch.randint(2**62, (points,), generator=torch.Generator().manual_seed(SEED)).tolist()
    logits, all_classes = network(x), cross_lipschitz(network)
    for i, seed in enumerate(seeds):
        path = folder / f"point{i}.npz"
        if path.exists():
            continue
        start, source = perf_counter(), torch.Generator().manual_seed(seed)
        classes, norms_at, norms = torch.arange(logits.shape[1]), all_classes, []
        top = logits[i].argmax()
        for block in range(margins["samples"] // BLOCK):
            delta = uniform_ball(BLOCK, x[i].shape, margins["radius"], source, like=x)
            norms.append(norms_at(x[i] + delta, top.expand(BLOCK)).cpu())
            if block == 0 and near:
                classes = nearest(logits[i], norms[0].amax(0), near)
                norms, norms_at = [norms[0][:, classes]], partial(some_classes, network, classes)
        about = {"logits": logits[i].cpu(), "classes": classes, "label": data.y_test[index[i]]}
        with whole_file(path) as partial_path, partial_path.open("wb") as file:
            np.savez(file, norms=torch.cat(norms), **about)
        line = f"{folder.name}: point {i + 1} of {points}, {len(classes)} classes, {perf_counter() - start:.1f} s"
        print(line, flush=True)


def nearest(logits, largest, near):
    """Return the classes but the top one whose distance is at most `near` times the least, int64 (k,)."""
    top = logits.argmax()
    ratio = ((logits[top] - logits).cpu() / largest).scatter(0, top.cpu(), torch.inf)
    return (ratio <= near * ratio.min()).nonzero()[:, 0]


def some_classes(network, classes, x, top):
    """Norms of grad(f_top - f_k) for k of `classes` only -> (n, len(classes))."""
    found, size = [], 4 * samples_at_once(network, x)  # fewer directions, more samples
    for part, tops in zip(x.split(size), top.split(size), strict=True):
        logits, pull = pullback(network, part)
        unit = torch.eye(logits.shape[1], device=x.device)
        found.append(pull(unit[tops][:, None] - unit[classes]).flatten(2).norm(dim=2))
    return torch.cat(found)


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.norms", description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="+", help="such as mnist-mlp-std-8")
    parser.add_argument("--output", type=Path, required=True, help="folder for the norms: 2 MB a point")
    parser.add_argument("--weights", type=Path, nargs="*", default=[ROOT / "results" / "train"], help="folders of runs")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="folder of the data sets (%(default)s)")
    parser.add_argument("--source", default="auto", help="of the data sets, as data.source in config.yaml")
    parser.add_argument("--points", type=int, default=20, help="test points (%(default)s)")
    parser.add_argument("--samples", type=int, help="draws at a point; default: as in config.yaml")
    parser.add_argument("--near", type=float, help="draw only classes that are that near; default: all of them")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
