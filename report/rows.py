"""The rows of a claim: two tables compared point by point, a trend, and why the scale leaves a row undecided."""

from functools import partial
from math import inf
from typing import NamedTuple

import numpy as np

from . import claims
from .claims import Row
from .departures import PAPER, otherwise, paper
from .results import LINEAR, RUN, Context
from .statistics import LEVEL, of_change, of_mean, of_rare, of_shares, of_trend, spaced
from .text import number

POINT = [*RUN, "epoch", "split", "index"]


class Given(NamedTuple):
    """What every claim is judged by: {name: tidy table} and their Context."""

    tables: dict
    context: Context


def with_distances(tables, radius):
    """Return the tables with a column `found` in the margins: the attack's distance with the margin's sign.

    None found counts as `radius`, where margins are capped too; NaN where no attack was run.
    """
    margins, distances = tables["margins"], tables["brackets"][[*POINT, "distance"]]
    if distances.empty or margins.empty:
        return tables | {"margins": margins.assign(found=np.nan)}
    both = margins.merge(distances, on=POINT, how="left", validate="one_to_one")
    return tables | {"margins": both.assign(found=np.sign(both["margin"]) * both["distance"].clip(upper=radius))}


def unsigned(margins):
    """Return a table of margins as one of distances."""
    return margins.assign(margin=abs(margins["margin"]), found=abs(margins["found"]))


def averages(given, case, first, second, *, above=-inf, below=inf):
    """Row on the average margin in `second` minus that in `first`; the attack's distances must agree for a network."""
    before, after = paired(first, second, "margin")
    row = _compared(given, case, after - before, "margins", of_mean, unit="L2", above=above, below=below)
    if case.model in LINEAR or row.interval is None:
        return row
    before, after = paired(first, second, "found")
    if after.shape[1] < claims.LEAST_POINTS:
        return row._replace(interval=None, note="no attack distances to agree with")
    told = partial(of_mean, after - before)
    effect, (low, high) = (after - before).mean(), told(LEVEL)
    words = "by attack distances {} [{} to {}]".format(*(number(value, "+.3f") for value in (effect, low, high)))
    return row._replace(beside=told, note=words)


def held(given, case, first, second, table, *, eps, above=-inf):
    """Row on the share of images that held in `second` minus that in `first`, in percentage points.

    table: "attacks" or "strong", of which they are lines
    """
    before, after = paired(first, second, "held")
    return _compared(given, case, after - before, table, of_shares, unit="pp", factor=100, eps=eps, above=above)


def change(given, case, half, full, samples):
    """Row on how many percent the average distance of `full` lies above that of `half`: hardly any."""
    before, after = map(abs, paired(half, full, "margin"))
    if not before.size:
        return Row(case)
    short = short_of(given, case, before.shape[1], "convergence", enough=claims.FEW_POINTS, samples=samples)
    effect = 100 * (after.mean() / before.mean() - 1)
    row = Row(case, effect, unit="%", short=short, seeds=len(before), above=-claims.SAMPLING, below=claims.SAMPLING)
    return row._replace(interval=_enough(before.shape[1], partial(of_change, before, after)))


def rare(given, case, least, most, eps):
    """Row on a share of images, in percentage points, between those of true values in two arrays (seeds, points)."""
    short = short_of(given, case, most.shape[1], "attacks", eps=eps)
    row = Row(case, 100 * least.mean(), unit="pp", short=short, seeds=len(most), below=claims.STEPS)
    if most.sum() > least.sum():
        row = row._replace(note=f"{100 * most.mean():.1f} with images that a smaller ε broke late")
    return row._replace(interval=_enough(most.shape[1], partial(_between, least, most)))


def _between(least, most, level):
    """From the lower end of the one share to the upper end of the other, in percentage points."""
    return 100 * of_rare(least, level)[0], 100 * of_rare(most, level)[1]


def rising(given, case, summary):
    """Row on the minimum margin of the lines of a margin summary: its last value minus its first lies above zero."""
    values = summary.pivot(index="seed", columns="epoch", values="minimum").dropna(axis=1)
    values = values.to_numpy()[:, spaced(values.columns)]
    points = summary["points"].min()
    if values.shape[1] < 2:
        return Row(case, short="1 measured epoch")  # no change of a value from itself
    row = Row(case, values[:, -1].mean() - values[:, 0].mean(), unit="L2", seeds=len(values), above=0)
    if values.shape[1] < claims.CHECKPOINTS:
        return row._replace(short=f"{values.shape[1]} measured epochs")
    interval = _enough(points, partial(of_trend, values))
    row = row._replace(interval=interval, short=short_of(given, case, points, "margin_summary"))
    return since(row, summary["epoch"].min())


def since(row, epoch):
    """A row on the change since an `epoch`, which says nothing of the paper where that comes late in its training."""
    if not epoch > claims.EPOCHS * paper(row.case.model).epochs:
        return row
    return row._replace(short=", ".join(filter(None, [row.short, f"first measured at epoch {epoch:,}"])))


def paired(first, second, value):
    """Two arrays (seeds, points) of `value` over the seeds and points that both tables have."""
    tables = [table.pivot(index="seed", columns="index", values=value) for table in (first, second)]
    first, second = (table.dropna(axis=1) for table in tables)
    first, second = first.align(second, join="inner")
    return first.to_numpy(dtype=float), second.to_numpy(dtype=float)


def short_of(given, case, points, table, *, enough=claims.POINTS, samples=None, eps=None):
    """Why a row on lines of a tidy `table` says nothing of the paper, in words; empty where it does."""
    settings, data = given.context.networks[case.dataset, case.model], given.context.datasets[case.dataset]
    if table in ("margins", "margin_summary"):
        samples = settings.drawn or settings.samples
    steps = {"attacks": settings.steps, "strong": settings.strong_steps}.get(table) or 0
    reach, epochs = given.context.settings["attack"]["step"] * steps, paper(case.model).epochs
    reasons = {
        "stand-in data": data["stand_in"],
        "part of the digits": data["source"] == "embedded" and not data["stand_in"],
        f"only {points:,} points": points < enough,
        f"only {settings.epochs:,} epochs": settings.epochs < claims.EPOCHS * epochs,
        f"{settings.epochs:,} epochs instead of {epochs:,}": settings.epochs > epochs,
        f"only {samples} samples": samples is not None and samples < claims.SAMPLES,
        f"the attack reaches {reach:g} only": eps is not None and reach < eps * (1 - 1e-9),
    }
    other = otherwise(given.context.settings, PAPER, {(case.dataset, case.model): case.methods}, [table])
    return ", ".join([*(reason for reason, true in reasons.items() if true), *other])


def _compared(given, case, difference, table, interval, *, unit, factor=1, eps=None, above=-inf, below=inf):
    """Row on the mean of an array (seeds, points) of paired differences."""
    if not difference.size:
        return Row(case)
    short = short_of(given, case, difference.shape[1], table, eps=eps)
    row = Row(case, factor * difference.mean(), unit=unit, short=short, seeds=len(difference), above=above, below=below)
    return row._replace(interval=_enough(difference.shape[1], partial(_scaled, interval, difference, factor)))


def _scaled(interval, values, factor, level):
    low, high = interval(values, level)
    return factor * low, factor * high


def _enough(points, interval):
    """The interval, or none where too few points would make it."""
    return interval if points >= claims.LEAST_POINTS else None
