"""Settings of earlier versions, which lack the keys that came later."""

from pathlib import Path

import yaml

from workflow_scripts.common.records import SECTIONS

CONFIG = Path(__file__).parents[2] / "config.yaml"


def completed(settings):
    """Return settings with the value of config.yaml for each key that is younger than they are."""
    ours = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return settings | {name: ours[name] | settings[name] for name in SECTIONS if name in settings}
