"""Functions that the rules share: the list of runs, what depends on which code, where jobs are computed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PAPER_EPOCHS = {"lr": 1000, "mlp": 200, "cnn": 200}
PAPER_POINTS, PAPER_SAMPLES, PAPER_ITERATIONS = 500, 51200, 1000
LINEAR, SAMPLED = ["lr"], ["mlp", "cnn"]  # exact margins, sampled margins
PLAIN, NETWORKS = ["masking", "convergence"], ["attacks", "brackets", "strong"]  # tables of std networks, of networks
TABLES = ["curves", "margins", "margin_summary", *NETWORKS, *PLAIN]

# A GPU job takes the resource gpu=1, of which there is one unless --resources says otherwise.
GPU = int(config["device"] == "cuda" or (config["device"] == "auto" and shutil.which("nvidia-smi") is not None))
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", 1)


wildcard_constraints:
    dataset="|".join(config["runs"]),
    model="lr|mlp|cnn",
    method="std|lcr|amr",
    seed=r"\d+",
    epoch=r"\d+",


def runs(datasets=None, models=("lr", "mlp", "cnn")):
    """The training runs of the config as a list of wildcards, restricted to some data sets and models."""
    return [
        {"dataset": dataset, "model": model, "method": method, "seed": seed}
        for dataset, of_dataset in config["runs"].items()
        if datasets is None or dataset in datasets
        for model, methods in of_dataset.items()
        if model in models
        for method in methods
        for seed in config["seeds"]
    ]


def attacked():
    """The data sets with networks that stand in table 1."""
    return [dataset for dataset in config["runs"] if runs([dataset], SAMPLED)]


def held_by(table, datasets):
    """The runs on some data sets that a tidy table holds."""
    found = runs(datasets, SAMPLED if table in NETWORKS + PLAIN else LINEAR + SAMPLED)
    return [run for run in found if table not in PLAIN or run["method"] == "std"]


def each(path, wanted):
    """One path for each run in `wanted`."""
    return [path.format(**run) for run in wanted]


def sources(*modules):
    """The files of lib/ that a step rests on; it is done again when they change."""
    folder = os.path.relpath(Path(workflow.current_basedir).parent / "lib")
    return [f"{folder}/{module}.py" for module in modules]


def project_file(path):
    """A file of the project, seen from the working directory."""
    return os.path.relpath(Path(workflow.current_basedir).parent / path)


def measured(wildcards, split):
    """How many points of a split have their margins measured; None means all."""
    return None if wildcards.dataset in config["points"]["whole"] else config["points"][split]


def kept_epochs(wildcards):
    """The epochs whose weights are kept: all of a linear model, the measured ones of the others."""
    if wildcards.model in LINEAR:
        return list(range(1, config["training"]["epochs"][wildcards.model] + 1))
    return measured_epochs(wildcards.model, wildcards.method)


def measured_epochs(model, method):
    """The epochs at which margins are measured point by point."""
    epochs = config["checkpoints"][model]
    return epochs if model in LINEAR or method in config["margins"]["followed"] else epochs[-1:]


def objective(wildcards):
    """lambda, beta and tau of eq. (4) for a run: std has neither term, lcr the second, amr both."""
    weights = config["objective"]
    averaged, bounded = wildcards.method == "amr", wildcards.method in ("lcr", "amr")
    return {
        "lam": weights["lambda"] if averaged else 0.0,
        "beta": weights["beta"] if bounded else 0.0,
        "tau": weights["tau"][wildcards.dataset][wildcards.model] if averaged else None,
        "orthogonality": weights["orthogonality"],
    }


def table_memory(each_seed):
    """MB of a job that holds whole tables: what it needs for one seed, and MB for each further one."""
    return 1000 + each_seed * (len(config["seeds"]) - 1)


def parts(wildcards):
    """The files of all runs on a data set that make up one tidy table."""
    dataset, table = [wildcards.dataset], wildcards.table
    if table == "curves":
        return each("<results>/train/{dataset}/{model}/{method}/seed{seed}/curve.csv", runs(dataset))
    folder = {"attacks": "attack", "brackets": "bracket"}.get(table, table)
    alone = each(f"<results>/{folder}/{{dataset}}/{{model}}/{{method}}/seed{{seed}}.csv", held_by(table, dataset))
    if table in NETWORKS + PLAIN and table != "brackets":
        return alone
    exact, sampled = runs(dataset, LINEAR), runs(dataset, SAMPLED)
    every_epoch = each("<results>/margins/{dataset}/{model}/{method}/seed{seed}/summary.csv", exact)
    at_checkpoints = [
        path
        for run in (exact + sampled if table == "margins" else sampled)
        for epoch in measured_epochs(run["model"], run["method"])
        for path in each(f"<results>/margins/{{dataset}}/{{model}}/{{method}}/seed{{seed}}/epoch{epoch}.csv", [run])
    ]
    return at_checkpoints + {"margin_summary": every_epoch, "brackets": alone}.get(table, [])


def gathered(name, beside=None):
    """The files of that name in the parts of reference_results that hold it, or one called `beside`."""
    found = glob_wildcards(f"reference_results/{{part,[^/]+}}/{beside or name}").part
    return expand(f"reference_results/{{part}}/{name}", part=sorted(found))


STD, EVERY = ["std"], ["std", "lcr", "amr"]
FIGURES = {  # number: data sets, tables, methods of which one is needed for it to show anything
    "1": (["mnist01"], ["margins", "margin_summary"], STD),
    "2": (["cifar10"], ["margin_summary"], STD),
    "3": (["mnist01"], ["curves"], STD),
    "4": (["mnist", "cifar10"], ["curves"], STD),
    "5": (["cifar10"], ["margins"], STD),
    "6": (["mnist"], ["margin_summary"], STD),
    "7": (["mnist"], ["margins"], STD),
    "S1": (["mnist", "cifar10"], ["convergence"], STD),
    "S2": (["mnist", "cifar10"], ["attacks"], EVERY),
    "S3": (["mnist", "cifar10"], ["masking"], STD),
    "S4": (["mnist", "cifar10"], ["brackets"], EVERY),
}


def configured(datasets, tables):
    """Those of the data sets that have runs in each of the tables under this config."""
    return [dataset for dataset in datasets if all(held_by(table, [dataset]) for table in tables)]


def drawn():
    """The figures that have something to show under this config."""
    return [
        number
        for number, (datasets, tables, methods) in FIGURES.items()
        if any(run["method"] in methods for run in runs(configured(datasets, tables)))
    ]


def scale():
    """One sentence for captions: how this run is smaller than the paper's; empty where it is not."""
    epochs, images = config["training"]["epochs"], config["attack"]["points"]
    found = [
        (epochs[model], paper, f"{model.upper()} {epochs[model]} epochs instead of {paper}")
        for model, paper in PAPER_EPOCHS.items()
    ]
    points = min(config["points"]["train"], config["points"]["test"])
    found += [
        (points, PAPER_POINTS, f"margins of {points} points instead of {PAPER_POINTS}"),
        (
            config["margins"]["samples"],
            PAPER_SAMPLES,
            f"{config['margins']['samples']:,} samples instead of {PAPER_SAMPLES:,}",
        ),
        (
            config["attack"]["iterations"],
            PAPER_ITERATIONS,
            f"{config['attack']['iterations']} PGD steps instead of {PAPER_ITERATIONS}",
        ),
        (images or 10000, 10000, f"{images} attacked images instead of 10,000"),
    ]
    smaller = [text for ours, paper, text in found if ours < paper]
    return f"Small scale: {', '.join(smaller)}." if smaller else ""


def commit():
    """The commit of this project, with -dirty where files have changed since; unknown outside git."""
    command = ["git", "-C", workflow.basedir, "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    except FileNotFoundError:
        return "unknown"


def say_where():
    """Tell whoever starts without a GPU what that means; on a cluster other machines than this one may have one."""
    if not workflow.is_main_process:
        return
    if config["device"] == "cuda" and shutil.which("nvidia-smi") is None:
        print(
            "device: cuda is configured, but this machine has no nvidia-smi: jobs that run here without a GPU will "
            "fail; set device to auto or cpu",
            file=sys.stderr,
        )
    elif not GPU and not scale():
        print(
            "No GPU was found: the paper's scale will take days on this machine.\n"
            "The small scale takes minutes: make quick, or snakemake --workflow-profile profiles/quick\n"
            "On a cluster whose other nodes have GPUs: --config device=cuda",
            file=sys.stderr,
        )


say_where()
