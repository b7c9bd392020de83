"""Write the reproduction page: what was run, the verdicts on the paper's claims, ours beside the published."""

from pathlib import Path
from types import SimpleNamespace

from jinja2 import Template

from report import page, verdicts
from report.results import COLUMNS, Context
from report.settings import networks
from workflow_scripts.common.combining import combined
from workflow_scripts.common.files import write_text
from workflow_scripts.common.origin import commit
from workflow_scripts.common.records import TRAINING, read_datasets, read_json
from workflow_scripts.common.runner import call
from workflow_scripts.common.tables import benchmarked


def main(provenance, records, figures, captions, html, md, *, settings, differences, logs, **tables):
    """Write the page in two forms from paths: `provenance` of the data sets and `records` of the training runs [json],
    `figures` [svg, gif] with `captions` [rst], `logs` (a folder with the jobs' benchmark files), and the CSV files of
    the runs under the name of their tidy table.
    """
    frames = {name: combined(tables.get(name, []), name) for name in COLUMNS}
    context = Context(read_datasets(provenance), networks(settings), settings, differences)
    runs = [read_json(path, TRAINING) for path in records]
    claims = verdicts.judge(frames, context)
    content = page.content(
        frames,
        context,
        claims,
        runs=runs,
        seconds={"training": sum(run["seconds"] for run in runs), "other jobs": sum(benchmarked(logs, runs).values())},
        commit=commit(),
        figures=[described(*pair, settings) for pair in zip(figures, captions, strict=True)],
    )
    write_text(page.to_html(content), html)
    write_text(page.to_markdown(content), md)
    for claim in claims:
        print(f"claim {claim.key}: {claim.verdict}")


def described(figure, caption, settings):
    """Name, title and caption of a figure; the caption is the Snakemake report's."""
    name = Path(figure).stem
    text = Template(Path(caption).read_text(encoding="utf-8")).render(snakemake=SimpleNamespace(config=settings))
    title = f"Figure {name.removeprefix('fig')}" if name.startswith("fig") else name.capitalize()
    file = Path(figure).name if figure.endswith(".gif") else f"{name}.png"
    return {
        "name": name,
        "title": title,
        "caption": " ".join(text.replace("``", "").split()),
        "picture": figure,
        "still": str(Path(figure).with_suffix(".png")) if figure.endswith(".gif") else None,  # on paper
        "file": file,
    }


if __name__ == "__main__":
    call(main, snakemake)
