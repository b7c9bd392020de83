"""Released results that were put back have no record of their settings, so that the config must keep to them."""

import json
from pathlib import Path

from rules.given import told

FREE = ("runs", "only", "checkpoints", "seeds", "margins.followed")  # what is run, not how


def other_settings(config):
    """Return the line on the first setting that is not as it was for the results that were put back, or None.

    workflow_scripts/common/restoring.py left settings.json beside them.
    """
    path = Path(config.get("pathvars", {}).get("results", "results"), "settings.json")
    if not path.exists():
        return None
    try:
        restored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return f"{path} is not JSON, or is cut short: put the released results back once more, in another folder."
    for key, was, now in differences(told(restored), told(config)):
        remedy = "set it back, or run in another folder (pathvars: {results: ..., logs: ...})"
        return f"{path}: {key} was {json.dumps(was)} for the results there, now it is {json.dumps(now)}; {remedy}."
    return None


def differences(was, now, key=""):
    """The dotted keys that two configs both have, with their values, where these differ."""
    if key in FREE:
        return
    if not (isinstance(was, dict) and isinstance(now, dict)):
        if was != now:
            yield key, was, now
        return
    for name in was:
        if name in now:
            yield from differences(was[name], now[name], f"{key}.{name}".removeprefix("."))
