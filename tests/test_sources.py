"""The files that a rule rests on are found by following the imports of its script, and are neither more nor fewer."""

import ast
import re

import pytest

from rules.sources import PACKAGES, PLUMBING, sources_of
from tests.workflow import ROOT

FIGURES = {f"fig{number}" for number in range(1, 8)}
SUPPLEMENT = {f"figS{number}" for number in range(1, 5)}
TABLES = {"table1", "table1_strong"}
OVERVIEW, TRAINING = {"overview"}, {"training"}
MEASURED = {"margins", "margins_linear", "svm", "convergence", "bracket", "attack", "attack_strong", "masking"}
DRAWN = FIGURES | SUPPLEMENT | OVERVIEW | TRAINING
EDITS = {  # a file, and the rules whose scripts reach it
    "lib/__init__.py": set(),
    "lib/data/__init__.py": set(),
    "workflow_scripts/common/device.py": set(),
    "workflow_scripts/common/files.py": set(),
    "workflow_scripts/common/job.py": set(),
    "workflow_scripts/common/runner.py": set(),
    "lib/data/torchvision_files.py": {"data"},
    "lib/data/arrays.py": {"data", "points", "train"} | MEASURED | TRAINING,
    "workflow_scripts/common/evaluated.py": {"points", "convergence", "margins"},
    "lib/models.py": {"train"} | MEASURED | TRAINING,
    "lib/training.py": {"train"},
    "workflow_scripts/common/resume.py": {"train"},
    "lib/pullback.py": MEASURED | TRAINING,
    "lib/checks.py": MEASURED | TRAINING,
    "lib/inputs.py": MEASURED | {"train"} | TRAINING,
    "lib/gradients.py": {"margins", "margins_linear", "svm", "convergence"} | TRAINING,
    "lib/margins.py": {"margins", "margins_linear", "svm", "convergence"} | TRAINING,
    "lib/svm.py": {"svm"},
    "lib/attacks.py": {"attack", "attack_strong", "masking", "bracket"},
    "lib/minimum_norm.py": {"attack_strong", "bracket"},
    "lib/strong_attack.py": {"attack_strong"},
    "workflow_scripts/common/point_tables.py": MEASURED - {"masking"},
    "workflow_scripts/common/tables.py": {"combine"} | DRAWN | TABLES | {"reproduction"},
    "workflow_scripts/common/combining.py": {"combine"} | DRAWN | TABLES | {"reproduction"},
    "workflow_scripts/margins.py": {"margins"},
    "report/results.py": {"combine"} | DRAWN | TABLES | {"reproduction"},
    "report/plots.py": DRAWN,
    "report/figures.py": FIGURES,
    "report/supplement.py": SUPPLEMENT,
    "report/overview.py": OVERVIEW,
    "report/film.py": TRAINING,
    "workflow_scripts/training.py": TRAINING,
    "report/table1.py": TABLES | {"reproduction"},
    "report/published.csv": TABLES | {"reproduction"},
    "report/verdicts.py": {"reproduction"},
    "report/templates/choices.j2": {"reproduction"},
    "report/templates/table1.html.j2": TABLES | {"reproduction"},
}
SCRIPTS = {path.stem: [f"workflow_scripts/{path.name}"] for path in (ROOT / "workflow_scripts").glob("*.py")}
RULES = {rule: SCRIPTS[rule] for rule in SCRIPTS if rule not in ("figures", "table1", "reference")}
RULES |= {figure: [*SCRIPTS["figures"], "report/figures.py"] for figure in FIGURES}
RULES |= {figure: [*SCRIPTS["figures"], "report/supplement.py"] for figure in SUPPLEMENT}
RULES |= dict.fromkeys(TABLES, SCRIPTS["table1"])
RULES |= {"overview": [*SCRIPTS["figures"], "report/overview.py"]}


@pytest.mark.parametrize("path", EDITS)
def test_a_rule_rests_on_a_file_where_its_script_reaches_it(path):
    found = {rule for rule, roots in RULES.items() if any(path in sources_of(ROOT, root) for root in roots)}
    assert found == EDITS[path]


def test_each_rule_follows_the_files_of_its_own_script_by_age_and_by_content():
    """But for rule data: what its script reads decides, of which test_reruns tells."""
    rules = [
        rule for path in (ROOT / "rules").glob("*.smk") for rule in re.split(r"\n *rule ?\w*:\n", path.read_text())[1:]
    ]
    for rule in rules:
        script = re.search(r'script:\s+"\.\./workflow_scripts/(\w+)\.py"', rule)[1]
        asked = re.findall(r'code=(?:sources|content|resting)\("(\w+)"', rule)
        assert asked == ([] if script == "data" else [script, script]), script


def test_every_param_carries_its_name():
    """Snakemake compares the values of params as a set: two that swapped theirs would plan nothing."""
    for path in (ROOT / "rules").glob("*.smk"):
        assert not re.findall(r"^ *params:\n(?! *\*\*by_name\().*", path.read_text(), re.MULTILINE), path


def test_all_imports_of_a_job_are_followed(tmp_path):
    files = {
        "lib/a.py": "import numpy\nfrom .b import one\n",
        "lib/b.py": "def later():\n    import lib.c\n",
        "lib/c.py": "TABLE = 'table.csv'\n",
        "lib/table.csv": "1\n",
        "lib/unused.py": "",
        "report/page.py": "from report import words\nfrom . import more\nNAME = 'page.j2'\n",
        "report/words.py": "",
        "report/more.py": "",
        "report/templates/page.j2": '{% include "style.j2" %}',
        "report/templates/style.j2": "",
        "workflow_scripts/job.py": "from lib.a import x\nfrom report import page\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert sources_of(tmp_path, "workflow_scripts/job.py") == sorted(files.keys() - {"lib/unused.py"})


def test_a_name_imported_from_a_package_is_refused(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text("")
    (tmp_path / "job.py").write_text("from lib import train\n")
    with pytest.raises(ValueError, match=r"job\.py imports lib\.train, which is no module: import names from their"):
        sources_of(tmp_path, "job.py")


def test_packages_pass_names_on_and_do_nothing_else():
    for path in [path for room in PACKAGES for path in (ROOT / room).rglob("__init__.py")]:
        allowed = ast.Expr | ast.FunctionDef | ast.Assign | ast.ImportFrom
        assert all(isinstance(node, allowed) for node in ast.parse(path.read_text()).body), path


def test_the_plumbing_is_there():
    assert all((ROOT / path).is_file() for path in PLUMBING)
