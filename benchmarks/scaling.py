"""python -m benchmarks.scaling: jobs, files, disk and hours of the paper's run for more seeds and for a larger model.

Jobs and files are counted in dry runs of the workflow, which are timed; disk is arithmetic on shapes and lines;
hours are those of benchmarks/results/table.csv, times the seeds. Everything is printed in Markdown.
"""

import argparse
import csv
import json
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import yaml

from lib.models import build
from report.settings import TEST_IMAGES, setting

from .extrapolation import ITEM
from .shared import ROOT, TABLE, markdown

LINEAR = "lr"  # measured by exact margins, at every epoch
BYTES = 4  # of a weight
LINE = {"attacks": 33, "strong": 51}  # bytes of a line of the two large tables, measured on the paper's 10,000 images
A_RUN = ("train", "margins", "margins_linear", "attack", "attack_strong", "bracket", "masking", "convergence")


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 10, 100], help="numbers of seeds (1 10 100)")
    parser.add_argument("--table", type=Path, default=TABLE, help="rates: table.csv of make bench (%(default)s)")
    args = parser.parse_args(argv)
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    runs = {seeds: counted(seeds) for seeds in args.seeds}
    print(jobs_table(runs), size_table(runs, config), hours_table(args.seeds, args.table), sep="\n\n")


def counted(seeds):
    """Return {jobs: {rule: n}, wall, processor, outputs} of the whole paper with that many seeds, all to be done.

    wall, processor: seconds of the dry run. Raises RuntimeError with snakemake's last lines where it fails.
    """
    start, before = perf_counter(), processor_time()
    planned = with_seeds(seeds, "--dry-run")
    wall, processor = perf_counter() - start, processor_time() - before
    files = [line for line in with_seeds(seeds, "--summary").splitlines() if line.count("\t") >= 5]
    outputs = len(files) - 1  # the first line is a header
    return {"jobs": jobs_of(planned), "wall": wall, "processor": processor, "outputs": outputs}


def processor_time():
    """Return the processor seconds of all finished child processes, which other work on the machine hardly changes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def jobs_of(planned):
    """Return {rule: jobs} from what a dry run printed."""
    table = re.search(r"^job +count\n-+ +-+\n(.*?)^total ", planned, re.MULTILINE | re.DOTALL)[1]
    return {rule: int(n) for rule, n in re.findall(r"^(\S+) +(\d+)$", table, re.MULTILINE)}


def with_seeds(seeds, *arguments):
    """Return what snakemake prints about the whole paper with that many seeds; nothing is run or written."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"seeds": list(range(seeds))}, file)
        file.flush()
        command = [sys.executable, "-m", "snakemake", *arguments, "--forceall", "--configfile", file.name]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")
    return done.stdout


def checkpoint_bytes(config, times=1):
    """Return the bytes of all kept weights of one seed, of models with `times` as many weights."""
    total = 0
    for dataset, models in config["runs"].items():
        for model, methods in models.items():
            weights = sum(weight.numel() for weight in build(dataset, model).parameters())
            epochs = setting(config, "checkpoints", dataset, model)
            kept = setting(config, "training.epochs", dataset, model) if model == LINEAR else len(epochs)
            total += BYTES * times * weights * kept * len(methods)
    return total


def table_bytes(config):
    """Return the bytes that one seed adds to the attacks' tables, which dwarf the others: of a data set and of all."""
    eps = config["attack"]["eps"]
    lines = sum(
        len(methods) * (setting(config, "attack.points", dataset, model) or TEST_IMAGES) * (1 + len(eps[dataset]))
        for dataset, of_dataset in config["runs"].items()
        for model, methods in of_dataset.items()
        if model != LINEAR
    )
    return 2 * lines * sum(LINE.values())


def records(jobs):
    """Return the files below logs/: one a job, and for jobs of a run a second with its time and memory."""
    return sum(n for rule, n in jobs.items() if rule != "all") + sum(jobs.get(rule, 0) for rule in A_RUN)


def jobs_table(runs):
    """Return the jobs of each rule: a column for each number of seeds; rules of one job are summed."""
    rules = {rule for run in runs.values() for rule in run["jobs"]}
    shown = [rule for rule in A_RUN if rule in rules]
    rows = [[rule, *(f"{run['jobs'][rule]:,}" for run in runs.values())] for rule in shown]
    rows.append(
        ["all others", *(f"{sum(n for r, n in run['jobs'].items() if r not in shown)}" for run in runs.values())]
    )
    rows.append(["**all**", *(f"**{sum(run['jobs'].values()):,}**" for run in runs.values())])
    return markdown(["jobs", *map(_seeds, runs)], rows)


def size_table(runs, config):
    """Return the dry run's time, files and disk, and the weights on disk of models ten times as large."""
    numbers = list(runs)
    rows = [
        ["dry run, seconds", *(f"{run['wall']:.0f}" for run in runs.values())],
        ["of them on the processor", *(f"{run['processor']:.0f}" for run in runs.values())],
        ["output files", *(f"{run['outputs']:,}" for run in runs.values())],
        ["logs, and records of time and memory", *(f"{records(run['jobs']):,}" for run in runs.values())],
        ["weights, GB", *(f"{1e-9 * n * checkpoint_bytes(config):.1f}" for n in numbers)],
        [
            "weights of models 10 times as large, GB",
            *(f"{1e-9 * n * checkpoint_bytes(config, 10):.0f}" for n in numbers),
        ],
        ["tables of the attacks, GB", *(f"{1e-9 * n * table_bytes(config):.1f}" for n in numbers)],
    ]
    return markdown(["", *map(_seeds, runs)], rows)


def hours_table(numbers, table):
    """Return the hours of each phase, and ten times as many for models ten times as large; a sentence without rates."""
    if not table.is_file():
        return f"Hours: {table.name} of `make bench` is not there, so no rate is known."
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["item"].startswith(ITEM) and row["value"]]
    ways = [row["item"] for row in rows if not row["item"].endswith("float32 alone")]
    rows = [row for row in rows if row["item"] == ways[0]]  # as published, on the machine of the table
    phases = {}
    for row in rows:
        phase = row["method"].split(",")[0]
        phases[phase] = phases.get(phase, 0) + float(row["value"])
    phases["**sum**"] = phases.pop("sum")
    lines = [[name, *(f"{n * hours:,.0f}" for n in numbers)] for name, hours in phases.items()]
    lines.append(["models 10 times as large", *(f"{10 * n * phases['**sum**']:,.0f}" for n in numbers)])
    return markdown(["hours", *map(_seeds, numbers)], lines)


def _seeds(number):
    return f"{number} seed{'s' if number > 1 else ''}"


if __name__ == "__main__":
    main()
