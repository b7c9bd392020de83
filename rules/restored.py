"""Results that were put back are told with the settings of their run, so that the config must keep to these."""

import json
from contextlib import suppress
from pathlib import Path

from report.departures import CHOICES, PAPER
from report.results import MODELS
from report.settings import BY_NETWORK, configured, located, setting
from rules.given import plain
from workflow_scripts.common.defaults import completed
from workflow_scripts.common.records import SECTIONS, SETTINGS, read_json, record_in

FREE = ("margins.followed",)  # what is run, not how: as runs, seeds and checkpoints, which are no SECTIONS
STATED = PAPER | CHOICES


def other_settings(config):
    """Return the line on the first setting that is not as it was for the results that were put back, or None.

    workflow_scripts/common/restoring.py left a record of their settings beside them.
    """
    path = record_in(Path(config.get("pathvars", {}).get("results", "results")))
    if not path.exists():
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
