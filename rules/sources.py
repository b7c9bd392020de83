"""The files that a script rests on, found by following its imports: where one of them changes, its rule runs again."""

import ast
import hashlib
import re
from functools import cache
from pathlib import Path

PACKAGES = ("lib", "report", "workflow_scripts")
WITHOUT_RESULTS = ("device", "files", "job", "origin", "runner")  # their changes change none
PLUMBING = {f"workflow_scripts/common/{name}.py" for name in WITHOUT_RESULTS}


@cache
def sources_of(project, script):
    """Return the files below the folder `project` on which `script` rests, itself included, relative to it and sorted.

    Imports of PACKAGES are followed at any depth, those inside functions too. A string that names a file beside a
    module, or a template, is one as well. The __init__.py of a package, which only passes names on, is not: ValueError
    where a name is imported from a package instead of its module, since then nobody would know what it rests on.
    """
    found, left = set(), [Path(script)]
    while left:
        path = left.pop()
        if path in found or path.as_posix() in PLUMBING:
            continue
        found.add(path)
        text = (project / path).read_text(encoding="utf-8")
        left += imported(project, path, ast.parse(text)) if path.suffix == ".py" else included(project, path, text)
    return sorted(path.as_posix() for path in found)


def digest(paths):
    """Return what tells the names and bytes of some files from those of others."""
    each = [[Path(path).name, hashlib.sha256(Path(path).read_bytes()).hexdigest()] for path in paths]
    return hashlib.sha256(repr(each).encode()).hexdigest()[:16]


def imported(project, path, tree):
    """The modules of the project that a module imports, and the files that its strings name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in PACKAGES:
                    yield module(project, alias.name.split("."), path)
        elif isinstance(node, ast.ImportFrom):
            above = path.parts[: len(path.parts) - node.level] if node.level else ()
            parts = [*above, *(node.module.split(".") if node.module else ())]
            if parts[0] in PACKAGES:
                folder = (project / Path(*parts)).is_dir()
                yield from (module(project, [*parts, a.name] if folder else parts, path) for a in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"[\w.]+", node.value):
            yield from beside(project, path, node.value)


def module(project, parts, importer):
    path = Path(*parts).with_suffix(".py")
    if not (project / path).is_file():
        raise ValueError(f"{importer} imports {'.'.join(parts)}, which is no module: import names from their module")
    return path


def included(project, path, text):
    """The templates that a template takes in."""
    for name in re.findall(r'{% *(?:include|from|import|extends) "([\w.]+)"', text):
        yield from beside(project, path, name)


def beside(project, path, name):
    for folder in (path.parent, path.parent / "templates"):
        if (project / folder / name).is_file() and not name.endswith(".py"):
            yield folder / name
