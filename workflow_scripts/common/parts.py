"""Long work on many points, one part after the other: a job that was cut off goes on after its last part."""

import json
from pathlib import Path
from time import monotonic

import numpy as np
import torch

from lib.data.arrays import digest, read_arrays
from workflow_scripts.common.files import write_arrays
from workflow_scripts.common.job import progress_bar, tell

SECONDS = 30  # that a part shall take: a job that is cut off loses no more than that, or one point


def in_parts(compute, names, count, path, key, title):
    """Return {name: array (count, ...)} of all points, from compute(slice, progress) -> [array (points, ...)].

    names: of the arrays. What is done is kept in `path`, an npz, from which a later call with the same `key` goes on;
    files.discard it once the results stand elsewhere. title: of the progress bar.
    """
    done, size = _load(path, names, count, key), 1
    parts = [list(done.values())] if done else []
    start = len(parts[0][0]) if parts else 0
    if start:
        print(f"going on after {start} of {count} points of an earlier call")
    bar = progress_bar(count, title, "point", start)
    while start < count:
        began, stop = monotonic(), min(start + size, count)
        found = compute(slice(start, stop), lambda n, _, start=start: bar.update_to(start + n, count))
        parts.append([np.asarray(array) for array in found])
        done = dict(zip(names, map(np.concatenate, zip(*parts, strict=True)), strict=True))
        size = round(size * min(2, SECONDS / max(monotonic() - began, 1e-3))) or 1
        start = stop
        if start < count:
            write_arrays(done | {"key": np.array(key)}, path)
    bar.close()
    return done


def key_of(model, x, y, code, **settings):
    """Return what tells a job from others: weights, points, the content of the files `code`, torch and settings."""
    decisive = [tensor.cpu().numpy() for tensor in (*model.state_dict().values(), x, y)]
    texts = [Path(path).read_bytes() for path in code]
    texts.append(json.dumps(settings | {"torch": torch.__version__}, sort_keys=True).encode())
    decisive += [np.frombuffer(text, np.uint8) for text in texts]
    return digest(*decisive)


def _load(path, names, count, key):
    if not Path(path).is_file():
        return {}
    try:
        found = read_arrays(path, [*names, "key"], remedy="starting afresh")
    except ValueError as error:
        tell(error)
        return {}
    if str(found.pop("key")) != key or not 0 < len(next(iter(found.values()))) < count:
        tell(f"{path} belongs to another job (other settings, weights, points or code): starting afresh")
        return {}
    return found
