"""Where results come from: the commit of this project, and the files that images were read from."""

import hashlib
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


def what_was_read(files, code):
    """Return what tells, without reading them, whether source files are the same, and a SHA-256 of the code's files."""
    seen = sorted([path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files)
    content = hashlib.sha256(b"".join(Path(path).read_bytes() for path in code)).hexdigest()
    return {"files": seen, "code": content}


def _git(*words):
    return subprocess.run(["git", "-C", PROJECT, *words], capture_output=True, text=True).stdout.strip()
