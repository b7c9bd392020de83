"""python -m benchmarks.samples: how well few draws tell the largest norm of many, by norms of `benchmarks.norms`.

Writes a line for each network, estimator and number of draws to a CSV file, and the figure; prints the tables of
docs/samples.md, where the rule of the choice stands, and the choice. Errors are relative errors of margins, in percent.
Lines of networks whose norms are not there stay as they are: norms take 100 MB a network, and hours.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.extremes import maxima, powers, scores
from lib.margins import BLOCK
from report.results import METHODS, MODELS, OFFICIAL
from workflow_scripts.common.files import whole_file

from .estimators import ALL, QUICK
from .samples_figure import figure
from .shared import markdown

HERE = Path(__file__).parent
RADIUS, SAMPLES = 5.0, 51200  # SAMPLES: what the rule of the choice looks at
NEAR = 1.25  # classes farther than that times the nearest are left out, as in `norms`
SMOOTH = 0.05  # of all, from the largest: through them goes the smooth maximum
DRAWN = (256, 512, BLOCK, 4096)
LATER = ("mnist-mlp-lcr-80", "mnist-mlp-amr-80", "mnist-cnn-amr-10")  # drawn after the choice: they test it
BIAS, RMS = 0.5, 2.0  # target and eligibility, percent


def main(argv=None):
    args = _arguments(argv)
    torch.set_num_threads(args.threads)
    rows = []
    for folder in sorted(args.norms.glob("*-*-*-*"), key=lambda folder: order(folder.name)):
        points = [read(path) for path in sorted(folder.glob("point*.npz"), key=lambda path: int(path.stem[5:]))]
        if points:
            rows += compare(folder.name, points)
            print(f"{title(folder.name)}: {len(points)} points", flush=True)
    table = with_earlier(pd.DataFrame(rows), args.output / "samples.csv")
    at_block = table[(table.drawn == BLOCK) & (table.samples == SAMPLES)]
    with whole_file(args.output / "samples.csv") as path:
        table.round(4).to_csv(path, index=False)
    with whole_file(args.figure) as path:
        figure(at_block, title, BIAS, RMS).savefig(path, format="png", dpi=150)
    chosen, why = choice(at_block[~at_block.network.isin(LATER)])
    print("bias", all_table(table, lambda row: f"{row.bias:+.2f} ± {row.bias_error:.2f}"), sep="\n\n")
    print("root mean square", all_table(table, lambda row: f"{row.rms:.2f}"), why, sep="\n\n")
    print(chosen_table(table, chosen), few_table(table, chosen), sep="\n\n")


def with_earlier(table, path):
    """Return the table with the lines of other networks that the file at `path`, if any, holds from an earlier call."""
    if path.is_file():
        earlier = pd.read_csv(path)
        table = pd.concat([table, earlier[~earlier.network.isin(table.network)]], ignore_index=True)
    return table.sort_values("network", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def read(path):
    """Return norms (51200, k) float64 and gaps (k,) of the classes that can be the nearest."""
    with np.load(path) as file:
        logits, classes, norms = (torch.from_numpy(file[key]) for key in ("logits", "classes", "norms"))
    gaps, norms = (logits.max() - logits)[classes].double(), norms.double()
    ratio = torch.where(norms.amax(0) > 0, gaps / norms.amax(0), torch.inf)
    near = (classes != logits.argmax()) & (ratio <= NEAR * ratio[classes != logits.argmax()].min())
    return norms[:, near], gaps[near]


def compare(name, points):
    """Return rows of this network: one for each number of draws and estimator."""
    rows, samples = [], len(points[0][0])
    real = [margin(norms.amax(0), gaps) for norms, gaps in points]
    smooth, spread = zip(*(smooth_margin(*point) for point in points), strict=True)
    for drawn in DRAWN:
        blocks = [norms[: samples // drawn * drawn].unflatten(0, (-1, drawn)) for norms, _ in points]
        for method, estimate in ALL.items():
            if drawn != BLOCK and method not in QUICK:
                continue
            found, claimed = [], []  # (points, trials)
            for trials, (_, gaps) in zip(blocks, points, strict=True):
                largest, error = estimate(trials, samples)
                found.append(margin(largest, gaps))
                claimed.append(margin_error(largest, error, gaps))
            given = {"samples": samples, "points": len(points), "capped": int((torch.stack(real) == RADIUS).sum())}
            given |= {"own": 100 * float(np.mean(np.square(spread)) ** 0.5), "drawn": drawn, "estimator": method}
            errors = (torch.stack(real), torch.stack(smooth), torch.tensor(spread))
            rows.append({"network": name, **given, **judge(torch.stack(found), torch.stack(claimed), *errors)})
    return rows


def judge(found, claimed, real, smooth, spread):
    """Return the columns of a row. found, claimed (points, trials): margins and their relative errors as claimed."""
    error, against_smooth = (100 * (found / truth[:, None] - 1) for truth in (real, smooth))
    of_points, of_points_smooth = error.mean(1), against_smooth.mean(1)
    scatter = error.var(1).mean().sqrt()  # between trials: what the claimed error should be
    total = 100 * (claimed**2 + spread[:, None] ** 2).sqrt()
    return {
        "bias": of_points.mean().item(),
        "bias_error": (of_points.std() / len(real) ** 0.5).item(),
        "smooth_bias": of_points_smooth.mean().item(),
        "smooth_bias_error": (of_points_smooth.std() / len(real) ** 0.5).item(),
        "average_bias": 100 * (found.mean().item() / real.mean().item() - 1),
        "rms": (error**2).mean().sqrt().item(),
        "scatter": scatter.item(),
        "claimed": 100 * (claimed**2).mean().sqrt().item(),
        "covered": 100 * (error.abs() <= 1.96 * total).double().mean().item(),
    }


def margin(largest, gaps):
    """min over classes of gap / largest norm, capped: (..., k), (k,) -> (...)."""
    return torch.where(largest > 0, gaps / largest, torch.inf).amin(-1).clamp(max=RADIUS)


def margin_error(largest, error, gaps):
    """The relative standard error of that, by the delta method: that of the nearest class, 0 where capped."""
    ratio = torch.where(largest > 0, gaps / largest, torch.inf)
    nearest = ratio.argmin(-1, keepdim=True)
    relative = (error / largest).gather(-1, nearest)[..., 0]
    return torch.where(ratio.amin(-1) < RADIUS, relative, torch.zeros_like(relative))


def smooth_margin(norms, gaps):
    """The margin by a quadratic through the top twentieth of all, and how far one realised maximum scatters."""
    k = round(SMOOTH * len(norms))
    fit = torch.linalg.pinv(powers(scores(len(norms))[:k], 2))  # (3, k)
    largest = powers(maxima(len(norms)), 2) @ (fit @ norms.topk(k, dim=0).values)  # (quantiles, classes)
    found = margin(largest.mean(0), gaps)
    nearest = (gaps / largest.mean(0)).argmin()
    spread = (largest.std(0) / largest.mean(0))[nearest].item() if found < RADIUS else 0.0
    return found, spread


def choice(table):
    """Return the estimator that the rule of docs/samples.md takes, and the reason as text."""
    worst = table.assign(size=table.bias.abs()).sort_values("size").groupby("estimator", sort=False).last()
    rms = table.groupby("estimator").rms.max()
    eligible = [name for name in ALL if rms[name] <= RMS]
    if not eligible:
        best = rms.idxmin()
        return best, f"None has a root-mean-square error within {RMS} %: {best} comes nearest ({rms[best]:.2f} %)."
    best = min(eligible, key=lambda name: worst["size"][name])
    ties = [n for n in eligible if worst["size"][n] - worst["size"][best] <= worst.bias_error[n]]
    lines = [f"{n}: worst bias {worst.bias[n]:+.2f} +- {worst.bias_error[n]:.2f} %, rms {rms[n]:.2f} %" for n in ties]
    return ties[0], f"Eligible: {', '.join(eligible)}. Of them tie:\n- " + "\n- ".join(lines) + f"\n\nTaken: {ties[0]}."


def all_table(table, cell):
    """Rows are estimators, columns networks; `cell` makes text of a row of the table."""
    table = table[table.drawn == BLOCK]
    networks = list(dict.fromkeys(table.network))
    cells = {(row.estimator, row.network): cell(row) for row in table.itertuples()}
    return markdown(["", *map(title, networks)], [[name, *(cells[name, n] for n in networks)] for name in ALL])


def chosen_table(table, chosen):
    """How the estimator at hand does, network by network, at 1,024 draws."""
    found = table[(table.estimator == chosen) & (table.drawn == BLOCK)]
    rows = []
    for r in found.itertuples():
        biases = [f"{r.bias:+.2f} ± {r.bias_error:.2f}", f"{r.smooth_bias:+.2f} ± {r.smooth_bias_error:.2f}"]
        sizes = [f"{size:.2f}" for size in (r.rms, r.own, r.scatter, r.claimed)]
        rows.append([title(r.network), f"{r.samples:,}", str(r.points), *biases, *sizes, f"{r.covered:.0f} %"])
    header = "network, of, points, bias, bias (smooth), rms, own, real error, claimed, covered"
    return markdown(header.split(", "), rows)


def few_table(table, chosen):
    rows = []
    for name, found in table[table.estimator == chosen].groupby("network", sort=False):
        found = found.set_index("drawn")
        cells = [
            f"{found.bias[n]:+.2f} ± {found.bias_error[n]:.2f}, {found.rms[n]:.2f}" if n in found.index else "-"
            for n in DRAWN  # slow estimators have 1,024 only
        ]
        rows.append([title(name), *cells])
    return markdown(["network", *(f"{n:,}" for n in DRAWN)], rows)


def title(name):
    dataset, model, method, epoch = name.split("-")
    return f"{OFFICIAL[dataset]} {MODELS[model]} {METHODS[method]}, {epoch} epoch{'s' if epoch != '1' else ''}"


def order(network):
    dataset, model, method, epoch = network.split("-")
    return (
        *(list(names).index(n) for names, n in ((OFFICIAL, dataset), (MODELS, model), (METHODS, method))),
        int(epoch),
    )


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.samples", description=__doc__.splitlines()[0])
    parser.add_argument("--norms", type=Path, required=True, help="folder that benchmarks.norms wrote")
    parser.add_argument("--output", type=Path, default=HERE / "results", help="folder for samples.csv (%(default)s)")
    parser.add_argument("--figure", type=Path, default=HERE.parent / "docs" / "samples.png", help="(%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
