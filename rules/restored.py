"""Results that were put back are told with the settings of their run, so that the config must keep to these.

workflow_scripts/common/restoring.py left a record of these beside them, and of each training with its network.
"""

import json
from contextlib import suppress
from itertools import product
from pathlib import Path

from report.departures import CHOICES, PAPER
from report.results import MODELS, Run
from report.settings import BY_NETWORK, configured, located, measured_epochs, objective_of, setting, sgd_of
from rules.given import plain
from rules.images import content_of
from rules.params import is_put_back
from workflow_scripts.common.defaults import completed
from workflow_scripts.common.records import SECTIONS, SETTINGS, TRAINED, TRAINING, read_json

FREE = ("margins.followed",)  # what is run, not how: as runs, seeds and checkpoints, which are no SECTIONS
STATED = PAPER | CHOICES
AGAIN = "put the released results back once more, in another folder"
TRAIN_AGAIN = "put back what was released in another folder, or delete this one and train again"
REMEDY = "set it back, or run in another folder (pathvars: {results: ..., logs: ...})"


def folder_of(config, name):
    """Where a run keeps its results or logs."""
    return config.get("pathvars", {}).get(name, name)


def other_settings(config):
    """Return the line on the first setting that is not as it was for the results that were put back, or None."""
    path = Path(folder_of(config, "results"), "restored.json")
    if not path.exists():
        return None
    try:
        restored = read_json(path, SETTINGS, AGAIN)
    except ValueError as error:
        return str(error)
    for key, was, now in differences(restored, config):
        return f"{path}: {key} was {json.dumps(was)} for the results there, now it is {json.dumps(now)}; {REMEDY}."
    return None


def differences(restored, now):
    """Yield where in the config `now` a setting of a restored network stands, what it was, and what it is."""
    was = plain(completed(restored))
    keys = [f"{section}.{name}" for section in SECTIONS if section in was for name in now[section]]
    for dataset, model in configured({"runs": was["only"]}):
        for key in keys:
            if key in FREE or not bears(key, model, was["only"][dataset][model]):
                continue
            with suppress(LookupError):  # a network that needs no such value, or that is not run any more
                place, value = located(now, key, dataset, model)
                if value != (before := setting(was, key, dataset, model)):
                    yield place, before, value


def bears(key, model, methods):
    """Whether results of a model that was trained by some methods depend on a setting."""
    stated = STATED.get(key)
    if stated is None:
        return model in BY_NETWORK.get(key, MODELS)
    return model in stated.models and bool({*methods} & {*stated.methods})


def put_back(results):
    """Return {run as in its paths: record} of the trainings below a folder of results that were put back."""
    paths = sorted(Path(results).glob("train/*/*/*/seed*/run.json"))
    records = {path.parent.relative_to(Path(results, "train")).as_posix(): content_of(path) for path in paths}
    return {run: record for run, record in records.items() if isinstance(record.get("released"), dict)}


def are_elsewhere(record):
    """Whether weights are in the reference results that they came from: of networks put back alone, or without them."""
    return bool(record) and ("measured" not in record or not record["released"].get("epochs"))


def other_training(config, images):
    """Return the line on the first released network that the config wants trained or measured otherwise, or None.

    images: a function that tells which images a run would be trained on now
    """
    results = Path(folder_of(config, "results"))
    for dataset, model in configured(config):
        for method, seed in product(config["runs"][dataset][model], config["seeds"]):
            run = Run(dataset, model, method, seed)
            for line in unlike(run, results, config, images):
                return line
    return None


def unlike(run, results, config, images):
    """Yield lines on what of a network that was put back is not as the config wants it."""
    path = results / f"train/{run}/run.json"
    try:
        record = read_json(path, TRAINING, TRAIN_AGAIN) if path.exists() else {}
    except ValueError as error:
        yield str(error)
        return
    if not path.exists() and is_put_back(path.with_name("checkpoints.safetensors")):
        yield f"{path} is gone, which was put back: {AGAIN}."
    if "measured" in record and not (results / "restored.json").exists():
        yield f"{results}/restored.json is gone, which tells how the results there were measured: {AGAIN}."
    if "released" not in record:
        return
    released = record["released"]
    if (before := released["images"]) != (now := images(run)):
        yield f"{path}: it was trained on {before}, data.source has {now}; {REMEDY}."
    for file in released["files"]:
        if not (results / file).exists():
            yield f"{results / file} is gone, which was put back: {AGAIN}."
    if not released["epochs"]:
        return
    was = training_of(completed({name: {} for name in TRAINED}), run) | by_key(record["objective"], record)
    for key, now in training_of(config, run).items():
        if was[key] != now:
            yield f"{path}: {key} was {json.dumps(was[key])} in its training, now it is {json.dumps(now)}; {REMEDY}."
    margins, kept = results / f"margins/{run}", released["epochs"]
    wanted = [epoch for epoch in measured_epochs(config, run) if not (margins / f"epoch{epoch}.csv").exists()]
    if not {*wanted} <= {*kept}:
        remedy = f"leave {run.method} out of margins.followed to measure the last alone, or train in another folder"
        yield f"{path}: it has the weights of epochs {kept}, margins are wanted of {wanted}; {remedy}."


def training_of(config, run):
    """Return {dotted key: value} of what decides the training of a run."""
    more = {"epochs": setting(config, "training.epochs", run.dataset, run.model)}
    more |= {"dropout": config["training"]["dropout"] if run.model == "cnn" else 0}
    return by_key(objective_of(config, *run[:3]), sgd_of(config, *run[:2]) | more)


def by_key(objective, training):
    """Return terms of eq. (4), and what SGD was given, by their dotted keys in the config."""
    terms = {f"objective.{'lambda' if name == 'lam' else name}": of for name, of in objective.items()}
    return terms | {f"training.{name}": of for name, of in training.items()}
