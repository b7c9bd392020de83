"""Which images a data set is made of now, as a text: results follow it, not the files' place or time."""

import json
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

from lib.data import embedded, sources
from lib.data.names import TITLES
from rules.sources import digest
from workflow_scripts.common.files import write_json

READ = Path(".snakemake/images_read.json")  # what was read last, that no start reads the same files again


@cache
def images_of(dataset, source, root, record, code):
    """Return the title of official images, else a SHA-256, of what `source` and `root` hold now.

    record: the JSON file that the data job left, if it did; code: what decides how files are read. Where there are no
    files, either they are no longer needed, since the record tells what they were, or they will be downloaded, and so
    be the official ones.
    """
    if source == "embedded":  # reading them takes seconds
        return f"embedded, {digest([embedded.__file__, sources.__file__])}"
    files = sources.source_files(dataset, source, root)
    if not files:
        about = content_of(record)
        gone = about.get("source") in ({"torchvision", "npz"} if source == "auto" else {source})
        return about.get("images", "") if gone else TITLES[dataset]
    seen = [code, sorted([str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files)]
    before = content_of(READ)
    if before.get(dataset, {}).get("seen") != seen:
        before[dataset] = {"seen": seen, "images": identity(dataset, source, root)}
        with suppress(OSError):  # a locked folder, or another start that writes: it is read again
            write_json(before, READ)
    return before[dataset]["images"]


def identity(dataset, source, root):
    """Return the title of official images or the SHA-256 of others, read from their files."""
    try:
        with warnings.catch_warnings(action="ignore"):  # the data job tells
            found = sources.load(dataset, source=source, root=root).provenance
    except ValueError as error:
        return f"cannot be read: {error}"  # the data job says so
    return found["title"] if found["title"] in TITLES.values() else found["sha256"]


def content_of(path):
    """Return the mapping that a JSON file holds, {} where there is none."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
