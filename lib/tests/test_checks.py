"""One warning for each slip, none for a sound model, and the same numbers with and without one."""

import warnings

import pytest
import torch
from torch import nn

from lib.attacks import pgd_l2, robust_accuracy
from lib.checks import warn_of_slips
from lib.margins import sampled_margins

X = torch.rand((8, 6), generator=torch.Generator().manual_seed(0))
Y = torch.arange(8) % 3


def classifier(*more):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3), *more).eval()


def constant():
    model = nn.Sequential(nn.Linear(6, 3))
    nn.init.zeros_(model[0].weight)
    return model


def said_of(model, x=X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_slips(model, x, pixels=True)
    return [str(w.message) for w in caught if "has no fast gradients" not in str(w.message)]


def test_a_sound_model_meets_no_warning():
    assert said_of(classifier()) == []
    assert said_of(nn.Sequential(nn.Linear(6, 3)).train()) == []  # the same in either mode


@pytest.mark.parametrize(
    ("model", "x", "words"),
    [
        (classifier(nn.Softmax(1)), X, "look like probabilities"),
        (nn.Sequential(nn.Linear(6, 3)), 255 * X, r"not in \[0, 1\]"),
        (classifier(), X - 0.5, r"not in \[0, 1\]"),
        (constant(), X, "gradients of 8 of 8 points are all zero"),
    ],
)
def test_each_slip_meets_one_line(model, x, words):
    said = said_of(model, x)
    assert len(said) == 1 and "\n" not in said[0]
    with pytest.warns(UserWarning, match=words):
        warnings.warn(said[0], stacklevel=1)


@pytest.mark.filterwarnings("ignore:.* has no fast gradients")
@pytest.mark.parametrize(
    "measure",
    [
        lambda model: sampled_margins(model, X, Y, samples=4),
        lambda model: robust_accuracy(model, X, Y, eps=(0.1,), iterations=10),
        lambda model: pgd_l2(model, X, Y, eps=0.1, iterations=10),
    ],
)
def test_the_estimator_and_the_attack_warn(measure):
    with pytest.warns(UserWarning, match="probabilities"):
        measure(classifier(nn.Softmax(1)))
