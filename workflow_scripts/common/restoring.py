"""Put reference results back where jobs left them: figures are drawn anew, and runs go on, without training.

python -m workflow_scripts.common.restoring reference_results/mnist --results results/mine --logs logs/mine

writes the small tables, records and final weights that the folder was gathered from (numbers to six digits), and beside
them settings.json, the config file of that run, and restored.json, the same, by which later configs are checked.
Several folders of the same settings may be put back to one place. With --networks only the networks whose weights are
released are put back, and nothing that was measured on them: attack and measure them anew, with settings of your own.
settings.json then says how they were trained, and no restored.json is left.
"""

import argparse
import json
import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import torch

from report.results import COLUMNS, FOLDERS, LINEAR, METHODS, RUN, Run
from workflow_scripts.common.checkpoints import load_state, save
from workflow_scripts.common.defaults import completed
from workflow_scripts.common.files import whole_file, write_json, write_table
from workflow_scripts.common.records import (
    PROVENANCE,
    SECTIONS,
    SETTINGS,
    TRAINED,
    TRAINING,
    read_json,
    run_in,
)
from workflow_scripts.common.released import read_about, read_tables, read_weights, refuse_other_files, runs_in

WIDE = {"attacks": "broken_at", "strong": "held"}  # a line a point there, with a column an eps
ELSEWHERE = "choose another --results"


def main(argv=None):
    """Restore a folder of reference results.

    ValueError, before anything is written, where the folder is damaged or of an earlier version, or where the results
    that are there have other images, other settings or another training.
    """
    given = arguments(argv)
    about = read_about(given.folder / "run.json")
    records = [{"measured": about["commit"]} | record for record in about["runs"]]  # by an earlier commit, too
    tables = read_tables(given.folder, records)
    refuse_other_files(given.folder, about)
    weights = [read_weights(given.folder, record) for record in records]
    if given.networks:
        records, weights, tables = networks_alone(given.folder, records, weights, tables)
    parts = {path: lines for name, table in tables.items() for path, lines in separated(table, name)}
    records = [as_released(record, kept, parts, about["data"]) for record, kept in zip(records, weights, strict=True)]
    settings = settings_of(about, records, given)
    refuse_other_settings(settings, given)
    record_of_all = joined(settings, given.results / "restored.json")
    config = joined(settings, given.results / "settings.json")  # which may have been edited
    refuse_others(about["data"], records, given.results)

    for data in about["data"]:
        if not (path := given.results / "data" / f"{data['dataset']}.json").exists():
            write_json(data, path)
    for record, kept in zip(records, weights, strict=True):  # before the tables, which must not be older
        restore_training(record, kept, given.results / "train" / str(run_in(record)))
    for path, lines in parts.items():
        write_table(lines.dropna(axis=1, how="all"), given.results / path)
    write_seconds(about["seconds"], tables, given.logs)
    if not given.networks:
        write_json(record_of_all, given.results / "restored.json")
    write_json(config, given.results / "settings.json")
    go_on = f"snakemake --cores 2 --configfile {shlex.quote(str(given.results / 'settings.json'))}"
    if given.networks:
        print(f"networks put back: {len(records)}; attack or measure them, say: {go_on} mine.yaml")
        return
    of_cifar10 = any(record["dataset"] == "cifar10" for record in records)
    target = "table1.tex" if "attacks" in tables else "fig2.pdf" if of_cifar10 else "fig6.pdf"
    print(f"networks put back: {len(records)}; draw a figure or table, say: {go_on} -- paper_figures/{target}")
    print(f"train or measure more, say: {go_on} mine.yaml")


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of reference results, with a run.json")
    parser.add_argument("--results", type=Path, required=True, help="where the run keeps its results")
    parser.add_argument("--logs", type=Path, required=True, help="where the run keeps its logs")
    parser.add_argument("--networks", action="store_true", help="only the networks, to attack and measure them anew")
    given = parser.parse_args(argv)
    for path in (given.results, given.logs):
        if path == Path():
            raise ValueError("--results or --logs is the project's own folder: name one below it, results/mine, say")
        if any(character in str(path) for character in "{}<>"):
            raise ValueError(f"{path}: Snakemake takes {{ }} < > in a path for wildcards; choose another name")
    return given


def networks_alone(folder, records, weights, tables):
    """Return records, weights and tables of the networks whose weights are released, as if nothing was measured."""
    both = [(record, kept) for record, kept in zip(records, weights, strict=True) if kept]
    if not both:
        raise ValueError(f"{folder} has no weights of networks: put its results back, without --networks")
    records = [{key: of for key, of in record.items() if key != "measured"} for record, _ in both]
    weights = [kept for _, kept in both]
    known, lines = {run_in(record) for record in records}, tables["curves"]
    chosen = [run in known for run in lines[RUN].itertuples(index=False, name=None)]
    return records, weights, {"curves": lines[chosen]}


def as_released(record, kept, parts, datasets):
    """Return a record that says of which images a network is, and which epochs and files of it are put back."""
    images = {data["dataset"]: data.get("images", data["sha256"]) for data in datasets}
    files = [path for path in parts if re.search(rf"/{run_in(record)}[./]", path)]
    files += [f"train/{run_in(record)}/checkpoints.safetensors"] if kept else []
    if record["dataset"] == "mnist01":  # trained again for the moving picture, which shows the weights of every epoch
        files = []
    return record | {"released": {"images": images[record["dataset"]], "epochs": sorted(kept), "files": sorted(files)}}


def settings_of(about, records, given):
    """Return the config of the restored run, of networks alone what they were trained with."""
    sources = {data["source"] for data in about["data"]}
    left_out = ({*SECTIONS} - {*TRAINED}) if given.networks else {}
    settings = {key: of for key, of in about["settings"].items() if key not in ("runs", *left_out)} | {"only": {}}
    for dataset, model, method in dict.fromkeys(run_in(record)[:3] for record in records):  # once for all seeds
        settings["only"].setdefault(dataset, {}).setdefault(model, []).append(method)
    settings["data"] = {"source": sources.pop() if len(sources) == 1 else "auto"}
    settings["pathvars"] = {"results": str(given.results), "logs": str(given.logs)}
    if given.networks:
        settings["margins"] = {"followed": []}  # only the last weights are there
    return settings


def refuse_other_settings(settings, given):
    """Raise ValueError where others of what is there are not the same, or where other things were put back there."""
    whole, config = given.results / "restored.json", given.results / "settings.json"
    if given.networks and whole.exists():
        raise ValueError(f"{whole}: results were put back there: {ELSEWHERE}")
    if not given.networks and config.exists() and not whole.exists():
        raise ValueError(f"{config}: networks alone were put back there, or restored.json was deleted: {ELSEWHERE}")
    if not (path := config if given.networks else whole).exists():
        return
    before, now = (placed(completed(of)) for of in (read_json(path, SETTINGS, ELSEWHERE), settings))
    for key in [*TRAINED, "pathvars"] if given.networks else sorted(now.keys() - {"only", "data"}):
        there, here = flat(before.get(key), key), flat(now[key], key)
        for name in sorted(there.keys() | here.keys()):
            if there.get(name) != here.get(name):
                values = f"{json.dumps(there.get(name))} there and {json.dumps(here.get(name))} here"
                raise ValueError(f"{path} has another {name} than these results, {values}: {ELSEWHERE}")


def placed(settings):
    """Return a config whose folders are absolute."""
    folders = settings.get("pathvars", {}).items()
    return settings | {"pathvars": {name: str(Path(folder).resolve()) for name, folder in folders}}


def flat(value, key):
    """Return {dotted key: value} of what stands below a key of a config."""
    if not isinstance(value, dict):
        return {key: value}
    return {name: of for inner in value for name, of in flat(value[inner], f"{key}.{inner}").items()}


def joined(settings, path):
    """Return the config in a file, if there is one, running the networks of `settings` too."""
    if not path.exists():
        return settings
    config = read_json(path, SETTINGS, ELSEWHERE)
    for dataset, models in settings["only"].items():
        for model, methods in models.items():
            there = config["only"].setdefault(dataset, {})
            there[model] = [method for method in METHODS if method in {*methods, *there.get(model, [])}]
    return config


def refuse_others(datasets, records, results):
    """Raise ValueError where the results hold other images, or another training of one of the networks."""
    for data in datasets:
        path = results / "data" / f"{data['dataset']}.json"
        if path.exists() and read_json(path, PROVENANCE, ELSEWHERE)["sha256"] != data["sha256"]:
            raise ValueError(f"{path} is of other images than the results: {ELSEWHERE}")
    for record in records:
        path = results / "train" / str(run_in(record)) / "run.json"
        if (cut_off := path.with_name("unfinished.safetensors")).exists():
            raise ValueError(f"{cut_off} is of a training that was cut off: {ELSEWHERE}")
        young = {"released": None}  # the record of an earlier version has no such key
        if path.exists() and read_json(path, TRAINING, ELSEWHERE) | young != record | young:
            raise ValueError(f"{path} is of another training than the results: {ELSEWHERE}")


def restore_training(record, kept, folder):
    """Write the record of a training run and its weights `kept`, {epoch: state_dict}, unless they are there."""
    path = folder / "checkpoints.safetensors"
    if kept and path.exists() and all(holds(path, epoch, state) for epoch, state in kept.items()):
        path.touch()  # with those of other epochs, maybe
    elif kept:
        save(path, kept, {name: record[name] for name in RUN} | {"released": True})
    write_json(record, folder / "run.json")


def holds(path, epoch, state):
    """Whether a checkpoint file has these very weights of an epoch."""
    try:
        there = load_state(path, epoch)
    except ValueError:  # another epoch's, or cut short
        return False
    return there.keys() == state.keys() and all(torch.equal(there[name], state[name]) for name in state)


def write_seconds(seconds, tables, logs):
    """Share the seconds of each step among the runs that have results of it: only their sum is told."""
    for step in seconds.keys() - {"train"}:  # whose records have them
        runs = set().union(*(runs_in(of) for name, of in tables.items() if FOLDERS.get(name, name) == step))
        for run in runs:
            with whole_file(logs / step / str(run) / "restored.tsv") as partial:  # beside jobs anew
                pd.DataFrame({"s": [seconds[step] / len(runs)]}).to_csv(partial, sep="\t", index=False)


def separated(table, name):
    """Yield the path below the results, and the lines, of each job's table that a tidy table was made of."""
    table = table[[column for column in COLUMNS[name] if column in table]]
    if name == "svm":
        yield "svm/mnist01.csv", table
        return
    for run, lines in table.groupby(RUN, sort=False):
        folder, linear = f"{FOLDERS.get(name, name)}/{Run(*run)}", run[1] in LINEAR
        if name == "curves":
            yield f"{folder}/curve.csv", lines
        elif name == "margins" and not linear:
            for epoch, points in lines.groupby("epoch"):
                yield f"{folder}/epoch{epoch}.csv", points
        elif name == "margins":
            yield f"{folder}/points.csv", lines
        elif name == "margin_summary":
            if linear:  # of networks it is made of the margins
                yield f"{folder}/summary.csv", lines
        elif name == "brackets":
            yield f"{folder}.csv", lines.drop(columns="margin")
        else:
            yield f"{folder}.csv", wide(lines, WIDE[name]) if name in WIDE else lines


def wide(lines, value):
    """A column an eps, as the attacks write it: combining.one_line_an_eps taken back."""
    key = [column for column in lines if column not in ("eps", "broken_at", "held")]
    table = lines.pivot(index=key, columns="eps", values=value).rename(columns=lambda eps: f"eps{eps:g}")
    return lines[key].drop_duplicates().merge(table.reset_index(), on=key, validate="1:1")  # points in their order


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"Error: {error}")
