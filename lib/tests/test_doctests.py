"""The examples in the documentation run as users would type them, from the package minavg."""

import doctest
import importlib
import sys

import pytest
import torch

import lib

SHOWN = {"lib": 1, "lib.attacks": 2, "lib.evaluation": 1, "lib.margins": 1, "lib.minimum_norm": 1, "lib.svm": 1}
SHOWN["lib.training"] = 1


@pytest.mark.parametrize("name", SHOWN)
def test_examples(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "minavg", lib)  # the name of the installed package
    torch.manual_seed(0)
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0
    assert sum(bool(found.examples) for found in doctest.DocTestFinder().find(module)) == SHOWN[name]
