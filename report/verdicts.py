"""Verdicts on the paper's nine claims from the tidy tables, by the rules of `claims`: one function a claim.

The tables are described in `results`. A missing run leaves its row undecided.
"""

from functools import partial
from itertools import pairwise, product
from math import inf
from typing import NamedTuple

from . import claims
from .claims import CLAIMS, FAILS, HOLDS, OPEN, Claim, Row
from .results import DATASETS, METHODS, MODELS, NETWORKS, PANELS, SPLITS, Context, select
from .settings import paper
from .statistics import bootstrap, share, trend
from .text import number


class Given(NamedTuple):
    """What every rule works on: {name: tidy table}, their Context, and the seed of the bootstrap."""

    tables: dict
    context: Context
    seed: int


class Case(NamedTuple):
    """What a row compares: networks of one data set and model, and how the page calls the comparison."""

    dataset: str
    model: str
    name: str


def judge(tables, context, seed=0):
    """Return the verdicts on the paper's claims as a list of Claim, claim 6 under two attacks.

    tables: the tidy DataFrames of `results` by name; seed: of the bootstrap
    """
    return [verdict(key, tables, context, seed) for key in CLAIMS]


def verdict(key, tables, context, seed=0):
    """Return the Claim `key` ("1" to "9", "6a" and "6b") with its verdict; the arguments are those of `judge`."""
    rows = ROWS[key](Given(tables, context, seed))
    return Claim(key, *CLAIMS[key], overall(rows), rows)


def overall(rows):
    """Return the verdict on a claim from its rows: one that fails is enough, else all must hold."""
    found = {row.verdict for row in rows}
    if FAILS in found:
        return FAILS
    return HOLDS if found == {HOLDS} else OPEN


def _separable(given):
    run, tables = {"dataset": "mnist01", "model": "lr", "method": "std"}, given.tables
    curves, summary = select(tables["curves"], **run), select(tables["margin_summary"], **run, split="train")
    names = ["training error, lowest", "minimum margin, last - first", "minimum margin, highest, above the SVM's"]
    if curves.empty or summary.empty or tables["svm"].empty:
        return [Row("mnist01", name) for name in names]
    reached, rises, below = (Case("mnist01", "lr", name) for name in names)
    short = _short(given, reached, summary["points"].min())
    error = curves.groupby("seed")["train_error"].min().max()
    few = curves["epoch"].max() < paper("lr").epochs
    not_yet = "fewer epochs than the paper's" if error and few else ""
    zero = Row("mnist01", reached.name, error, unit="error", verdict=FAILS if error else HOLDS, note=short or not_yet)
    best = select(tables["svm"], split="train")["margin"].min()
    highest = _change(best, summary["minimum"].max())
    some = summary["points"].min() < given.context.datasets["mnist01"]["train"] or best <= 0
    note = short or ("not all training points, or they are not separable" if some else "")
    passed = FAILS if highest > claims.SVM_TOLERANCE else HOLDS
    never = Row("mnist01", below.name, highest, unit="%", verdict=passed, note=note)
    return [_undecided(zero), _trend(rises, summary, short), _undecided(never)]


def _keeps_falling(given):
    runs = select(given.tables["margins"], dataset="mnist01", model="lr", method="std", split="train")
    epochs = [epoch for epoch in sorted(runs["epoch"].unique()) if epoch >= claims.FIRST_EPOCHS]
    rows = []
    for before, after in pairwise(epochs):
        case = Case("mnist01", "lr", f"epoch {before} to {after}")
        rows.append(_difference(given, case, select(runs, epoch=before), select(runs, epoch=after), below=0))
    return rows or [Row("mnist01", "epoch to epoch", note="fewer than two checkpoints")]


def _minimum_rises(given):
    rows = []
    for dataset, model, split in product(DATASETS, MODELS, SPLITS):
        case = Case(dataset, model, f"{MODELS[model]}, {SPLITS[split]}")
        runs = select(given.tables["margin_summary"], dataset=dataset, model=model, method="std", split=split)
        if runs.empty:
            rows.append(Row(dataset, case.name))
        else:
            rows.append(_trend(case, runs, _short(given, case, runs["points"].min(), margin=True)))
    return rows


def _average_falls(given):
    rows = []
    for dataset, model, split in product(DATASETS, MODELS, SPLITS):
        case = Case(dataset, model, f"{MODELS[model]}, {SPLITS[split]}")
        runs = select(given.tables["margins"], dataset=dataset, model=model, method="std", split=split)
        first, last = (select(runs, epoch=epoch) for epoch in (runs["epoch"].min(), runs["epoch"].max()))
        rows.append(_difference(given, case, first, last, below=0))
    return rows


def _larger_margin(given, other, models):
    rows = []
    for dataset, model in product(DATASETS, models):
        case = Case(dataset, model, f"{MODELS[model]}, AMR - {METHODS[other]}")
        runs = select(given.tables["margins"], dataset=dataset, model=model, split="test")
        runs = select(runs, epoch=runs["epoch"].max())
        rows.append(_difference(given, case, select(runs, method=other), select(runs, method="amr"), above=0))
    return rows


def _more_robust(given, table):
    rows = []
    for dataset, model in PANELS:
        runs = select(given.tables[table], dataset=dataset, model=model)
        eps = _radii(runs)
        pairs = [("std", radius) for radius in eps] + [("lcr", radius) for radius in eps[-2:]]
        for other, radius in pairs:
            case = Case(dataset, model, f"{MODELS[model]}, AMR - {METHODS[other]}, ε = {radius:g}")
            before, after = (select(runs, method=method, eps=radius) for method in (other, "amr"))
            reach = radius if table == "attacks" else None
            rows.append(_difference(given, case, before, after, value="held", eps=reach, above=0))
        rows += [] if pairs else [Row(dataset, MODELS[model])]
    return rows


def _samples_suffice(given):
    rows = []
    for dataset, model in PANELS:
        runs = select(given.tables["convergence"], dataset=dataset, model=model, method="std")
        many = runs["samples"].max()
        half, full = map(abs, _paired(select(runs, samples=many // 2), select(runs, samples=many), "margin"))
        if not full.size:
            rows.append(Row(dataset, MODELS[model]))
            continue
        case = Case(dataset, model, f"{MODELS[model]}, {many // 2:,} to {many:,} samples")
        interval = bootstrap(_change, half, full, seed=given.seed)
        short = _short(given, case, full.shape[1], enough=claims.FEW_POINTS, samples=many)
        effect = _change(half.mean(), full.mean())
        rows.append(_row(case, effect, interval, "%", short, above=-claims.SAMPLING, below=claims.SAMPLING))
    return rows


def _steps_suffice(given):
    rows = []
    for (dataset, model), method in product(PANELS, METHODS):
        name = f"{MODELS[model]}, {METHODS[method]}"
        runs = select(given.tables["attacks"], dataset=dataset, model=model, method=method)
        for eps in _radii(runs):
            case = Case(dataset, model, f"{name}, ε = {eps:g}")
            broken_at, _ = _paired(*[select(runs, eps=eps)] * 2, "broken_at")
            late = broken_at > given.context.networks[dataset, model].steps // 2
            short = _short(given, case, late.shape[1], eps=eps)
            interval = [100 * end for end in share(late)]
            rows.append(_row(case, 100 * late.mean(), interval, "pp", short, below=claims.STEPS))
        rows += [Row(dataset, name)] if runs.empty else []
    return rows


def _radii(attacks):
    return sorted(eps for eps in attacks["eps"].unique() if eps > 0)


def _difference(given, case, first, second, *, value="margin", eps=None, above=-inf, below=inf):
    """Row on the mean of `value` in `second` minus that in `first`, paired over points and seeds."""
    before, after = _paired(first, second, value)
    if not after.size:
        return Row(case.dataset, case.name)
    factor, unit = (100, "pp") if value == "held" else (1, "L2")
    interval = bootstrap(lambda before, after: factor * (after - before), before, after, seed=given.seed)
    short = _short(given, case, after.shape[1], margin=value == "margin", eps=eps)
    return _row(case, factor * (after.mean() - before.mean()), interval, unit, short, above=above, below=below)


def _paired(first, second, value):
    """Two arrays (seeds, points) of `value` over the seeds and points that both tables have."""
    tables = (table.pivot(index="seed", columns="index", values=value) for table in (first, second))
    first, second = next(tables).align(next(tables), join="inner")
    return first.to_numpy(dtype=float), second.to_numpy(dtype=float)


def _row(case, effect, interval, unit, short, *, above=-inf, below=inf):
    low, high = interval
    inside, outside = low > above and high < below, high < above or low > below
    verdict = HOLDS if inside else FAILS if outside else OPEN
    room = min(low - above, below - high)
    return _undecided(Row(case.dataset, case.name, float(effect), low, high, unit, verdict, short, room))


def _trend(case, summary, short):
    """Row on the minimum margin over the epochs: it holds where that rises."""
    minimum = summary.groupby("epoch")["minimum"].mean().to_numpy()
    tau, p = trend(minimum)
    rise = minimum[-1] - minimum[0]
    clear = abs(tau) >= claims.TAU and p < claims.P and tau * rise > 0
    few = f"{len(minimum)} measured epochs" if len(minimum) < claims.CHECKPOINTS else ""
    verdict = OPEN if not clear else HOLDS if rise > 0 else FAILS
    note = short or few
    row = _undecided(Row(case.dataset, case.name, float(rise), unit="L2", verdict=verdict, note=note, room=rise))
    words = f"τ {number(tau, '+.2f')}, " + ("p < 0.001" if p < 0.001 else f"p {p:.2g}")
    return row._replace(note=", ".join(filter(None, [words, row.note])))


def _undecided(row):
    """The row, undecided where its note gives a reason."""
    return row._replace(verdict=OPEN) if row.note else row


def _short(given, case, points, *, enough=claims.POINTS, margin=False, samples=None, eps=None):
    """Why a row cannot be judged at this scale, in words; empty where it can."""
    settings = given.context.networks[case.dataset, case.model]
    if margin:
        samples = settings.drawn or settings.samples
    reach = given.context.settings["attack"]["step"] * (settings.steps or 0)
    reasons = {
        "stand-in data": given.context.datasets[case.dataset]["stand_in"],
        f"only {points:,} points": points < enough,
        f"only {settings.epochs:,} epochs": settings.epochs < claims.EPOCHS * paper(case.model).epochs,
        f"only {samples} samples": samples is not None and samples < claims.SAMPLES,
        f"the attack reaches {reach:g} only": eps is not None and reach < eps * (1 - 1e-9),
    }
    return ", ".join(reason for reason, true in reasons.items() if true)


def _change(before, after):
    """How many percent the second value lies above the first."""
    return 100 * (after / before - 1)


ROWS = {
    "1": _separable,
    "2": _keeps_falling,
    "3": _minimum_rises,
    "4": _average_falls,
    "5": partial(_larger_margin, other="std", models=MODELS),
    "6a": partial(_more_robust, table="attacks"),
    "6b": partial(_more_robust, table="strong"),
    "7": partial(_larger_margin, other="lcr", models=NETWORKS),
    "8": _samples_suffice,
    "9": _steps_suffice,
}
