"""The reproduction page, as HTML in one file and as Markdown: what was run, the verdicts, ours beside the published.

`content` turns tables into texts, once for both forms; templates/reproduction.* say where they stand.
"""

from itertools import product

import pandas as pd

from . import answer, comparison, table1
from .claims import GENERAL
from .departures import PAPER, WORDS, paper
from .rendering import render
from .results import DATASETS, METHODS, MODELS, NETWORKS, OFFICIAL, SPLITS, select
from .text import NOT_RUN, number, title

ADDRESS = "https://arxiv.org/abs/1907.11780"
START = {"image": "the image", "ball": "a random point of the ball"}  # of the attack's iterates


def content(frames, context, claims, *, runs, seconds, commit, figures):
    """Return all that the page says, as a dict of texts and of tables of texts.

    frames: the tidy tables "attacks", "margin_summary", "strong", "brackets", "convergence"
    claims: of `verdicts.judge`; runs: the records of the training runs; seconds: {"training": s, "other jobs": s}
    figures: [{"name", "title", "caption", "picture" (svg or gif, a path), "still" (png for print, or None), "file"
        (beside the page)}]
    """
    table = table1.table1(frames["attacks"], frames["margin_summary"], context)
    readings = comparison.readings(frames["attacks"], frames["strong"], _floor(context.settings["attack"]))
    return {
        "paper": ADDRESS,
        "stand_ins": [data["title"] for data in context.datasets.values() if data["stand_in"]],
        "differences": context.differences,
        "data": _data(context),
        "networks": _networks(context),
        "facts": _facts(context.settings, runs, seconds, commit),
        "summary": answer.summary(claims, context),
        "matrix": answer.matrix(claims, context),
        "claims": answer.by_claim(claims, context),
        "table1": [
            (title(context, name), beside_published(rows, context.datasets[name]["stand_in"]))
            for name, rows in table.groupby("dataset", sort=False)
        ],
        "readings": _readings(readings, context),
        "overstated": _overstated(readings, context),
        "failures": _failures(comparison.failures(frames["brackets"]), context),
        "foretold": _foretold(comparison.foretold(frames["convergence"], context.networks), context),
        "general": GENERAL,
        "figures": figures,
        "settings": context.settings,
    }


def to_html(page):
    """Return the page, a dict of `content`, as HTML that needs no other file."""
    return render("reproduction.html.j2", page)


def to_markdown(page):
    """Return the same page as Markdown; its figures lie beside it."""
    return render("reproduction.md.j2", page)


def _data(context):
    rows = [
        [
            data["title"],
            data["origin"].rstrip("."),
            data["source"],
            *(f"{data[split]:,}" for split in SPLITS),
            data["sha256"][:12],
        ]
        for data in context.datasets.values()
    ]
    return {"header": ["Data", "What it is", "Source", "Training", "Test", "SHA-256"], "rows": rows, "words": 3}


def _networks(context):
    """What was run of each network, above what the paper ran."""
    order = [name for name in product(OFFICIAL, MODELS) if name in context.networks]  # a config may have another one
    found = [(title(context, *name), name[1], context.networks[name]) for name in order]
    found += [("Paper, LR", "lr", paper("lr")), ("Paper, MLP and CNN", "mlp", paper("mlp"))]
    fields = {field: words[0].upper() + words[1:] for field, words in WORDS.items() if field != "checked"}
    rows = [[name, *(_size(field, sizes, model) for field in fields)] for name, model, sizes in found]
    return {"header": ["Network", *fields.values()], "rows": rows, "words": 1}


def _size(field, sizes, model):
    number = getattr(sizes, field)
    if number is not None:
        return f"{number:,}"
    return "all" if field in ("train", "test") or model in NETWORKS else "exact" if field == "samples" else ""


def _facts(settings, runs, seconds, commit):
    """Pairs of a name and a value: settings that hold for all networks, and what it ran on."""
    attack, theirs = settings["attack"], PAPER["attack.step"].value
    floor = f"{attack['gradient_floor'] or 'no'} floor under a gradient's length"
    floor += f", loss averaged over {attack['averaged_over']} points" if attack["averaged_over"] > 1 else ""
    named = {
        name: ", ".join(sorted({str(run.get(name, "unknown")) for run in runs})) or "unknown"
        for name in ("device", "torch", "python")
    }
    total = " + ".join(f"{_duration(value)} {name}" for name, value in seconds.items() if value)
    return [
        ("PGD", f"steps of {attack['step']:g} (paper {theirs:g}) from {START[attack['start']]}, {floor}"),
        ("Seeds", ", ".join(map(str, settings["seeds"]))),
        ("Device", named["device"]),
        ("Versions", f"torch {named['torch']}, Python {named['python']}"),
        ("Commit", "; ".join([commit, *_earlier(runs, commit)])),
        ("Computing time", f"{_duration(sum(seconds.values()))}" + (f" ({total}, summed over jobs)" if total else "")),
    ]


def _earlier(runs, commit):
    """In words, the other commits at which networks were trained, and restored results were measured."""
    for what, name in {"trained": "commit", "measured": "measured"}.items():
        found = sorted({run.get(name, "unknown") for run in runs} - {commit, "unknown"})
        if found:
            yield f"networks {what} at {', '.join(found)}"


def _floor(attack):
    """The length below which the attack as configured does not follow a gradient in full."""
    return attack["gradient_floor"] * attack["averaged_over"]


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def beside_published(cells, stand_in=False):
    """Three rows a network: ours, published, difference; with the settings of each beside the paper's.

    A stand-in has nothing published to stand beside.
    """
    rows = []
    for (model, method), network in cells.groupby(["model", "method"], sort=False):
        ours = [table1.cell_text(cell.value, cell.spread) for cell in network.itertuples()]
        settings = ["" if pd.isna(value) else f"{value:,}" for value in network[table1.SETTINGS].max()]
        theirs = [f"{getattr(paper(model), name):,}" for name in table1.SETTINGS]
        rows.append([f"{MODELS[model]} {METHODS[method]}", "ours", *settings, *ours])
        if stand_in:
            continue
        rows += [
            ["", "published", *theirs, *map(number, network["published"])],
            ["", "difference", *[""] * len(settings), *(number(value, "+.2f") for value in network["difference"])],
        ]
    names = [name.capitalize() for name in table1.SETTINGS]
    header = ["Network", "", *names, *map(table1.heading, cells["column"].unique())]
    return {"header": header, "rows": rows, "words": 2, "group": 1 if stand_in else 3}


def _readings(readings, context):
    """Three rows a network: robust accuracy as configured, under the strongest attack, and how much is overstated."""
    cells = pd.DataFrame(readings)
    found = []
    for dataset, of_data in cells.groupby("dataset", sort=False) if readings else []:
        rows = []
        for (model, method), network in of_data.groupby(["model", "method"], sort=False):
            configured, strong = ([f"{value:.2f}" for value in network[name]] for name in ("configured", "strong"))
            overstated = [
                "{} [{} to {}]".format(*(answer.effect_text(value, "pp", words=False) for value in values))
                for values in network[["overstated", "low", "high"]].itertuples(index=False)
            ]
            images, masked = f"{network['images'].iloc[0]:,}", f"{network['masked'].iloc[0]:.1f}"
            rows.append([f"{MODELS[model]} {METHODS[method]}", "as configured", images, *configured, masked])
            rows += [["", "strongest", "", *strong, ""], ["", "overstated by", "", *overstated, ""]]
        header = ["Network", "", "Images", *(f"ε = {float(eps)}" for eps in of_data["eps"].unique()), "Masked"]
        found.append((title(context, dataset), {"header": header, "rows": rows, "words": 2, "group": 3}))
    return found


def _overstated(readings, context):
    return [
        f"{title(context, cell['dataset'], cell['model'])} {METHODS[cell['method']]}: the attack as configured "
        f"overstates the robustness by {cell['overstated']:.1f} points at ε = {cell['eps']:g} "
        f"({cell['configured']:.1f} % instead of at most {cell['strong']:.1f} %; 95 % interval of the difference "
        f"{cell['low']:.1f} to {cell['high']:.1f})."
        for cell in readings
        if cell["overstated"] > comparison.OVERSTATED and cell["sure"]
    ]


def _failures(rates, context):
    epochs = sorted(rates["epoch"].unique())
    rows = []
    for dataset, model, method, split in product(DATASETS, NETWORKS, METHODS, SPLITS):
        network = select(rates, dataset=dataset, model=model, method=method, split=split)
        if not network.empty:
            of_epoch = network.set_index("epoch")["rate"].map("{:.1f}".format).replace("nan", NOT_RUN)
            name = f"{MODELS[model]} {METHODS[method]}"
            row = [title(context, dataset), name, SPLITS[split], str(network["points"].min())]
            rows.append([*row, *(of_epoch.get(epoch, "") for epoch in epochs)])
    header = ["Data", "Network", "Points", "Number", *(f"epoch {epoch}" for epoch in epochs)]
    return {"header": header, "rows": rows, "words": 3}


def _foretold(found, context):
    rows = []
    for line in found:
        counts = [f"{line[name]:,}" for name in ("points", "drawn", "samples")]
        errors = [f"{number(line['bias'], '+.2f')} ± {line['error']:.2f}", f"{line['rms']:.2f}"]
        rows.append([title(context, line["dataset"]), MODELS[line["model"]], *counts, *errors])
    header = [
        "Data",
        "Network",
        "Points",
        "Extrapolated from",
        "To",
        "Error of the average, %",
        "Of single points, rms, %",
    ]
    return {"header": header, "rows": rows, "words": 2}
