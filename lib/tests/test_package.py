"""The package passes its public functions on, without loading what they need before they are used."""

import inspect
import pkgutil
import pydoc
import subprocess
import sys

import pytest

import lib
import lib.data
from tests.workflow import ROOT

PUBLIC = {
    "attack_distances", "breaking_steps", "build", "cross_lipschitz_norms", "evaluate", "gradient_lengths",
    "hard_margin_svm", "linear_margins", "load", "margins_by_samples", "margins_with_errors", "pgd_l2",
    "robust_accuracy", "sampled_margins", "train", "withstands",
}  # fmt: skip
MODULES = [name for _, name, _ in pkgutil.walk_packages(lib.__path__, "lib.") if ".tests" not in name]
ABSENT = ("jinja2", "matplotlib", "mlxtend", "pandas", "safetensors", "seaborn", "snakemake", "tqdm")


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_all_names_the_public_functions():
    assert lib.__all__ == sorted(PUBLIC) and set(dir(lib)) >= PUBLIC | {"margins", "data", "__version__"}
    assert lib.data.__all__ == ["load"] and lib.data.load is lib.load
    with pytest.raises(AttributeError, match=r"module 'lib' has no attribute 'rubbish'"):
        _ = lib.rubbish
    with pytest.raises(AttributeError, match=r"module 'lib.data' has no attribute 'rubbish'"):
        _ = lib.data.rubbish


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_each_public_function_is_found_and_described(name):
    function = getattr(lib, name)
    assert inspect.isfunction(function) and function.__name__ == name and inspect.getdoc(function)
    heads = [line[:41].replace(",", " ").split() for line in lib.__doc__.splitlines() if line[39:41] == "  "]
    assert any(name in head for head in heads), "its line in the help of the package"


def test_help_reads_as_a_page():
    page = pydoc.render_doc(lib, renderer=pydoc.plaintext)
    assert all(f"    {name}(" in page for name in PUBLIC) and "gradient_floor: float = 0.0" in page


def test_the_package_loads_what_is_used_only():
    said = "import sys, lib; print(*sorted({'torch', 'numpy', 'sklearn'} & set(sys.modules)))"
    assert python(said) == []
    assert python(said.replace("lib;", "lib; lib.load;")) == ["numpy"]
    assert python("import lib; print(lib.margins.sampled_margins.__name__)") == ["sampled_margins"]


def test_names_are_the_same_under_the_name_of_the_installed_package(tmp_path):
    (tmp_path / "minavg").symlink_to(ROOT / "lib")
    alone = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.remove(''); import minavg;"
    found = python(f"{alone} from minavg import *; print(pgd_l2.__module__, load.__module__, minavg.data.load is load)")
    assert found == ["minavg.attacks", "minavg.data.sources", "True"]


def test_every_module_loads_without_what_only_the_workflow_needs():
    blocked = f"import sys; sys.modules.update(dict.fromkeys({ABSENT}));"
    assert python(f"{blocked} import importlib; [importlib.import_module(m) for m in {MODULES}]; print('loaded')")
