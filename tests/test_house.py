"""The house keeps its rooms: who may import whom, how long a file may be, how a script ends, what a rule tells."""

import ast
import re

import pytest

from tests.workflow import ROOT, snakemake

ROOMS = {  # what the modules of a room may import of the project
    "lib": {"lib"},
    "report": {"report", "lib.data.names"},
    "workflow_scripts": {"workflow_scripts", "report", "lib"},
    "rules": {"report", "rules", "workflow_scripts", "lib"},
    "benchmarks": {"benchmarks", "lib", "report", "workflow_scripts"},
}
MODULES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if "tests" not in path.parts]
HEAVY = {"lib": {"matplotlib", "seaborn", "jinja2", "safetensors", "pandas"}, "report": {"torch", "safetensors"}}
OURS = {*ROOMS, "tests"}


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path, everywhere=True):
    """The absolute names of the modules that a module imports, only at its head or anywhere."""
    tree = ast.parse(path.read_text())
    package = path.parent.relative_to(ROOT).parts
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = (ROOT / base.replace(".", "/") / f"{alias.name}.py").is_file()
                yield f"{base}.{alias.name}" if inner else base


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_room_may(path):
    room = path.relative_to(ROOT).parts[0]
    for name in imports(path):
        if name.split(".")[0] in OURS:
            assert any(name == allowed or name.startswith(f"{allowed}.") for allowed in ROOMS[room]), name
    heads = {name.split(".")[0] for name in imports(path, everywhere=False)}
    assert not heads & HEAVY.get(room, set())


def test_no_module_imports_itself_in_a_circle():
    edges = {name_of(path): {name for name in imports(path) if name.split(".")[0] in OURS} for path in MODULES}
    done = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for other in edges.get(name, ()):
                visit(other, [*trail, name])
            done.add(name)

    for name in edges:
        visit(name, [])


def test_no_file_is_longer_than_a_room_should_be():
    files = [path for pattern in ("**/*.py", "rules/*.smk", "Snakefile") for path in ROOT.glob(pattern)]
    files = [path for path in files if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    assert len(files) > 100 and not {path: n for path in files if (n := len(path.read_text().splitlines())) > 300}
    package = [path for path in (ROOT / "lib").rglob("*.py") if "tests" not in path.parts]
    assert sum(len(path.read_text().splitlines()) for path in package) <= 2880


@pytest.mark.parametrize("script", sorted((ROOT / "workflow_scripts").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_a_script_ends_in_one_line(script):
    assert script.read_text().endswith('\n\nif __name__ == "__main__":\n    call(main, snakemake)\n')


def test_each_rule_says_what_it_does():
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    rules = re.findall(r"^ *rule ?\w*:\n +(.*)$", text, re.MULTILINE)
    assert len(rules) > 15 and all(re.fullmatch(r'"""[A-Z].*\."""', line) for line in rules)
    listed = snakemake(ROOT, "--list-rules")
    assert "Sample the margins of one network at one checkpoint." in listed
