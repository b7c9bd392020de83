"""What is wrong with a config: the first mistake as one line that names the key, says what is wrong and what to do.

config.schema.yaml says what each key may be; `unfit` adds what a schema cannot say: values that must fit each other.
"""

import difflib
from functools import cache
from pathlib import Path

import yaml

from report.results import NETWORKS
from report.settings import BY_NETWORK, configured, located, setting
from workflow_scripts.common.records import Validator

SCHEMA = Path(__file__).resolve().parent.parent / "config.schema.yaml"
KINDS = {"object": "keys with values", "array": "a list", "integer": "a whole number", "string": "a text"}
KINDS |= {"number": "a finite number", "null": "null"}


@cache
def schema():
    """Return config.schema.yaml as a nested dict."""
    return yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))


def first_mistake(config):
    """Return the first mistake of a config (nested dict) in one line, or None; unknown keys come before all else."""
    errors = list(Validator(schema()).iter_errors(config))
    errors.sort(key=lambda error: error.validator != "additionalProperties")  # a misspelt key may explain the others
    mistake = in_words(errors[0], schema()) if errors else unfit(config)
    return mistake and f"Config: {mistake}{'' if mistake.endswith('?') else '.'} config.schema.yaml explains each key."


def in_words(error, schema):
    """Return what a jsonschema error of `schema` means: the dotted key, what is wrong with it, what to do."""
    key, rule, value = dotted(error.absolute_path), error.validator_value, shown(error.instance)
    match error.validator:
        case "additionalProperties":
            return unknown(error, schema)
        case "required":
            absent = next(name for name in rule if name not in error.instance)
            return f"{dotted([*error.absolute_path, absent])} is missing; add it as in config.yaml"
        case "type":
            wanted = " or ".join(KINDS[kind] for kind in ([rule] if isinstance(rule, str) else rule))
            return f"{key} is {value}; write {wanted}{unquoted(error.instance, wanted)}"
        case "enum":
            return f"{key} is {value}; {did_you_mean(str(error.instance), rule)}choose one of {', '.join(rule)}"
        case "minimum":
            return f"{key} is {value}; write at least {rule}"
        case "maximum":
            return f"{key} is {value}; write at most {rule}"
        case "exclusiveMinimum":
            return f"{key} is {value}; write more than {rule}"
        case "exclusiveMaximum":
            return f"{key} is {value}; write less than {rule}"
        case "uniqueItems":
            return f"{key} is {value}; write each value once"
        case "minItems" | "minProperties" | "minLength":
            return f"{key} is empty; write at least one value"
    return f"{key} is {value}; {error.message.splitlines()[0]}"


def unknown(error, schema):
    """The line on a key that no one knows: did you mean a similar one beside it, or the same one in a section?"""
    known = list(error.schema.get("properties", []))
    wrong = next(name for name in error.instance if name not in known)
    close = difflib.get_close_matches(str(wrong), known, n=1)
    if not close and not error.absolute_path:
        sections = schema["properties"].items()
        close = [f"{section}.{wrong}" for section, of in sections if wrong in of.get("properties", [])]
    remedy = f"did you mean {close[0]}?" if close else f"known here are {', '.join(known)}"
    return f"{dotted([*error.absolute_path, wrong])} is not a known key; {remedy}"


def unfit(config):
    """Return the first pair of values of a valid config that do not fit each other, in words, or None."""
    config = config | {"runs": config.get("only", config["runs"])}
    for dataset, eps in config["attack"]["eps"].items():
        if eps != sorted(eps):
            return f"attack.eps.{dataset} is {eps}; list the radii in ascending order"
    if not configured(config):
        return "runs names no method of any model; write at least one, such as mnist: {lr: [std]}"
    for check in (without_value, badly_set):
        for dataset, model in configured(config):
            if mistake := check(config, dataset, model):
                return mistake
    return None


def without_value(config, dataset, model):
    """The line on the first key that has a mapping without a value for a network that runs."""
    whole = dataset in config["points"]["whole"]
    for key, models in BY_NETWORK.items():
        try:
            if model in models and not (whole and key.startswith("points.")):
                setting(config, key, dataset, model)
        except LookupError as error:
            remedy = f"add {model}: ..., {dataset}: ... or {dataset}: {{{model}: ...}} below it"
            merged = "a file of --configfile adds to a mapping, and a mapping there replaces a single value"
            return f"{error.args[0]}, which runs names; {remedy} ({merged})"
    return None


def badly_set(config, dataset, model):
    """The line on the first pair of values for a network that do not fit each other."""
    place, epochs = located(config, "checkpoints", dataset, model)
    last_place, last = located(config, "training.epochs", dataset, model)
    if epochs != sorted(epochs) or epochs[-1] != last:
        remedy = f"list the epochs in ascending order, ending with {last_place} = {last}"
        return f"{place} is {epochs}; {remedy}"
    if model in NETWORKS:
        for part, whole in (("masking.points", "attack.points"), ("convergence.points", "points.test")):
            if whole == "points.test" and dataset in config["points"]["whole"]:
                continue
            place, count = located(config, part, dataset, model)
            most_place, most = located(config, whole, dataset, model)
            if most is not None and count > most:
                return f"{place} is {count}, more than {most_place} = {most}, of which they are taken; lower it"
    return None


def dotted(path):
    """training.epochs.mlp; a place in a list in brackets, counted from 0."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".") or "config"


def shown(value):
    if value is None:
        return "empty (null)"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def did_you_mean(wrong, known):
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean {close[0]}? Else " if close else ""


def unquoted(value, wanted):
    """What to do about a number that arrived as text: in quotes, or as 1e-12, which YAML takes for a word."""
    if not isinstance(value, str) or "number" not in wanted:
        return ""
    return ", without quotes" + (" and with a point: 1.0e-12, not 1e-12" if "finite" in wanted else "")
