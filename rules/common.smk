"""Functions that the rules share: the list of runs, what depends on which code, where jobs are computed."""

import os
import shutil
import sys
from pathlib import Path

from report.results import FOLDERS, LINEAR, METHODS, MODELS, NETWORKS, OF_NETWORKS, OF_STD, SPLITS, TABLES, Run
from report.departures import departures, scale
from report.settings import measured_epochs, networks, objective_of, setting, sgd_of
from rules.given import told
from rules.images import images_of
from rules.params import by_name, epochs_in
from rules.places import without_a_gpu
from rules.reported import is_report
from rules.restored import are_elsewhere, folder_of, put_back, training_of
from rules.shown import FIGURES, STD, file_of, module_of
from rules.sources import digest, sources_of
from rules.times import minutes

# A GPU job takes the resource gpu=1, of which there is one unless --resources says otherwise.
GPU = int(config["device"] == "cuda" or (config["device"] == "auto" and shutil.which("nvidia-smi") is not None))
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", 1)


DATASETS = "|".join(config["runs"])
PUT_BACK = put_back(folder_of(config, "results"))


wildcard_constraints:
    dataset=DATASETS,
    model="|".join(MODELS),
    method="|".join(METHODS),
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


def run_of(wildcards):
    """The training run of a job."""
    return Run(wildcards.dataset, wildcards.model, wildcards.method, wildcards.seed)


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
    roots = [f"workflow_scripts/{script}.py", *modules]
    return [project_file(path) for path in sorted({path for root in roots for path in sources_of(Path(PROJECT), root)})]


def project_file(path):
    """A file of the project, seen from the working directory, under one name whatever links lead to it."""
    return os.path.relpath(os.path.join(PROJECT, path))


def content(script, *modules):
    """What is in these files, as a param: files that were unpacked or copied may be changed and yet look old."""
    return digest(sources(script, *modules))


def resting(script, use=None):
    """What the result of a script rests on, as a param: its files, the images, and what its inputs are made from.

    Where a job failed its output is gone, and nothing else would tell that what was made of an earlier one is stale.
    use: of the points, for a script that measures a network
    """

    def found(wildcards):
        rests = [content(script), images(wildcards)]
        if use is None:
            return rests
        rests += [content("points"), drawn_points(wildcards, use), config["points"]["seed"]]
        run = run_of(wildcards)
        return rests if str(run) in PUT_BACK else [*rests, content("train"), training_of(config, run)]

    return found


def images(wildcards):
    """What the images of a data set are now; all that rests on them follows that, not the age of their npz file."""
    record = f"{folder_of(config, 'results')}/data/{wildcards.dataset}.json"
    return images_of(wildcards.dataset, config["data"]["source"], config["data"]["root"], record, content("data"))


def of(wildcards, key):
    """The value of a key of the config for the network of the wildcards."""
    return setting(config, key, wildcards.dataset, wildcards.model)


def for_network(key):
    """The value of a key of the config for the network of a job's wildcards, as a param."""
    return lambda wildcards: of(wildcards, key)


def sampling_threads(wildcards):
    """CPU threads of a job that samples margins: for a GPU eight, as they draw the samples, the same by any number."""
    return max(of(wildcards, "threads"), 8 if GPU else 1)


def drawn_points(wildcards, use):
    """How many points of each split a network is measured or attacked at; None means all."""
    if use == "attack":
        return {"test": of(wildcards, "attack.points")}
    whole = wildcards.dataset in config["points"]["whole"]
    return {split: None if whole else of(wildcards, f"points.{split}") for split in SPLITS}


def kept_epochs(wildcards):
    """The epochs whose weights are kept: all of a linear model, the measured ones of the others.

    Where a finished training kept these and more, what it kept: fewer epochs are no reason to train again.
    """
    epochs = of(wildcards, "training.epochs")
    wanted = list(range(1, epochs + 1)) if wildcards.model in LINEAR else measured_epochs(config, wildcards)
    path = f"{folder_of(config, 'results')}/train/{run_of(wildcards)}/checkpoints.safetensors"
    kept = [epoch for epoch in epochs_in(path) if epoch <= epochs]
    return kept if set(wanted) <= set(kept) else wanted


def last_epoch(wildcards):
    """The epoch of the network that is attacked."""
    return of(wildcards, "checkpoints")[-1]


def unless_put_back(step):
    """The constraint of a rule's data set: results of a step that were put back have no rule, and so stay as they are."""
    files = {run: record["released"].get("files", []) for run, record in PUT_BACK.items()}
    those = [run for run in files if any(file.startswith(f"{step}/{run}") for file in files[run])]
    return f"(?!({'|'.join(those)})[./])({DATASETS})" if those else DATASETS


def objective(wildcards):
    """The terms of eq. (4) for a run, as a param."""
    return objective_of(config, wildcards.dataset, wildcards.model, wildcards.method)


def attack_seed():
    """The seed of the attack's starts, where it draws any."""
    return config["attack"]["seed"] if config["attack"]["start"] == "ball" else 0


def network_memory(wildcards, attempt):
    """MB of host memory of a job with a network: CIFAR-10's images take 1,200, CUDA 2,000 more; the next try, more."""
    return attempt * (4000 if GPU else 2000)


def runtime(rule):
    """Minutes that a job of a rule may take, more at each try, as the resource that clusters ask for."""
    return lambda wildcards, attempt: attempt * minutes(rule, config, wildcards, GPU)


def table_memory(each_seed):
    """MB of a job that holds whole tables: what it needs for one seed, and MB for each further one."""
    return 1000 + each_seed * (len(config["seeds"]) - 1)


def parts(table, datasets, methods=tuple(METHODS)):
    """The files that make up one tidy table of the runs on some data sets by some methods."""
    folder = f"<results>/{FOLDERS.get(table, table)}/{{dataset}}/{{model}}/{{method}}/seed{{seed}}"
    of_table = [run for run in runs_in_table(table, datasets) if run.method in methods]
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
    """The tables of margins of some runs: one for each epoch at which they are measured, of linear models one for all."""
    folder = "<results>/margins/{dataset}/{model}/{method}/seed{seed}"
    return [
        path
        for run in wanted
        for epoch in (
            ["points"] if run.model in LINEAR else [f"epoch{epoch}" for epoch in measured_epochs(config, run)]
        )
        for path in paths_of(f"{folder}/{epoch}.csv", [run])
    ]


def holding(datasets, tables):
    """Those of the data sets that have runs in each of the tables under this config."""
    return [dataset for dataset in datasets if all(runs_in_table(table, [dataset]) for table in tables)]


def drawn():
    """The figures that have something to show under this config."""
    return [
        number
        for number, figure in FIGURES.items()
        if any(run.method in figure.needed for run in runs(holding(figure.datasets, figure.tables)))
    ]


def whole():
    """What rule all makes; for --report after a partial run those of its pages that are there, with a line on the rest."""
    pages = [f"paper_figures/{file_of(number)}.pdf" for number in drawn()]
    pages += ["paper_figures/table1.tex", "paper_figures/table1_strong.tex"] if attacked() else []
    pages += ["paper_figures/reproduction.html"]
    absent = [path for path in pages if not os.path.exists(path)]
    if absent and is_report(sys.argv):
        print(f"Not made yet, so not in the report: {', '.join(absent)}", file=sys.stderr)
        return [path for path in pages if path not in absent]
    return pages + [f"<results>/{table}.csv" for table in TABLES if runs_in_table(table, config["runs"])]


def differences_of(tables, datasets=None, methods=tuple(METHODS), without=()):
    """For captions, in a sentence each: what is less or more than in the paper for the networks shown, or other."""
    shown = shown_in(tables, datasets, methods)
    less = scale({name: network for name, network in networks(config).items() if name in shown}, tables, without)
    return " ".join(filter(None, [less, departures(config, shown, tables)]))


def shown_in(tables, datasets=None, methods=tuple(METHODS)):
    """{(data set, model): methods} of the networks that tables show, as the config lists them."""
    found = {run for table in tables for run in runs_in_table(table, datasets) if run.method in methods}
    shown = {name: {run.method for run in found if (run.dataset, run.model) == name} for name in networks(config)}
    return {name: of_network for name, of_network in shown.items() if of_network}


if workflow.is_main_process and (line := without_a_gpu(config["device"], GPU, scale(networks(config), TABLES))):
    print(line, file=sys.stderr)
