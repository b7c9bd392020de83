import importlib
import sys
from types import ModuleType

import pytest

from lib.data import torchvision_files

MISMATCH = "operator torchvision::nms does not exist"


@pytest.fixture
def fake_import(monkeypatch):
    """Replace the import of torchvision by a function of the test, and record its calls and declarations."""
    calls, declared = [], []

    def install(attempt):
        def import_module(name):
            assert name == "torchvision"
            calls.append(name)
            return attempt(len(calls))

        monkeypatch.setattr(importlib, "import_module", import_module)
        monkeypatch.setattr(torchvision_files, "_declare_operators", lambda: declared.append(set(sys.modules)))
        return calls, declared

    return install


def test_this_machine_reads_mnist():
    torchvision = torchvision_files.import_torchvision()
    assert torchvision.datasets.MNIST.__name__ == "MNIST"
    assert torchvision_files.import_torchvision() is torchvision
    assert len(torchvision.datasets.FakeData(size=3)) == 3


def test_a_working_installation_is_left_alone(fake_import):
    module = ModuleType("torchvision")
    calls, declared = fake_import(lambda _: module)
    assert torchvision_files.import_torchvision() is module
    assert len(calls) == 1 and declared == []


def test_mismatched_builds_are_brought_up_at_the_second_attempt(fake_import, monkeypatch):
    module = ModuleType("torchvision")
    monkeypatch.setitem(sys.modules, "torchvision", ModuleType("half"))
    monkeypatch.setitem(sys.modules, "torchvision.half", ModuleType("half"))
    monkeypatch.setitem(sys.modules, "torchvision_other", ModuleType("torchvision_other"))

    def attempt(number):
        if number == 1:
            raise RuntimeError(MISMATCH)
        return module

    calls, declared = fake_import(attempt)
    assert torchvision_files.import_torchvision() is module
    assert len(calls) == 2
    (modules,) = declared  # once, with the half-imported modules gone and nothing else
    assert "torchvision_other" in modules and not {"torchvision", "torchvision.half"} & modules
    monkeypatch.undo()


def test_other_errors_pass(fake_import):
    def fail(_):
        raise RuntimeError("CUDA driver is too old")

    _, declared = fake_import(fail)
    with pytest.raises(RuntimeError, match="driver is too old"):
        torchvision_files.import_torchvision()
    assert declared == []


def test_the_remedy_is_tried_once(fake_import):
    def fail(_):
        raise RuntimeError(MISMATCH)

    calls, _ = fake_import(fail)
    with pytest.raises(RuntimeError, match="nms does not exist"):
        torchvision_files.import_torchvision()
    assert len(calls) == 2


@pytest.mark.parametrize(("absent", "kind"), [("torchvision", ImportError), ("numpy", ModuleNotFoundError)])
def test_a_missing_torchvision_is_named(fake_import, absent, kind):
    def fail(_):
        raise ModuleNotFoundError(f"No module named {absent!r}", name=absent)

    fake_import(fail)
    with pytest.raises(kind, match="pip install torchvision" if absent == "torchvision" else "numpy"):
        torchvision_files.import_torchvision()
