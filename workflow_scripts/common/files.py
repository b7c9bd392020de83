"""Files that appear whole or not at all."""

import errno
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EACCES: "allow access to it",
    errno.EPERM: "allow access to it",
    errno.EROFS: "make the file system writable",
}


def partial_of(path):
    """Return the path of what becomes `path` in one step; the next try replaces what a killed one left of it."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def whole_file(path):
    """Yield a temporary path beside `path`; on success it is moved there in one step, on failure removed.

    A full or locked disk raises an OSError that names `path`.
    """
    path = Path(path)
    partial = partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno in ADVICE and str(error.filename) in ("None", str(partial), str(path.parent)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with suppress(OSError):
            partial.unlink()


def discard(path):
    """Remove the file of unfinished work that has ended, and what a killed call may have left of its next version."""
    path.unlink(missing_ok=True)
    partial_of(path).unlink(missing_ok=True)


def write_text(text, path):
    """Write `text` to `path`, the same bytes on every system."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(content, path, indent=2):
    """Write numbers, texts, lists and dicts to `path` as JSON."""
    write_text(json.dumps(content, indent=indent) + "\n", path)


def write_table(table, path):
    """Write a DataFrame to `path` as CSV."""
    with whole_file(path) as partial:
        table.to_csv(partial, index=False)


def write_arrays(arrays, path):
    """Write arrays, {name: array}, to `path` as npz."""
    import numpy as np  # only some jobs have arrays

    with whole_file(path) as partial, partial.open("wb") as file:  # given a path, savez would add a suffix
        np.savez(file, **arrays)
