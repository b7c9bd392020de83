"""Verdicts on the paper's nine claims from the tidy tables, by the rules of `claims`: one function a claim.

The tables are those of `figures` and `tables`, and two more: strong (as attacks, under the strongest attack) and
convergence (dataset, model, method, seed, index, samples, margin). A missing run leaves its row undecided.
"""

from itertools import pairwise, product
from math import inf

from . import claims
from .claims import CLAIMS, FAILS, HOLDS, OPEN, Claim, Row
from .intervals import bootstrap, share, trend
from .plots import METHODS, MODELS, SPLITS, select

DATASETS, NETWORKS = ("mnist", "cifar10"), ("mlp", "cnn")


def judge(tables, about, seed=0):
    """Return the verdicts on the paper's claims as a list of Claim, claim 6 under two attacks.

    tables: {"curves", "margins", "summary", "svm", "attacks", "strong", "convergence": tidy DataFrames}
    about: {"datasets": {name: provenance}, "settings": the config, ...}; seed: of the bootstrap
    """
    return [verdict(key, tables, about, seed) for key in CLAIMS]


def verdict(key, tables, about, seed=0):
    """Return the Claim `key` ("1" to "9", "6a" and "6b") with its verdict; the arguments are those of `judge`."""
    rows = ROWS[key](tables, about, seed)
    return Claim(key, *CLAIMS[key], overall(rows), rows)


def overall(rows):
    """Return the verdict on a claim from its rows: one that fails is enough, else all must hold."""
    found = {row.verdict for row in rows}
    if FAILS in found:
        return FAILS
    return HOLDS if found == {HOLDS} else OPEN


def _separable(tables, about):
    run = {"dataset": "mnist01", "model": "lr", "method": "std"}
    curves, summary = select(tables["curves"], **run), select(tables["summary"], **run, split="train")
    names = ["training error, lowest", "minimum margin, last - first", "minimum margin, highest, above the SVM's"]
    if curves.empty or summary.empty or tables["svm"].empty:
        return [Row("mnist01", name) for name in names]
    short = _short(about, "mnist01", "lr", summary["points"].min())
    error = curves.groupby("seed")["train_error"].min().max()
    few = curves["epoch"].max() < claims.PAPER_EPOCHS["lr"]
    not_yet = "fewer epochs than the paper's" if error and few else ""
    reached = Row("mnist01", names[0], error, unit="error", verdict=FAILS if error else HOLDS, note=short or not_yet)
    best = select(tables["svm"], split="train")["margin"].min()
    highest = _change(best, summary["minimum"].max())
    some = summary["points"].min() < about["datasets"]["mnist01"]["train"] or best <= 0
    passed = FAILS if highest > claims.SVM_TOLERANCE else HOLDS
    note = short or ("not all training points, or they are not separable" if some else "")
    below = Row("mnist01", names[2], highest, unit="%", verdict=passed, note=note)
    return [_undecided(reached), _trend(summary, "mnist01", names[1], short), _undecided(below)]


def _keeps_falling(margins, about, seed):
    runs = select(margins, dataset="mnist01", model="lr", method="std", split="train")
    epochs = [epoch for epoch in sorted(runs["epoch"].unique()) if epoch >= claims.FIRST_EPOCHS]
    return [
        _difference(
            *(select(runs, epoch=epoch) for epoch in (before, after)),
            *("margin", about, seed, "mnist01", "lr", f"epoch {before} to {after}"),
            below=0,
        )
        for before, after in pairwise(epochs)
    ] or [Row("mnist01", "epoch to epoch", note="fewer than two checkpoints")]


def _minimum_rises(summary, about):
    rows = []
    for dataset, model, split in product(DATASETS, MODELS, SPLITS):
        runs = select(summary, dataset=dataset, model=model, method="std", split=split)
        case = f"{MODELS[model]}, {SPLITS[split]}"
        if runs.empty:
            rows.append(Row(dataset, case))
            continue
        short = _short(about, dataset, model, runs["points"].min(), margin=True)
        rows.append(_trend(runs, dataset, case, short))
    return rows


def _average_falls(margins, about, seed):
    rows = []
    for dataset, model, split in product(DATASETS, MODELS, SPLITS):
        runs = select(margins, dataset=dataset, model=model, method="std", split=split)
        first, last = (select(runs, epoch=epoch) for epoch in (runs["epoch"].min(), runs["epoch"].max()))
        case = f"{MODELS[model]}, {SPLITS[split]}"
        rows.append(_difference(first, last, "margin", about, seed, dataset, model, case, below=0))
    return rows


def _larger_margin(margins, about, other, models, seed):
    rows = []
    for dataset, model in product(DATASETS, models):
        runs = select(margins, dataset=dataset, model=model, split="test")
        runs = select(runs, epoch=runs["epoch"].max())
        case = f"{MODELS[model]}, AMR - {METHODS[other]}"
        of_method = (select(runs, method=method) for method in (other, "amr"))
        rows.append(_difference(*of_method, "margin", about, seed, dataset, model, case, above=0))
    return rows


def _more_robust(attacks, about, seed, strong=False):
    rows = []
    for dataset, model in product(DATASETS, NETWORKS):
        runs = select(attacks, dataset=dataset, model=model)
        eps = _radii(runs)
        pairs = [("std", radius) for radius in eps] + [("lcr", radius) for radius in eps[-2:]]
        for other, radius in pairs:
            case = f"{MODELS[model]}, AMR - {METHODS[other]}, ε = {radius:g}"
            of_method = (select(runs, method=method, eps=radius) for method in (other, "amr"))
            reach = None if strong else radius
            rows.append(_difference(*of_method, "held", about, seed, dataset, model, case, above=0, eps=reach))
        rows += [] if pairs else [Row(dataset, MODELS[model])]
    return rows


def _samples_suffice(convergence, about, seed):
    rows = []
    for dataset, model in product(DATASETS, NETWORKS):
        runs = select(convergence, dataset=dataset, model=model, method="std")
        many = runs["samples"].max()
        half, full = map(abs, _paired(select(runs, samples=many // 2), select(runs, samples=many), "margin"))
        if not full.size:
            rows.append(Row(dataset, MODELS[model]))
            continue
        low, high = bootstrap(_change, half, full, seed=seed)
        short = _short(about, dataset, model, full.shape[1], enough=claims.FEW_POINTS, samples=many)
        case = f"{MODELS[model]}, {many // 2:,} to {many:,} samples"
        bounds = {"above": -claims.SAMPLING, "below": claims.SAMPLING}
        rows.append(_row(dataset, case, _change(half.mean(), full.mean()), low, high, "%", short, **bounds))
    return rows


def _steps_suffice(attacks, about):
    rows = []
    for dataset, model, method in product(DATASETS, NETWORKS, METHODS):
        runs = select(attacks, dataset=dataset, model=model, method=method)
        for eps in _radii(runs):
            broken_at, _ = _paired(*[select(runs, eps=eps)] * 2, "broken_at")
            late = broken_at > about["settings"]["attack"]["iterations"] // 2
            short = _short(about, dataset, model, late.shape[1], eps=eps)
            ends = (100 * end for end in share(late))
            case = f"{MODELS[model]}, {METHODS[method]}, ε = {eps:g}"
            rows.append(_row(dataset, case, 100 * late.mean(), *ends, "pp", short, below=claims.STEPS))
        rows += [Row(dataset, f"{MODELS[model]}, {METHODS[method]}")] if runs.empty else []
    return rows


def _radii(attacks):
    return sorted(eps for eps in attacks["eps"].unique() if eps > 0)


def _difference(first, second, value, about, seed, dataset, model, case, *, eps=None, **bounds):
    """Row on the mean of `value` in `second` minus that in `first`, paired over points and seeds."""
    before, after = _paired(first, second, value)
    if not after.size:
        return Row(dataset, case)
    factor, unit = (100, "pp") if value == "held" else (1, "L2")
    low, high = bootstrap(lambda before, after: factor * (after - before), before, after, seed=seed)
    short = _short(about, dataset, model, after.shape[1], margin=value == "margin", eps=eps)
    return _row(dataset, case, factor * (after.mean() - before.mean()), low, high, unit, short, **bounds)


def _paired(first, second, value):
    """Two arrays (seeds, points) of `value` over the seeds and points that both tables have."""
    tables = (table.pivot(index="seed", columns="index", values=value) for table in (first, second))
    first, second = next(tables).align(next(tables), join="inner")
    return first.to_numpy(dtype=float), second.to_numpy(dtype=float)


def _row(dataset, case, effect, low, high, unit, short, *, above=-inf, below=inf):
    inside, outside = low > above and high < below, high < above or low > below
    verdict = HOLDS if inside else FAILS if outside else OPEN
    room = min(low - above, below - high)
    return _undecided(Row(dataset, case, float(effect), low, high, unit, verdict, short, room))


def _trend(summary, dataset, case, short):
    """Row on the minimum margin over the epochs: it holds where that rises."""
    minimum = summary.groupby("epoch")["minimum"].mean().to_numpy()
    tau, p = trend(minimum)
    rise = minimum[-1] - minimum[0]
    clear = abs(tau) >= claims.TAU and p < claims.P and tau * rise > 0
    few = f"{len(minimum)} measured epochs" if len(minimum) < claims.CHECKPOINTS else ""
    verdict = OPEN if not clear else HOLDS if rise > 0 else FAILS
    row = _undecided(Row(dataset, case, float(rise), unit="L2", verdict=verdict, note=short or few, room=rise))
    words = f"τ {tau:+.2f}, ".replace("-", "−") + ("p < 0.001" if p < 0.001 else f"p {p:.2g}")
    return row._replace(note=", ".join(filter(None, [words, row.note])))


def _undecided(row):
    """The row, undecided where its note gives a reason."""
    return row._replace(verdict=OPEN) if row.note else row


def _short(about, dataset, model, points, *, enough=claims.POINTS, margin=False, samples=None, eps=None):
    """Why a row cannot be judged at this scale, in words; empty where it can."""
    settings = about["settings"]
    epochs = settings["training"]["epochs"][model]
    if margin and model in NETWORKS:
        samples = settings["margins"]["samples"]
    reach = settings["attack"]["step"] * settings["attack"]["iterations"]
    reasons = {
        "stand-in data": about["datasets"][dataset]["stand_in"],
        f"only {points:,} points": points < enough,
        f"only {epochs:,} epochs": epochs < claims.EPOCHS * claims.PAPER_EPOCHS[model],
        f"only {samples} samples": samples is not None and samples < claims.SAMPLES,
        f"the attack reaches {reach:g} only": eps is not None and reach < eps * (1 - 1e-9),
    }
    return ", ".join(reason for reason, true in reasons.items() if true)


def _change(before, after):
    """How many percent the second value lies above the first."""
    return 100 * (after / before - 1)


ROWS = {
    "1": lambda tables, about, seed: _separable(tables, about),
    "2": lambda tables, about, seed: _keeps_falling(tables["margins"], about, seed),
    "3": lambda tables, about, seed: _minimum_rises(tables["summary"], about),
    "4": lambda tables, about, seed: _average_falls(tables["margins"], about, seed),
    "5": lambda tables, about, seed: _larger_margin(tables["margins"], about, "std", MODELS, seed),
    "6a": lambda tables, about, seed: _more_robust(tables["attacks"], about, seed),
    "6b": lambda tables, about, seed: _more_robust(tables["strong"], about, seed, strong=True),
    "7": lambda tables, about, seed: _larger_margin(tables["margins"], about, "lcr", NETWORKS, seed),
    "8": lambda tables, about, seed: _samples_suffice(tables["convergence"], about, seed),
    "9": lambda tables, about, seed: _steps_suffice(tables["attacks"], about),
}
