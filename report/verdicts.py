"""Verdicts on the paper's nine claims from the tidy tables, by the rules of docs/verdicts.md: one function a claim.

The tables are described in `results`. A missing run leaves its row undecided.
"""

from functools import partial
from itertools import pairwise, product

from . import claims
from .claims import CLAIMS, FAILS, HOLDS, OPEN, Case, Claim, Row, settled
from .departures import paper
from .results import DATASETS, METHODS, MODELS, NETWORKS, PANELS, SPLITS, select
from .rows import Given, averages, change, held, paired, rare, rising, short_of, since, unsigned, with_distances


def judge(tables, context, keys=CLAIMS):
    """Return the verdicts on the paper's claims as a list of Claim, some in two readings.

    tables: the tidy DataFrames of `results` by name; keys: of CLAIMS, "1" or "4a", say
    """
    given = Given(with_distances(tables, context.settings["margins"]["radius"]), context)
    return [Claim(key, *CLAIMS[key], settled(ROWS[key](given))) for key in keys]


def _separable(given):
    run, tables = {"dataset": "mnist01", "model": "lr", "method": "std"}, given.tables
    curves, summary = select(tables["curves"], **run), select(tables["margin_summary"], **run, split="train")
    names = ["training error, lowest", "minimum margin, last - first", "minimum margin, highest, above the SVM's"]
    reached, rises, below = (Case("mnist01", "lr", name) for name in names)
    if curves.empty or summary.empty or tables["svm"].empty:
        return [Row(case) for case in (reached, rises, below)]
    points, seeds = summary["points"].min(), summary["seed"].nunique()
    short = short_of(given, reached, points, "curves")
    error = curves.groupby("seed")["train_error"].min().max()
    few = curves["epoch"].max() < paper("lr").epochs
    not_yet = short or ("fewer epochs than the paper's" if error and few else "")
    zero = Row(reached, error, unit="error", seen=FAILS if error else HOLDS, short=not_yet, seeds=seeds)
    best = select(tables["svm"], split="train")["margin"].min()
    highest = 100 * (summary["minimum"].max() / best - 1)
    some = points < given.context.datasets["mnist01"]["train"] or best <= 0
    short = "not all training points, or they are not separable" if some else short
    passed = OPEN if some else FAILS if highest > claims.SVM_TOLERANCE else HOLDS
    return [zero, rising(given, rises, summary), Row(below, highest, unit="%", seen=passed, short=short, seeds=seeds)]


def _keeps_falling(given):
    runs = select(given.tables["margins"], dataset="mnist01", model="lr", method="std", split="train")
    epochs = [epoch for epoch in sorted(runs["epoch"].unique()) if epoch >= claims.FIRST_EPOCHS]
    rows = []
    for before, after in pairwise(epochs):
        case = Case("mnist01", "lr", f"epoch {before} to {after}")
        rows.append(averages(given, case, select(runs, epoch=before), select(runs, epoch=after), below=0))
    rows[:1] = [since(row, epochs[0]) for row in rows[:1]]
    return rows or [Row(Case("mnist01", "lr", "epoch to epoch"), short="fewer than two checkpoints")]


def _minimum_rises(given):
    rows = []
    for dataset, model, split in product(DATASETS, MODELS, SPLITS):
        case = Case(dataset, model, f"{MODELS[model]}, {SPLITS[split]}")
        runs = select(given.tables["margin_summary"], dataset=dataset, model=model, method="std", split=split)
        rows.append(Row(case) if runs.empty else rising(given, case, runs))
    return rows


def _average_falls(given, read):
    rows = []
    for dataset, model, split in product(DATASETS, MODELS, SPLITS):
        case = Case(dataset, model, f"{MODELS[model]}, {SPLITS[split]}")
        runs = select(given.tables["margins"], dataset=dataset, model=model, method="std", split=split)
        first, last = (read(select(runs, epoch=epoch)) for epoch in (runs["epoch"].min(), runs["epoch"].max()))
        once = not runs.empty and runs["epoch"].nunique() < 2
        row = Row(case, short="1 measured epoch") if once else averages(given, case, first, last, below=0)
        rows.append(since(row, runs["epoch"].min()))
    return rows


def _larger_margin(given, read, other, models):
    rows = []
    for dataset, model in product(DATASETS, models):
        case = Case(dataset, model, f"{MODELS[model]}, AMR - {METHODS[other]}", (other, "amr"))
        runs = select(given.tables["margins"], dataset=dataset, model=model, split="test")
        runs = read(select(runs, epoch=runs["epoch"].max()))
        rows.append(averages(given, case, select(runs, method=other), select(runs, method="amr"), above=0))
    return rows


def _more_robust(given, table):
    rows = []
    for dataset, model in PANELS:
        runs = select(given.tables[table], dataset=dataset, model=model)
        eps = _radii(runs)
        pairs = [("std", radius) for radius in eps] + [("lcr", radius) for radius in eps[-2:]]
        for other, radius in pairs:
            name = f"{MODELS[model]}, AMR - {METHODS[other]}, ε = {radius:g}"
            case = Case(dataset, model, name, (other, "amr"))
            before, after = (select(runs, method=method, eps=radius) for method in (other, "amr"))
            rows.append(held(given, case, before, after, table, eps=radius, above=0))
        rows += [] if pairs else [Row(Case(dataset, model, MODELS[model]))]
    return rows


def _samples_suffice(given):
    rows = []
    for dataset, model in PANELS:
        runs = select(given.tables["convergence"], dataset=dataset, model=model, method="std")
        runs = runs[runs["samples"] <= paper(model).samples]
        many = runs["samples"].max()
        name = MODELS[model] if runs.empty else f"{MODELS[model]}, {many // 2:,} to {many:,} samples"
        half, full = select(runs, samples=many // 2), select(runs, samples=many)
        rows.append(change(given, Case(dataset, model, name), half, full, many))
    return rows


def _steps_suffice(given):
    rows = []
    for (dataset, model), method in product(PANELS, METHODS):
        name = f"{MODELS[model]}, {METHODS[method]}"
        runs = select(given.tables["attacks"], dataset=dataset, model=model, method=method)
        anew = True  # which images were attacked at this eps: one that broke at a smaller one keeps that step
        for eps in _radii(runs):
            broken_at, _ = paired(*[select(runs, eps=eps)] * 2, "broken_at")
            steps = min(given.context.networks[dataset, model].steps, paper(model).steps)
            late = (broken_at > steps // 2) & (broken_at <= steps)
            case = Case(dataset, model, f"{name}, ε = {eps:g}", (method,))
            rows.append(rare(given, case, late & anew, late, eps))
            anew = broken_at < 0
        rows += [Row(Case(dataset, model, name))] if runs.empty else []
    return rows


def _radii(attacks):
    return sorted(eps for eps in attacks["eps"].unique() if eps > 0)


def _signed(margins):
    return margins


ROWS = {
    "1": _separable,
    "2": _keeps_falling,
    "3": _minimum_rises,
    "4a": partial(_average_falls, read=_signed),
    "4b": partial(_average_falls, read=unsigned),
    "5a": partial(_larger_margin, read=_signed, other="std", models=MODELS),
    "5b": partial(_larger_margin, read=unsigned, other="std", models=MODELS),
    "6a": partial(_more_robust, table="attacks"),
    "6b": partial(_more_robust, table="strong"),
    "7a": partial(_larger_margin, read=_signed, other="lcr", models=NETWORKS),
    "7b": partial(_larger_margin, read=unsigned, other="lcr", models=NETWORKS),
    "8": _samples_suffice,
    "9": _steps_suffice,
}
