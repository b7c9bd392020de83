"""Templates filled in: the files of templates/ with texts, and nothing escaped but HTML."""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


def render(template, content):
    """Return the text of a file of templates/, such as "table1.html.j2", with the values of the dict `content`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["embedded"] = _embedded
    text = environment.get_template(template).render(content)
    return text.replace("ε = ", "ε\u00a0=\u00a0") if template.endswith("html.j2") else text  # stays on one line


def _embedded(path):
    kind = {".svg": "svg+xml", ".gif": "gif", ".png": "png"}[Path(path).suffix]
    return f"data:image/{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
