"""Threads of the user's own that measure one model at a time, in training mode: each gets the answer of eval mode."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep

import pytest
import torch
from torch import nn

from lib import attack_distances, gradient_lengths, sampled_margins

X = torch.rand((6, 1, 4, 4), generator=torch.Generator().manual_seed(0))
Y = torch.arange(6) % 4


class Slow(nn.Module):
    """Takes its time, so that calls overlap, and answers otherwise in training mode."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        sleep(0.002)
        return self.head(self.body(x))


MEASURES = {
    "margins": lambda model: sampled_margins(model, X, Y, samples=4, seeds=range(6), radius=1.0),
    "distances": lambda model: attack_distances(model, X, steps=5),
    "lengths": lambda model: gradient_lengths(model, X, Y),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_calls_on_one_model_in_training_mode_take_turns():
    torch.manual_seed(0)
    model = Slow().train()
    with torch.no_grad():
        model(X)  # statistics unlike the first ones
    state = {name: value.clone() for name, value in model.state_dict().items()}
    expected = {name: measure(model.eval()) for name, measure in MEASURES.items()}
    model.train()
    names, together = [*MEASURES] * 2, Barrier(6)

    def measured(name):
        together.wait()
        return MEASURES[name](model)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(measured, names))
    for name, values in zip(names, found, strict=True):
        torch.testing.assert_close(values, expected[name])
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_progress_measures_does_not_wait_for_the_call_that_tells_it():
    torch.manual_seed(0)
    model, told = Slow().train(), []
    sampled_margins(
        model,
        X,
        Y,
        samples=4,
        seeds=range(6),
        radius=1.0,
        progress=lambda *at: told.append(gradient_lengths(model, X, Y)),
    )
    expected = gradient_lengths(model.eval(), X, Y)
    assert len(told) == 6 and all(torch.equal(lengths, expected) for lengths in told)
