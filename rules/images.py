"""Which images a data set is made of now, as a text: results follow it, not the files' place or time."""

import hashlib
import json
import warnings
from functools import cache
from pathlib import Path

from lib.data import embedded
from lib.data.names import TITLES
from lib.data.sources import load, source_files
from workflow_scripts.common.origin import what_was_read


@cache
def images_of(dataset, source, root, record, code):
    """Return the title of official images, else a SHA-256, of what `source` and `root` hold now.

    record: the JSON file that the data job left, if it did. Where its source files and `code`, the files that read
    them, are still the same it is believed; else the images are read. Where there are no files, either they are no
    longer needed, since the record tells what they were, or they will be downloaded, and so be the official ones.
    """
    if source == "embedded":  # reading them takes seconds
        return f"embedded, {hashlib.sha256(Path(embedded.__file__).read_bytes()).hexdigest()}"
    about, files = recorded(record), source_files(dataset, source, root)
    gone = not files and about.get("source") in ({"torchvision", "npz"} if source == "auto" else {source})
    if gone or (files and about.get("read") == what_was_read(files, code)):
        return about.get("images", "")
    if not files:
        return TITLES[dataset]
    try:
        with warnings.catch_warnings(action="ignore"):  # the data job tells
            found = load(dataset, source=source, root=root).provenance
    except ValueError as error:
        return f"cannot be read: {error}"  # the data job says so
    return found["title"] if found["title"] in TITLES.values() else found["sha256"]


def recorded(path):
    """Return what the data job wrote about a data set, {} where that is not there."""
    try:
        about = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}
