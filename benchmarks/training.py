"""Training: our loop with the data on the device beside the usual loop with a DataLoader, and the three methods."""

from functools import partial

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from lib.data.sources import load
from lib.models import CLASSES, SHAPES, build
from lib.training import train
from report.results import MODELS, OFFICIAL
from report.settings import objective_of, sgd_of

from .timing import OURS, measure, rates

RANDOM_IMAGES = {"lr": 4000, "mlp": 2000, "cnn": 256}  # in place of CIFAR-10: the speed does not depend on them
USUAL = "DataLoader"
TARGETS = {"mlp": 3, "cnn": 1.2}  # of ours over the usual loop
COST = 3  # of lcr and amr, at most this many times std


def compare(dataset, model_name, methods, config, device, scale, seconds, clock):
    """Return (rows, {method: images per second of ours}) for the configured methods of one network.

    A run is an epoch with the test error after it. The usual loop is timed for MNIST's networks, std.
    """
    item = f"training, {OFFICIAL[dataset]} {MODELS[model_name]}"
    images = _images(dataset, model_name, scale)
    n = len(images[0])
    names = {method: OURS if method == "std" else f"ours, {method}" for method in methods}
    sgd = sgd_of(config, dataset, model_name)
    epochs = {
        names[method]: train(
            build(dataset, model_name).to(device), *images, epochs=10**9, **sgd,
            **objective_of(config, dataset, model_name, method),
        )
        for method in methods
    }  # fmt: skip
    targets = {names[method]: ("<=", COST) for method in methods if method != "std" and model_name != "lr"}
    if dataset == "mnist" and model_name in TARGETS:
        for workers in (0, 2):
            name = f"{USUAL}, {workers} workers"
            epochs[name] = usual_epochs(
                build(dataset, model_name).to(device), *images, workers=workers, batch_size=sgd["batch_size"],
                learning_rate=sgd["learning_rate"], momentum=sgd["momentum"],
            )  # fmt: skip
            targets[name] = (">=", TARGETS[model_name])
    times = measure({name: partial(next, run) for name, run in epochs.items()}, seconds, clock)
    what = "digits" if dataset.startswith("mnist") else "random images"
    notes = dict.fromkeys(times, f"an epoch is {n:,} {what} here")
    table = rates(item, times, dict.fromkeys(times, 1), "epochs/s", targets=targets, notes=notes)
    speed = {row["method"]: n * row["value"] for row in table}
    return table, {method: speed[name] for method, name in names.items()}


class Images(Dataset):
    """Images uint8 (n, h, w, c) that become float tensors one by one, as torchvision's ToTensor does it."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        image = torch.from_numpy(self.x[i].transpose(2, 0, 1)).contiguous().float().div(255)
        return image, int(self.y[i])


def usual_epochs(model, x_train, y_train, x_test, y_test, *, workers, batch_size, learning_rate, momentum):
    """Train as the tutorials do, and yield the mean loss and the test error (percent) after each epoch."""
    device = next(model.parameters()).device
    pinned = {"num_workers": workers, "persistent_workers": workers > 0, "pin_memory": device.type == "cuda"}
    batches = DataLoader(Images(x_train, y_train), batch_size=batch_size, shuffle=True, **pinned)
    tests = DataLoader(Images(x_test, y_test), batch_size=1000, **pinned)
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=momentum, nesterov=True)
    while True:
        model.train()
        total = wrong = 0.0
        for images, labels in batches:
            x, y = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        model.eval()
        with torch.no_grad():
            for images, labels in tests:
                x, y = images.to(device), labels.to(device)
                wrong += (model(x).argmax(1) != y).sum().item()
        yield total / len(x_train), 100 * wrong / len(x_test)


def _images(dataset, model_name, scale):
    """x_train, y_train, x_test, y_test: the embedded digits, or random images of CIFAR-10's shape."""
    if dataset.startswith("mnist"):
        train_x, train_y, test_x, test_y, _ = load(dataset, source="embedded")
        n = max(8, int(len(train_x) * scale))
        return train_x[:n], train_y[:n], test_x[: n // 4], test_y[: n // 4]
    rng = np.random.default_rng(0)
    n = max(8, int(RANDOM_IMAGES[model_name] * scale))
    c, h, w = SHAPES[dataset]
    x = rng.integers(0, 256, (n + n // 4, h, w, c), dtype=np.uint8)
    y = rng.integers(0, CLASSES[dataset], n + n // 4, dtype=np.uint8)
    return x[:n], y[:n], x[n:], y[n:]
