"""torchvision, imported in the one place that knows how to bring it up beside a CPU build of torch.

The wheel of torchvision on PyPI is built for CUDA. Beside a CPU build of torch its compiled operators do not load, and
one line of its Python code, which describes the operators nms and qnms to torch, then ends the import with an error.
Data sets and transforms need neither, so both are declared (not implemented) and the import is tried again.
"""

import importlib
import sys

OPERATORS = ("nms", "qnms")
_declared = []  # torch withdraws a declaration when its Library is collected


def import_torchvision():
    """Return the module torchvision; on an installation that works this is a plain import.

    Raises ImportError, with the command that installs it, where there is none.
    """
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
        raise ImportError("torchvision is not installed: pip install torchvision, or use another source") from error
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
    _forget_failed_import()
    _declare_operators()
    return importlib.import_module("torchvision")


def _forget_failed_import():
    for name in list(sys.modules):
        if name == "torchvision" or name.startswith("torchvision."):
            del sys.modules[name]


def _declare_operators():
    # Only after the failure: where the compiled operators did load, a second declaration would be the error.
    if _declared:
        return
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in OPERATORS:
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)
