"""A training run that was cut off goes on from its last saved epoch: the file that makes it possible."""

import hashlib
import json

from safetensors import SafetensorError, safe_open

from workflow_scripts.common.checkpoints import write_tensors
from workflow_scripts.common.job import tell

VERSION = "1"


def fingerprint(**what):
    """Return the SHA-256 of everything that decides a run (numbers, strings, dicts): another run has another one."""
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def save(path, state, kept, records, key):
    """Write the state of the last epoch, the weights {epoch: state_dict} kept so far and the curve [dict] to `path`."""
    tensors = {f"state/{name}": tensor for name, tensor in state.items()}
    for epoch, weights in kept.items():
        tensors |= {f"kept/{epoch}/{name}": tensor for name, tensor in weights.items()}
    write_tensors(path, tensors, {"version": VERSION, "key": key, "records": json.dumps(records)})


def load(path, keys):
    """Return (state, kept, records) of an earlier call of the same run, or (None, {}, []) where there is none.

    A file of another run (its key is none of `keys`), of another version or cut short is ignored, and one line says so,
    as one does of a file that goes on by another key than the first: one of an earlier version of the code.
    """
    nothing = None, {}, []
    if not path.is_file():
        return nothing
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get("version") != VERSION or about.get("key") not in keys:
                tell(f"{path} belongs to another run (other settings, data, code or version): training starts afresh")
                return nothing
            if about["key"] != keys[0]:
                tell(f"{path} was begun by an earlier version: training goes on from it; delete it to start afresh")
            state, kept = {}, {}
            for name in file.keys():  # noqa: SIM118
                kind, _, rest = name.partition("/")
                if kind == "state":
                    state[rest] = file.get_tensor(name)
                else:
                    epoch, _, weight = rest.partition("/")
                    kept.setdefault(int(epoch), {})[weight] = file.get_tensor(name)
            return state, dict(sorted(kept.items())), json.loads(about["records"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        tell(f"{path} cannot be read ({str(error).splitlines()[0]}): training starts afresh")
        return nothing
