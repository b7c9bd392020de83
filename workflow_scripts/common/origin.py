"""Where results come from: the commit of this project."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def commit():
    """Return the commit of this project, with -dirty where files have changed since; unknown outside its repository.

    A release that was unpacked inside another repository has no commit.
    """
    try:
        top, described = _git("rev-parse", "--show-toplevel"), _git("describe", "--always", "--dirty")
    except FileNotFoundError:
        return "unknown"
    return described if described and Path(top).resolve() == PROJECT else "unknown"


def _git(*words):
    return subprocess.run(["git", "-C", PROJECT, *words], capture_output=True, text=True).stdout.strip()
