"""Train one network: checkpoints, training curve, and a record of how they came about."""

import platform
from functools import partial
from pathlib import Path
from time import monotonic

import pandas as pd
import torch

from lib.data.arrays import digest, read_arrays
from lib.models import build
from lib.training import Epoch, train
from workflow_scripts.common import resume
from workflow_scripts.common.checkpoints import save
from workflow_scripts.common.device import arithmetic, pick_device, warn_of_slow_products
from workflow_scripts.common.files import discard, write_json, write_table
from workflow_scripts.common.job import progress_bar, tell
from workflow_scripts.common.origin import commit
from workflow_scripts.common.runner import call

LATER = {"layers": "all", "precision": "float32", "gradient": "batch", "dropout": 0}  # before these could be set
SAVE_SECONDS = 20  # between two states to go on from; a killed run loses no more than that


def main(data, checkpoints, curve, record, run, *, objective, epochs, keep, dropout, sgd, device, code=()):
    """Train `run` and write its three files: the weights after the epochs in `keep`, a line an epoch, how it was done.

    objective: lam, beta, tau, orthogonality, layers and precision of eq. (4); sgd: learning_rate, momentum,
    batch_size, gradient; code: the files that decide the result: changed, an unfinished training starts afresh.
    """
    device = pick_device(device)
    warn_of_slow_products(objective.get("precision"), device)
    images = read_arrays(data)
    model = build(run.dataset, run.model, seed=run.seed, dropout=dropout).to(device)
    tau = torch.inf if objective["tau"] is None else objective["tau"]
    settings = sgd | objective | {"tau": tau, "epochs": epochs}
    unfinished = Path(checkpoints).with_name("unfinished.safetensors")
    identity = partial(identity_of, run, settings | {"dropout": dropout}, digest(*images.values()), device.type)
    keys = [identity(code=code), identity(), identity(keep=keep)]  # the others are of earlier versions
    kept, records = followed(model, images, run, settings, set(keep), unfinished, keys)
    table = pd.DataFrame(records).drop(columns="seconds")
    for position, (name, value) in enumerate(run._asdict().items()):
        table.insert(position, name, value)
    save(checkpoints, kept, run._asdict())
    write_table(table, curve)
    about = run._asdict() | {"objective": objective, "epochs": epochs, **sgd, "dropout": dropout}
    about |= {"seconds": sum(epoch.seconds for epoch in records), "device": device_name(device)} | arithmetic(device)
    about |= {"torch": torch.__version__, "python": platform.python_version(), "commit": commit()}
    write_json(about, record)
    discard(unfinished)


def identity_of(run, settings, data, device, code=(), keep=None):
    """What tells an unfinished training from others: all that decides its bits.

    code: files; earlier versions did not count them in, but `keep`, the epochs whose weights it keeps
    """
    settings = {name: value for name, value in settings.items() if value != LATER.get(name)}
    decisive = {"data": data, "torch": torch.__version__, "device": device}
    if code:
        decisive["code"] = [Path(path).read_text(encoding="utf-8") for path in code]
    if keep is not None:
        decisive["keep"] = sorted(keep)
    return resume.fingerprint(**run._asdict(), **settings, **decisive)


def earlier(run, keep, unfinished, keys):
    """Return (state, kept, records) of the call that was cut off, (None, {}, []) where there is nothing to go on from.

    It may have kept other epochs than are wanted now, as long as it has those that it has passed.
    """
    state, kept, records = resume.load(unfinished, keys)
    passed = {epoch for epoch in keep if epoch <= len(records)}
    if absent := sorted(passed - set(kept)):
        tell(f"{run}: {unfinished} has no weights of epoch {', '.join(map(str, absent))}: training starts afresh")
        return None, {}, []
    return state, {epoch: kept[epoch] for epoch in sorted(passed)}, [Epoch(*record) for record in records]


def followed(model, images, run, settings, keep, unfinished, keys):
    """Train the model from where an earlier call stopped: ({epoch: weights} of the kept epochs, [Epoch])."""
    before, kept, records = earlier(run, keep, unfinished, keys)
    saved, epochs = monotonic(), settings["epochs"]
    if before is not None:
        print(f"going on after epoch {records[-1].epoch} of an earlier call")
    bar = progress_bar(epochs, f"train {run}", "epoch", len(records))
    for epoch, state in train(model, **images, seed=run.seed, resume=before, **settings):
        records.append(epoch)
        if epoch.epoch in keep:
            kept[epoch.epoch] = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}
        print(
            f"epoch {epoch.epoch}/{epochs}  loss {epoch.train_loss:.6f}  train error {epoch.train_error:.2f} %  "
            f"test error {epoch.test_error:.2f} %  {epoch.seconds:.2f} s"
        )
        bar.set_postfix_str(f"loss {epoch.train_loss:.4f}, test error {epoch.test_error:.2f} %", refresh=False)
        bar.update()
        if monotonic() - saved > SAVE_SECONDS:
            resume.save(unfinished, state, kept, records, keys[0])
            saved = monotonic()
    bar.close()
    return kept, records


def device_name(device):
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()


if __name__ == "__main__":
    call(main, snakemake)
