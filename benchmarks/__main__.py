"""python -m benchmarks: measure everything and write benchmarks/results/."""

import argparse
import os
from pathlib import Path

import torch
import yaml

from report.settings import TEST_IMAGES
from workflow_scripts.common.device import pick_device

from . import attacks, extrapolation, gpu_model, gradients, machine, report, strong, training
from .timing import OURS

HERE = Path(__file__).parent
DEFAULT_SECONDS = 10.0


def main(argv=None):
    """Measure with the given arguments, show each row as it is known, write table.csv, table.md and bars.png."""
    args = _arguments(argv)
    device = pick_device(args.device)
    torch.set_num_threads(args.threads)
    config = yaml.safe_load((HERE.parent / "config.yaml").read_text())
    about, scale = machine.describe(device), min(1.0, args.seconds / DEFAULT_SECONDS)
    if scale < 1:
        about += f"; SIZES REDUCED to {100 * scale:.2g} %: this shows that it works, not how fast it is"
    print(f"Measuring on {about}.")
    rows = everything(config, device, scale, args.seconds)
    report.write(args.output, rows, about)
    print(f"Written: table.csv, table.md and bars.png in {args.output}")


def everything(config, device, scale, seconds):
    """Return all rows; below the default budget, sizes shrink by `scale`, and the numbers mean little."""
    clock = machine.clock_of(device)
    given = (device, scale, seconds, clock)
    rows, products = machine.products(*given)
    _show(rows)
    class_gradients, steps, speed = {}, {}, {}
    for case in gradients.CASES:
        found, class_gradients[case] = gradients.compare(*case, *given, products)
        rows += _show(found)
    for dataset, model in gradients.CASES:
        eps = config["attack"]["eps"][dataset]
        if dataset == "mnist":
            rows += _show(attacks.compare(model, eps, *given))
            rows += _show(strong.compare(model, *given))
        found, steps[dataset, model] = attacks.steps_per_second(dataset, model, eps, *given)
        rows += _show(found)
    for dataset, models in config["runs"].items():
        for model, methods in models.items():
            found, speeds = training.compare(dataset, model, methods, config, *given)
            rows += _show(found)
            speed |= {(dataset, model, method): rate for method, rate in speeds.items()}
    return rows + _show(hours(config, speed, class_gradients, steps, modelled=scale == 1))


def hours(config, speed, class_gradients, steps, *, modelled):
    """Return the hours of the paper's run here, as published and with fewer draws; modelled: on an H100 too."""
    few, every = f"{extrapolation.DRAWN:,} samples drawn", "51,200 samples drawn, as published"
    here = f"{extrapolation.ITEM}{torch.get_num_threads()} threads of {machine.processor()}, "
    ways = {f"{every}, float32 alone": (None, gradients.FLOAT32), every: (None, OURS), few: (extrapolation.DRAWN, OURS)}
    if all(rates[OURS] == rates[gradients.FLOAT32] for rates in class_gradients.values()):
        del ways[f"{every}, float32 alone"]  # nothing is screened here
    rows = []
    for way, (drawn, method) in ways.items():
        of_method = {case: rates[method] for case, rates in class_gradients.items()}
        rows += extrapolation.full_run(config, here + way, drawn, speed, of_method, steps)
    if modelled:
        item = f"{extrapolation.ITEM}one {gpu_model.NAME}, by a model, "
        trained, stepped = (
            gpu_model.training_rates(config),
            gpu_model.step_rates(class_gradients, TEST_IMAGES),
        )
        for way, drawn in ((every, None), (few, extrapolation.DRAWN)):
            margins = gpu_model.margin_rates(class_gradients, drawn and config["margins"]["samples"])
            rows += extrapolation.full_run(config, item + way, drawn, trained, margins, stepped)
    return rows


def _show(rows):
    for row in rows:
        faster = f"  ours is {row['ratio']:.2f} times as fast" if row["ratio"] != "" else ""
        print(f"{row['item']}: {row['method']}  {report.number(row['value'])} {row['unit']}{faster}", flush=True)
    return rows


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, help="budget of a measurement (%(default)s)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (all: %(default)s)")
    parser.add_argument("--output", type=Path, default=HERE / "results", help="folder for the results")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
