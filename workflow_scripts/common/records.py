"""Records that jobs and restoring left in JSON files, checked before anything is made of them."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from lib.data.names import TITLES
from report.results import METHODS, MODELS, RUN, Run

# JSON knows neither NaN nor infinity and takes 3.0 for an integer; YAML and Python do otherwise.
Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
            "number": lambda _, value: (
                isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
            ),
        }
    ),
)

AGAIN = "delete it and run again"
NAMES = {"dataset": {"enum": [*TITLES]}, "model": {"enum": [*MODELS]}, "method": {"enum": [*METHODS]}}
COUNT, TEXT = {"type": "integer", "minimum": 0}, {"type": "string"}
RELEASED = {  # of a network that was put back: its images, the epochs of its weights, its files below the results
    "type": "object",
    "required": ["images", "epochs", "files"],
    "properties": {
        "images": TEXT,
        "epochs": {"type": "array", "items": COUNT},
        "files": {"type": "array", "items": TEXT},
    },
}
TRAINING = {  # of a run; names become paths
    "type": "object",
    "required": [*RUN, "objective", "epochs", "seconds"],
    "properties": NAMES
    | {"seed": COUNT, "objective": {"type": "object"}, "epochs": COUNT | {"minimum": 1}, "seconds": {"type": "number"}}
    | {"released": RELEASED},
}
OF_IMAGES = {"title": TEXT, "origin": TEXT, "source": TEXT, "sha256": TEXT, "stand_in": {"type": "boolean"}}
PROVENANCE = {"type": "object", "required": ["dataset", *OF_IMAGES], "properties": NAMES | OF_IMAGES | {"images": TEXT}}
SECTIONS = ["training", "objective", "points", "margins", "attack", "bracket", "strong", "masking", "convergence"]
OF_SECTIONS = {name: {"type": "object"} for name in SECTIONS}
METHODS_BY_MODEL = {"type": "object", "additionalProperties": {"type": "array", "items": NAMES["method"]}}
TRAINED = ["training", "objective"]  # the sections that make a network
SETTINGS = {  # settings.json and restored.json, of results that were put back; of networks alone the first
    "type": "object",
    "required": ["only", *TRAINED],
    "properties": OF_SECTIONS
    | {"pathvars": {"type": "object", "additionalProperties": TEXT}}
    | {"only": {"type": "object", "minProperties": 1, "additionalProperties": METHODS_BY_MODEL}},
}


def read_json(path, schema, remedy=AGAIN):
    """Return what a JSON file holds; ValueError names it, and the `remedy`, where it is none or not as in `schema`."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON, or is cut short: {remedy}") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    if mistake := best_match(Validator(schema).iter_errors(found)):
        place = "it" if mistake.json_path == "$" else mistake.json_path
        raise ValueError(f"{path}: {place} is not as a run writes it: {mistake.message[:80]}; {remedy}")
    return found


def read_datasets(paths):
    """Return {data set: its provenance} from the data sets' JSON files."""
    found = [read_json(path, PROVENANCE) for path in paths]
    return {record["dataset"]: record for record in found}


def run_in(record):
    """The training that a record is of."""
    return Run(*(record[name] for name in RUN))
