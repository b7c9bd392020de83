"""From tidy tables in files to a figure in files."""

from pathlib import Path

from report.plots import rendered
from report.results import Context
from workflow_scripts.common.combining import combined
from workflow_scripts.common.files import whole_file
from workflow_scripts.common.records import read_datasets


def draw(figure, tables, provenance, differences, outputs):
    """Draw `figure`, a function of tidy tables and a Context, and save it at each path, in the format of its suffix.

    tables: {name: [CSV files of its runs]}; provenance: the data sets' JSON files
    """
    frames = {name: combined(parts, name) for name, parts in tables.items()}
    drawn = figure(**frames, context=Context(read_datasets(provenance), {}, {}, differences))
    for path in outputs:
        save(drawn, path)


def save(figure, path):
    """Write `figure` to `path` as pdf, png or svg: the same bytes each time, or nothing."""
    content = rendered(figure, Path(path).suffix)
    with whole_file(path) as partial:
        partial.write_bytes(content)
