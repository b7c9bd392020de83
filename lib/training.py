"""One training loop for every model and objective: SGD with Nesterov momentum, data on the device (appendix A)."""

import math
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch

from .inputs import labels, points
from .models import LAYERS
from .objectives import PRECISIONS, add_penalty_gradient, batch_loss, penalty, retract

CHOICES = {"orthogonality": ("penalty", "retraction"), "layers": LAYERS, "precision": PRECISIONS}
CHOICES |= {"gradient": ("batch", "all")}
ERROR_BATCH = 1000  # images at once where only predictions are wanted
Array = np.ndarray | torch.Tensor


class Epoch(NamedTuple):
    """One line of the training curve. The loss is the mean cross-entropy over the epoch's batches, as they were
    trained on; errors are in percent, the training error over the same batches, the test error after the epoch."""

    epoch: int
    train_loss: float
    train_error: float
    test_error: float
    seconds: float


def train(
    model: torch.nn.Module, x_train: Array, y_train: Array, x_test: Array, y_test: Array, *, epochs: int,
    learning_rate: float = 0.01, momentum: float = 0.9, batch_size: int = 128, lam: float = 0.0, beta: float = 0.0,
    tau: float = torch.inf, orthogonality: str = "penalty", layers: str = "all", precision: str = "float32",
    gradient: str = "batch", seed: int = 0, resume: dict[str, torch.Tensor] | None = None,
) -> Iterator[tuple[Epoch, dict[str, torch.Tensor]]]:  # fmt: skip
    """Train `model` in place on eq. (4) and yield (Epoch, state) after each epoch.

    Images uint8 (n, h, w, channels) or float in [0, 1] (n, channels, h, w), labels (n,). They are moved to the
    model's device once. `state` is a flat dict of tensors; given back as `resume`, with the same arguments, the run
    goes on to the same bits as an uninterrupted one on the same machine; on a GPU, where torch's algorithms are told to
    be deterministic. `seed` decides the order of the batches, and what dropout drops.
    orthogonality: "penalty" (the last term of eq. (4)) or "retraction" (the step of Cisse et al. 2017 with the
    same beta), of `layers`: "all", or "linear", which leaves convolutions out; precision: "float32", the model's own,
    or "bfloat16" for that term's products of matrices. gradient: of a "batch", or of "all" images in each of the
    epoch's steps, which is gradient descent. Raises FloatingPointError, naming the epoch, where the loss or a weight
    is no longer finite.

    >>> import minavg, torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2, 2))
    >>> x, y = torch.eye(2)[:, None, None], torch.arange(2)  # two images of 1 x 2 pixels
    >>> epoch, state = list(minavg.train(model, x, y, x, y, epochs=100, learning_rate=0.1))[-1]
    >>> epoch.epoch, epoch.test_error
    (100, 0.0)
    """
    for value, (name, known) in zip((orthogonality, layers, precision, gradient), CHOICES.items(), strict=True):
        if value not in known:
            raise ValueError(f"{name} is {value!r}: choose {' or '.join(known)}")
    device, dtype = (first := next(model.parameters())).device, first.dtype
    if device.type == "cpu":
        model.to(memory_format=torch.channels_last)  # a fifth faster in the CNN
    x_train, x_test = (points(x, dtype, device).to(device) for x in (x_train, x_test))
    with torch.no_grad():
        classes = model.eval()(x_test[:1]).shape[1]
    y_train, y_test = (labels(y, len(x), classes, device) for x, y in ((x_train, y_train), (x_test, y_test)))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=learning_rate, momentum=momentum, nesterov=momentum > 0, fused=True
    )
    order = torch.Generator().manual_seed(seed)
    first = 1 if resume is None else _restore(model, optimizer, order, resume) + 1
    for epoch in range(first, epochs + 1):
        start = perf_counter()
        total = torch.zeros(2, dtype=torch.float64, device=device)  # cross-entropy, errors: read once an epoch
        model.train()
        batches = torch.randperm(len(x_train), generator=order).to(device).split(batch_size)
        whole, steps = gradient == "all", len(batches)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed((seed * 1_000_003 + epoch) % 2**63)  # for what dropout drops
            for batch in [slice(None)] * steps if whole else batches:
                x, y = x_train[batch], y_train[batch]
                loss, entropy, logits = batch_loss(model, x, y, lam=lam, tau=tau)
                if beta and orthogonality == "penalty":
                    loss = loss + beta * penalty(model, layers, folded_only=True)
                optimizer.zero_grad()
                loss.backward()
                if beta and orthogonality == "penalty":
                    add_penalty_gradient(model, beta, layers, precision)
                optimizer.step()
                if beta and orthogonality == "retraction":
                    retract(model, beta, layers, precision)
                total += torch.stack([entropy.double() * len(y), (logits.argmax(1) != y).sum().double()])
        train_loss, train_error = (total / len(x_train) / (steps if whole else 1)).tolist()
        if not math.isfinite(train_loss) or not all(p.isfinite().all() for p in model.parameters()):
            raise FloatingPointError(
                f"training diverged: in epoch {epoch} the loss ({train_loss}) or a weight is no longer finite; "
                "lower learning_rate"
            )
        test_error = error(model, x_test, y_test)
        record = Epoch(epoch, train_loss, 100 * train_error, test_error, perf_counter() - start)
        yield record, _state(epoch, model, optimizer, order)


@torch.no_grad()
def error(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share of points that `model` classifies wrongly, in percent; x and y as in `train`, on its device."""
    model.eval()
    batches = zip(x.split(ERROR_BATCH), y.split(ERROR_BATCH), strict=True)
    wrong = sum((model(a).argmax(1) != b).sum() for a, b in batches)
    return 100 * wrong.item() / len(y)


def _state(epoch, model, optimizer, order):
    buffers = {f"momentum.{name}": optimizer.state[p].get("momentum_buffer") for name, p in model.named_parameters()}
    return {
        "epoch": torch.tensor(epoch),
        "order": order.get_state(),
        **{f"model.{name}": tensor for name, tensor in model.state_dict().items()},
        **{name: buffer for name, buffer in buffers.items() if buffer is not None},
    }


def _restore(model, optimizer, order, state):
    model.load_state_dict({name.removeprefix("model."): t for name, t in state.items() if name.startswith("model.")})
    for name, parameter in model.named_parameters():
        if (buffer := state.get(f"momentum.{name}")) is not None:
            optimizer.state[parameter]["momentum_buffer"] = torch.empty_like(parameter).copy_(buffer)
    order.set_state(state["order"].cpu())
    return int(state["epoch"])
