"""Write the reproduction page: what was run, the verdicts on the paper's claims, ours beside the published."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
from jinja2 import Template

from lib import pages, verdicts
from lib.job import whole_file

RUN = ["dataset", "model", "method", "seed"]
COLUMNS = {  # of a table that no rule makes under this config
    "curves": [*RUN, "epoch", "train_loss", "train_error", "test_error"],
    "margins": [*RUN, "epoch", "split", "index", "label", "prediction", "margin"],
    "summary": [*RUN, "epoch", "split", "points", "minimum", "average"],
    "svm": ["split", "index", "label", "prediction", "margin"],
    "attacks": [*RUN, "index", "label", "eps", "broken_at", "held"],
    "strong": [*RUN, "index", "label", "gradient", "eps", "held"],
    "brackets": [*RUN, "epoch", "split", "index", "margin", "distance"],
    "convergence": [*RUN, "index", "samples", "margin"],
}


def main(tables, provenance, runs, figures, captions, outputs, *, settings, scale, commit, logs):
    """Write the page to `outputs` ("html", "md") from paths: tables {name: [csv]}, provenance and runs [json],
    figures [svg] with a caption (rst) each; logs is the folder with the jobs' benchmark files.
    """
    frames = {name: read(tables.get(name, []), columns) for name, columns in COLUMNS.items()}
    datasets = [json.loads(Path(path).read_text(encoding="utf-8")) for path in provenance]
    about = {"datasets": {data["dataset"]: data for data in datasets}, "settings": settings, "scale": scale}
    records = [json.loads(Path(path).read_text(encoding="utf-8")) for path in runs]
    claims = verdicts.judge(frames, about)
    page = pages.content(
        frames,
        about,
        claims,
        runs=records,
        seconds={"training": sum(run["seconds"] for run in records), "other jobs": sum(benchmarked(logs).values())},
        commit=commit,
        figures=[described(*pair, settings) for pair in zip(figures, captions, strict=True)],
    )
    for kind, path in outputs.items():
        with whole_file(path) as partial:
            text = pages.render(page, f"reproduction.{kind}.j2")
            partial.write_text(text, encoding="utf-8", newline="\n")
    for claim in claims:
        print(f"claim {claim.key}: {claim.verdict}")


def read(paths, columns):
    return pd.concat(map(pd.read_csv, paths), ignore_index=True) if paths else pd.DataFrame(columns=columns)


def benchmarked(logs):
    """Seconds of all jobs that left a benchmark file, by step; not of training, whose own records count."""
    found = {}
    for path in sorted(Path(logs).rglob("*.tsv")):
        step = path.relative_to(logs).parts[0]
        if step != "train":
            found[step] = found.get(step, 0.0) + pd.read_csv(path, sep="\t")["s"].sum()
    return found


def described(figure, caption, settings):
    """Name, title and caption of a figure; the caption is the Snakemake report's."""
    name = Path(figure).stem
    text = Template(Path(caption).read_text(encoding="utf-8")).render(snakemake=SimpleNamespace(config=settings))
    title = f"Figure {name.removeprefix('fig')}"
    return {"name": name, "title": title, "caption": " ".join(text.replace("``", "").split()), "svg": figure}


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    given = {name: getattr(snakemake.input, name, None) for name in COLUMNS}
    main(
        tables={name: [paths] if isinstance(paths, str) else paths for name, paths in given.items() if paths},
        provenance=snakemake.input.provenance,
        runs=snakemake.input.runs,
        figures=snakemake.input.figures,
        captions=snakemake.input.captions,
        outputs=dict(snakemake.output.items()),
        settings=snakemake.params.settings,
        scale=snakemake.params.scale,
        commit=snakemake.params.commit,
        logs=Path(snakemake.log[0]).parent.parent,
    )
