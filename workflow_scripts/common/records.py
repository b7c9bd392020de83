"""Records that jobs and restoring left in JSON files, checked before anything is made of them."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from lib.data.names import TITLES
from report.results import METHODS, MODELS, RUN, Run

AGAIN = "delete it and run again"
NAMES = {"dataset": {"enum": [*TITLES]}, "model": {"enum": [*MODELS]}, "method": {"enum": [*METHODS]}}
TRAINING = {  # of a run; names become paths
    "type": "object",
    "required": [*RUN, "epochs", "seconds"],
    "properties": NAMES | {"seed": {"type": "integer", "minimum": 0}, "epochs": {"type": "integer", "minimum": 1}},
}
PROVENANCE = {"type": "object", "required": ["dataset", "title", "source", "sha256"], "properties": NAMES}
RUNS = {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": {"type": "array"}}}
SECTIONS = ["training", "objective", "points", "margins", "attack", "bracket", "strong", "masking", "convergence"]
SETTINGS = {  # settings.json and restored.json, of results that were put back
    "type": "object",
    "required": ["only", *SECTIONS],
    "properties": {"only": RUNS} | {name: {"type": "object"} for name in SECTIONS},
}


def read_json(path, schema, remedy=AGAIN):
    """Return what a JSON file holds; ValueError names it, and the `remedy`, where it is none or not as in `schema`."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON, or is cut short: {remedy}") from error
    if mistake := best_match(Draft202012Validator(schema).iter_errors(found)):
        place = "it" if mistake.json_path == "$" else mistake.json_path
        raise ValueError(f"{path}: {place} is not as a run writes it: {mistake.message[:80]}; {remedy}")
    return found


def read_datasets(paths):
    """Return {data set: its provenance} from the data sets' JSON files."""
    found = [read_json(path, PROVENANCE) for path in paths]
    return {record["dataset"]: record for record in found}


def run_of(record):
    """The training that a record is of."""
    return Run(*(record[name] for name in RUN))
