"""Functions that the rules share: the list of runs, what depends on which code, where jobs are computed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from report.results import COLUMNS, LINEAR, MODELS, NETWORKS, OF_NETWORKS, OF_STD, PAPER, TABLES, Run
from rules.sources import sources_of

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


def runs(datasets=None, models=tuple(MODELS)):
    """The training runs of the config, restricted to some data sets and models."""
    return [
        Run(dataset, model, method, seed)
        for dataset, of_dataset in config["runs"].items()
        if datasets is None or dataset in datasets
        for model, methods in of_dataset.items()
        if model in models
        for method in methods
        for seed in config["seeds"]
    ]


def attacked():
    """The data sets with networks that stand in table 1."""
    return [dataset for dataset in config["runs"] if runs([dataset], NETWORKS)]


def runs_in_table(table, datasets):
    """The runs on some data sets that a tidy table holds."""
    found = runs(datasets, NETWORKS if table in OF_NETWORKS else tuple(MODELS))
    return [run for run in found if table not in OF_STD or run.method == "std"]


def paths_of(path, wanted):
    """One path for each run in `wanted`."""
    return [path.format(**run._asdict()) for run in wanted]


def sources(script, *modules):
    """The files that a script of workflow_scripts/ rests on; what it made is made again when they change.

    modules: files that it imports by a name that only the rule knows
    """
    project, roots = Path(workflow.current_basedir).parent, [f"workflow_scripts/{script}.py", *modules]
    found = {path for root in roots for path in sources_of(project, root)}
    return [os.path.relpath(project / path) for path in sorted(found)]


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


FOLDERS = {"curves": "train", "margin_summary": "margins", "attacks": "attack", "brackets": "bracket"}


def parts(wildcards):
    """The files of all runs on a data set that make up one tidy table."""
    table = wildcards.table
    folder = f"<results>/{FOLDERS.get(table, table)}/{{dataset}}/{{model}}/{{method}}/seed{{seed}}"
    of_table = runs_in_table(table, [wildcards.dataset])
    if table == "curves":
        return paths_of(f"{folder}/curve.csv", of_table)
    if table == "margins":
        return at_checkpoints(of_table)
    if table == "margin_summary":
        exact = [run for run in of_table if run.model in LINEAR]
        sampled = [run for run in of_table if run.model not in LINEAR]
        return at_checkpoints(sampled) + paths_of(f"{folder}/summary.csv", exact)
    return (at_checkpoints(of_table) if table == "brackets" else []) + paths_of(f"{folder}.csv", of_table)


def at_checkpoints(wanted):
    """The tables of margins of some runs, one for each epoch at which they are measured."""
    path = "<results>/margins/{dataset}/{model}/{method}/seed{seed}/epoch{epoch}.csv"
    return [
        path.format(**run._asdict(), epoch=epoch) for run in wanted for epoch in measured_epochs(run.model, run.method)
    ]


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


def module_of(figure):
    """The module of report/ that draws a figure."""
    return "supplement" if figure.startswith("S") else "figures"


def configured(datasets, tables):
    """Those of the data sets that have runs in each of the tables under this config."""
    return [dataset for dataset in datasets if all(runs_in_table(table, [dataset]) for table in tables)]


def drawn():
    """The figures that have something to show under this config."""
    return [
        number
        for number, (datasets, tables, methods) in FIGURES.items()
        if any(run.method in methods for run in runs(configured(datasets, tables)))
    ]


def scale():
    """One sentence for captions: how this run is smaller than the paper's; empty where it is not."""
    epochs, images = config["training"]["epochs"], config["attack"]["points"]
    found = [
        (epochs[model], paper, f"{model.upper()} {epochs[model]} epochs instead of {paper}")
        for model, paper in PAPER["epochs"].items()
    ]
    points = min(config["points"]["train"], config["points"]["test"])
    found += [
        (points, PAPER["points"], f"margins of {points} points instead of {PAPER['points']}"),
        (
            config["margins"]["samples"],
            PAPER["samples"],
            f"{config['margins']['samples']:,} samples instead of {PAPER['samples']:,}",
        ),
        (
            config["attack"]["iterations"],
            PAPER["iterations"],
            f"{config['attack']['iterations']} PGD steps instead of {PAPER['iterations']}",
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
