"""python -m benchmarks.readings: attack MNIST's networks from three starts under four floors, as docs/readings.md says.

Networks are read from {weights}/mnist/{model}/{method}/seed{seed}/checkpoints.safetensors, where the workflow writes
them, their last epoch; a folder is named with what it reads the paper as: --weights stated=results/train
linear=results/linear/train. What an attack leaves standing is kept in a file of its own, so that a run that was cut off
goes on. Writes a line for each network, attack and eps to a CSV file, the published share beside it, and prints the
tables of docs/attack.md.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.attacks import HELD, breaking_steps, column, loss_direction, slope
from lib.data.arrays import to_float
from lib.data.sources import load
from lib.pullback import pulling
from report.results import METHODS, RUN
from report.settings import TEST_IMAGES
from report.statistics import of_shares
from report.table1 import published
from workflow_scripts.common import checkpoints
from workflow_scripts.common.evaluated import draw_points
from workflow_scripts.common.files import whole_file, write_arrays

from .shared import markdown

HERE = Path(__file__).parent
STARTS, FLOORS, EPS = ("image", "ball", "library"), (0.0, 1e-8, 1e-7, 1e-6), (0.5, 1.0, 1.5, 2.0)
ERRORS = 2.0  # standard errors within which a cell is met
KEY = ["reading", *RUN[1:], "start", "floor"]


def main(argv=None):
    args = _arguments(argv)
    torch.set_num_threads(args.threads)
    data = load("mnist", source=args.source, root=args.data)
    index = draw_points(len(data.y_test), args.points, seed=0, split="test")  # those that the workflow attacks
    x, y = to_float(data.x_test[index]), torch.from_numpy(data.y_test[index]).long()
    for reading, folder in args.weights.items():
        for model, method, seed in product(args.models, METHODS, args.seeds):
            path = folder / "mnist" / model / method / f"seed{seed}" / "checkpoints.safetensors"
            if path.is_file():
                network = checkpoints.load_model(path, "mnist", model, checkpoints.epochs_kept(path)[-1])
                for start, floor in product(args.starts, args.floors):
                    place = f"{reading}/{model}/{method}/{seed}/{start}/{floor:g}/{args.points}/{args.iterations}.npz"
                    attacked(network, x, y, start, floor, args.iterations, args.kept / place)
    table = shares(args.kept)
    with whole_file(args.output) as partial:
        table.round({"robust": 3, "errors": 3}).to_csv(partial, index=False)
    print(as_text(table), leads(args.kept), sep="\n\n")


def attacked(network, x, y, start, floor, iterations, path):
    """Keep in a file which points hold at each of EPS, bool (n, 4), unless it is there."""
    if path.is_file():
        return
    attack = {"step": 0.01, "iterations": iterations}
    if start == "library":
        steps = torch.stack([library_steps(network, x, y, eps=eps, floor=floor, **attack) for eps in EPS], 1)
    else:
        steps = breaking_steps(network, x, y, eps=EPS, gradient_floor=floor, start=start, **attack)
    held = (steps == HELD).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_arrays({"held": held}, path)
    print(f"{'/'.join(path.parts[-8:-2])}: {', '.join(f'{100 * share:.1f}' for share in held.mean(0))}", flush=True)


@torch.no_grad()
def library_steps(network, x, y, *, eps, floor, step, iterations, seed=0):
    """The first iterate (n,) that breaks each point, the start being the first; 0 without an attack, HELD for none.

    AdverTorch's L2 PGD of 2019: from a random image, brought into the ball; a step along the gradient of the summed
    cross-entropy, divided by max(its norm, floor), is clipped to the pixels' range and then projected into the ball.
    """
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))
    pull, broken = pulling(network), torch.full(y.shape, HELD)
    delta, rows = _into_ball(noise - x, eps), torch.arange(len(x))
    broken[pull(x)[0].argmax(1) != y] = 0
    for number in range(1, iterations + 2):
        rows = rows[broken[rows] == HELD]
        if not len(rows):
            break
        origin, moved = x[rows], delta[rows]
        logits, vjp = pull(origin + moved)
        lost = logits.argmax(1) != y[rows]
        broken[rows[lost]] = number
        unit, scale = loss_direction(logits, y[rows], "cross_entropy")
        g, norm = slope(vjp(unit[:, None].to(x.dtype)).flatten(1))
        length = scale * norm.double()  # of the loss's gradient
        share = (length / floor).clamp(max=1) if floor else torch.ones_like(length)
        pace = torch.where(norm > 0, step * share.to(g.dtype) / norm, 0.0)
        moved = (origin + moved + (pace[:, None] * g).view_as(origin)).clamp(0, 1) - origin
        delta[rows] = _into_ball(moved, eps)
    return broken


def _into_ball(delta, eps):
    return delta * column(eps / delta.flatten(1).norm(dim=1).clamp(min=eps), delta)


def shares(folder):
    """Return a line for each file of held points and eps: the share, the published one, and how far they lie apart."""
    lines, cells = [], published().set_index(["dataset", "model", "method", "column"])["value"]
    for path in sorted(folder.rglob("*.npz")):
        *key, points, iterations = named(path)
        held = _held(path)
        for eps, share in zip(EPS, held.mean(0), strict=True):
            line = dict(zip(KEY, key, strict=True)) | {"points": points, "iterations": iterations, "eps": eps}
            cell = cells["mnist", line["model"], line["method"], str(eps)]
            lines.append(line | {"robust": 100 * share, "published": cell})
    table = pd.DataFrame(lines, columns=[*KEY, "points", "iterations", "eps", "robust", "published"])
    p = table["published"] / 100
    error = (p * (1 - p) * (1 / table["points"] + 1 / TEST_IMAGES)) ** 0.5
    return table.assign(errors=(table["robust"] / 100 - p) / error)


def named(path):
    """What a file's path tells: reading, model, method, seed, start, floor, points, iterations."""
    reading, model, method, seed, start, floor, points = path.parts[-8:-1]
    return reading, model, method, int(seed), start, float(floor), int(points), int(path.stem)


def as_text(table):
    """Return a table of rows met, a line an attack and a column a network, each cell the four shares, in Markdown."""
    table = table[table["points"] == table["points"].min()]
    columns = list(dict.fromkeys(zip(table["reading"], table["model"], table["method"], table["seed"], strict=True)))
    lines = []
    for attack, rows in table.groupby(["start", "floor"], sort=False):
        cells = [rows[(rows[KEY[:4]] == list(name)).all(axis=1)].sort_values("eps") for name in columns]
        lines.append([f"{attack[0]}, {attack[1]:g}", *map(_cell, cells)])
    return markdown(["start, floor", *(" ".join(map(str, name)) for name in columns)], sorted(lines))


def _cell(rows):
    if rows.empty:
        return ""
    met = (rows["errors"].abs() <= ERRORS).all()
    return ", ".join(f"{share:.1f}" for share in rows["robust"]) + (" **met**" if met else "")


def leads(folder):
    """Return AMR's lead over LCR at the largest eps, with its 95 % interval, a line an attack, in Markdown."""
    lines = []
    for path in sorted(folder.glob("*/*/amr/**/*.npz")):
        other = folder.joinpath(*(part.replace("amr", "lcr") for part in path.relative_to(folder).parts))
        if other.is_file():
            reading, model, _, seed, start, floor, points, _ = named(path)
            difference = (_held(path)[:, -1].astype(float) - _held(other)[:, -1])[None]
            low, high = of_shares(difference)
            interval = f"{100 * low:+.1f} to {100 * high:+.1f}"
            name = [f"{reading}, {model}, seed {seed}", f"{start}, {floor:g}", str(points)]
            lines.append([*name, f"{100 * difference.mean():+.1f}", interval])
    return markdown(["networks", "start, floor", "images", "AMR - LCR at 2.0", "95 % interval"], lines)


def _held(path):
    with np.load(path, allow_pickle=False) as file:
        return file["held"]


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readings", description=__doc__.splitlines()[0])
    named_folder = lambda text: (text.partition("=")[0], Path(text.partition("=")[2]))  # noqa: E731
    parser.add_argument("--weights", nargs="+", type=named_folder, default=[("stated", Path("results/train"))])
    parser.add_argument("--models", nargs="+", default=["mlp", "cnn"], choices=["mlp", "cnn"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--starts", nargs="+", default=STARTS, choices=STARTS)
    parser.add_argument("--floors", nargs="+", type=float, default=FLOORS)
    parser.add_argument("--points", type=int, default=200, help="test images, the first of those that are attacked")
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--source", default="auto")
    parser.add_argument("--data", default="data")
    parser.add_argument("--kept", type=Path, default=Path("results/readings"), help="folder of what each attack left")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "readings.csv")
    args = parser.parse_args(argv)
    args.weights = dict(args.weights)
    return args


if __name__ == "__main__":
    main()
