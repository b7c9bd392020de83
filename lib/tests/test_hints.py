"""Public functions say what they take and give."""

import importlib
import inspect
import pkgutil

import pytest

import lib

MODULES = [name for _, name, _ in pkgutil.walk_packages(lib.__path__, "lib.") if ".tests" not in name]


def public_functions():
    """Functions and methods of lib that are defined in its modules and have no leading underscore."""
    for module in map(importlib.import_module, MODULES):
        holders = [
            module,
            *(c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__),
        ]
        for holder in holders:
            for name, value in vars(holder).items():
                if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                    yield pytest.param(value, id=f"{module.__name__}.{value.__qualname__}")


@pytest.mark.parametrize("function", list(public_functions()))
def test_public_functions_have_type_hints(function):
    signature = inspect.signature(function)
    given = {name: parameter for name, parameter in signature.parameters.items() if name != "self"}
    bare = [name for name, parameter in given.items() if parameter.annotation is inspect.Parameter.empty]
    assert not bare and signature.return_annotation is not inspect.Signature.empty, bare
