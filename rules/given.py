"""The config as it was meant: numbers that arrive as text, numbers written in two ways, runs that are named alone."""

import yaml

from rules.config_errors import schema
from workflow_scripts.common.records import Validator


def normalised(config, command_line):
    """Return `config` with what has one meaning written in one way, so that jobs are done again for meanings only.

    5.0 is 5. Values of --config, whose keys are `command_line`, arrive as text where they are nested; where the schema
    wants numbers, they are numbers.
    """
    config = plain(config)
    errors = [e for e in Validator(schema()).iter_errors(config) if e.validator == "type" and e.absolute_path]
    for error in errors:
        if isinstance(error.instance, str) and error.absolute_path[0] in command_line:
            *above, last = error.absolute_path
            place = config
            for part in above:
                place = place[part]
            place[last] = plain(yaml.safe_load(error.instance))
    return config


def plain(value):
    """Return a nested value with whole floats as integers."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def empty_mapping(paths):
    """Return the line on the first empty mapping in the config files, or None: merged, it says nothing."""
    for path in paths:
        with open(path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
        if key := next(empty(content or {}), None):
            way = "only: {mnist: {mlp: [std]}}, say, runs nothing else; an empty list, as in lr: [], leaves a model out"
            return f"{path}: {key} is an empty mapping, which changes nothing, as files are merged; {way}"
    return None


def empty(value, key=""):
    """The dotted keys of the empty mappings in a nested value."""
    for name, inner in value.items() if isinstance(value, dict) else ():
        dotted = f"{key}.{name}".removeprefix(".")
        if inner == {}:
            yield dotted
        yield from empty(inner, dotted)


def told(config):
    """The config as the page tells it, in one order: without what decides where and how fast, not what."""
    return ordered({key: of for key, of in config.items() if key not in ("data", "device", "threads", "pathvars")})


def ordered(value):
    """Return a nested value with the keys of its mappings in order."""
    return {key: ordered(value[key]) for key in sorted(value)} if isinstance(value, dict) else value
