"""Train one network: checkpoints, training curve, and a record of how they came about."""

import json
import platform
from pathlib import Path
from time import monotonic

import pandas as pd
import torch

from lib import resume
from lib.checkpoints import save
from lib.data import digest, read_arrays
from lib.job import pick_device, progress_bar, whole_file
from lib.models import build
from lib.training import Epoch, train

SAVE_SECONDS = 20  # between two states to go on from; a killed run loses no more than that


def main(data, checkpoints, curve, run, *, key, objective, epochs, keep, sgd, device):
    """Train the run `key` (dataset, model, method, seed) and write its three files."""
    device = pick_device(device)
    images = read_arrays(data)
    model = build(key["dataset"], key["model"], seed=key["seed"]).to(device)
    rule = sgd | {"lam": objective["lam"], "beta": objective["beta"], "orthogonality": objective["orthogonality"]}
    rule |= {"tau": torch.inf if objective["tau"] is None else objective["tau"], "epochs": epochs}
    decisive = {
        "keep": sorted(keep),
        "data": digest(*images.values()),
        "torch": torch.__version__,
        "device": str(device),
    }
    identity = resume.fingerprint(**key, **rule, **decisive)
    unfinished = Path(checkpoints).with_name("unfinished.safetensors")
    before, kept, records = resume.load(unfinished, identity)
    records, saved = [Epoch(*record) for record in records], monotonic()
    if before is not None:
        print(f"going on after epoch {records[-1].epoch} of an earlier call")
    bar = progress_bar(epochs, f"train {'/'.join(map(str, key.values()))}", "epoch", len(records))
    for record, state in train(model, **images, seed=key["seed"], resume=before, **rule):
        records.append(record)
        if record.epoch in keep:
            kept[record.epoch] = {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}
        print(
            f"epoch {record.epoch}/{epochs}  loss {record.train_loss:.6f}  train error {record.train_error:.2f} %  "
            f"test error {record.test_error:.2f} %  {record.seconds:.2f} s"
        )
        bar.set_postfix_str(f"loss {record.train_loss:.4f}, test error {record.test_error:.2f} %", refresh=False)
        bar.update()
        if monotonic() - saved > SAVE_SECONDS:
            resume.save(unfinished, state, kept, records, identity)
            saved = monotonic()
    bar.close()
    seconds = sum(record.seconds for record in records)
    about = key | {"objective": objective, "epochs": epochs, **sgd, "seconds": seconds}
    about |= {"device": device_name(device), "torch": torch.__version__, "python": platform.python_version()}
    write(checkpoints, curve, run, key, kept, records, about)
    resume.remove(unfinished)


def write(checkpoints, curve, run, key, kept, records, about):
    table = pd.DataFrame(records).drop(columns="seconds")
    for position, (name, value) in enumerate(key.items()):
        table.insert(position, name, value)
    save(checkpoints, kept, key)
    with whole_file(curve) as path:
        table.to_csv(path, index=False)
    write_json(about, run)


def write_json(about, path):
    with whole_file(path) as partial:
        partial.write_text(json.dumps(about, indent=2) + "\n")


def device_name(device):
    return torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    wildcards = snakemake.wildcards
    main(
        snakemake.input.data,
        *(snakemake.output.checkpoints, snakemake.output.curve, snakemake.output.run),
        key={
            "dataset": wildcards.dataset,
            "model": wildcards.model,
            "method": wildcards.method,
            "seed": int(wildcards.seed),
        },
        objective=snakemake.params.objective,
        epochs=snakemake.params.epochs,
        keep=set(snakemake.params.keep),
        sgd=snakemake.params.sgd | {"batch_size": snakemake.params.batch_size},
        device=snakemake.params.device,
    )
