"""Released results that were put back have no record of their settings, so that the config must keep to them."""

import json
from contextlib import suppress
from pathlib import Path

import yaml

from report.results import MODELS
from report.settings import BY_NETWORK, configured, located, setting
from rules.config_errors import SCHEMA
from rules.given import plain
from workflow_scripts.common.records import SECTIONS, SETTINGS, read_json

FREE = ("margins.followed",)  # what is run, not how: as runs, seeds and checkpoints, which are no SECTIONS


def other_settings(config):
    """Return the line on the first setting that is not as it was for the results that were put back, or None.

    workflow_scripts/common/restoring.py left restored.json beside them; an earlier version only settings.json, which
    is there to be given as a config file, and may be edited.
    """
    folder = Path(config.get("pathvars", {}).get("results", "results"))
    path = next((folder / name for name in ("restored.json", "settings.json") if (folder / name).exists()), None)
    if path is None:
        return None
    try:
        restored = read_json(path, SETTINGS, "put the released results back once more, in another folder")
    except ValueError as error:
        return str(error)
    for key, was, now in differences(restored, config):
        remedy = "set it back, or run in another folder (pathvars: {results: ..., logs: ...})"
        return f"{path}: {key} was {json.dumps(was)} for the results there, now it is {json.dumps(now)}; {remedy}."
    return None


def differences(restored, now):
    """Yield where in the config `now` a setting of a restored network stands, what it was, and what it is.

    A key that is younger than the results had the value of config.yaml.
    """
    ours = plain(yaml.safe_load(SCHEMA.with_name("config.yaml").read_text(encoding="utf-8")))
    was = restored | {section: ours[section] | restored[section] for section in SECTIONS}
    for key in (f"{section}.{name}" for section in SECTIONS for name in now[section]):
        of = [name for name in configured({"runs": was["only"]}) if name[1] in BY_NETWORK.get(key, MODELS)]
        for name in of if key not in FREE else ():
            with suppress(LookupError):  # a network that needs no such value, or that is not run any more
                place, value = located(now, key, *name)
                if value != (before := setting(was, key, *name)):
                    yield place, before, value
