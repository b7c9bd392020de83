"""The verdicts in words: claim by claim, row by row, and as a matrix of claims and networks.

A row says two things: what it says of the paper, and what this run saw at its own scale.
"""

from collections import Counter
from itertools import groupby

import pandas as pd

from .claims import FAILS, HOLDS, NAMES, OPEN, overall
from .results import DATASETS, MODELS
from .text import number, title

SYMBOLS = {HOLDS: "✓", FAILS: "✗", OPEN: "?"}
CLASSES = {HOLDS: "holds", FAILS: "fails", OPEN: "open"}
IN_MATRIX = {HOLDS: HOLDS, FAILS: FAILS, OPEN: "open"}  # where room is short
SEEN = {HOLDS: "seen here", FAILS: "not seen here", OPEN: "open here"}
UNITS = {"L2": ("+.3f", ""), "pp": ("+.1f", " points"), "%": ("+.1f", " %"), "error": (".2f", " %")}
COLUMNS = [("mnist01", "lr"), *((dataset, model) for dataset in DATASETS for model in MODELS)]


def summary(claims, context):
    """Return one paragraph: how many verdicts of each kind, in all and for each data set, and what they speak of.

    Of a run that can decide none, what it saw instead.
    """
    rows = [row for claim in claims for row in claim.rows]
    measured = [row for row in rows if row.seeds]
    one_seed = "There is one seed: a verdict holds for its training runs, and other seeds may differ."
    if measured and all(row.short for row in measured):
        sentences = [
            f"This run cannot judge the paper: its data, scale or settings are not the paper's. {_seen_of(measured)}"
        ]
        for name in context.datasets:
            if found := [row for row in measured if row.case.dataset == name]:
                sentences.append(f"On {title(context, name)}: {_seen_counts(found)}.")
        return " ".join(sentences + [one_seed] * (seeds(rows) == 1))
    at_scale = " at this scale" if context.differences else ""
    sentences = [
        f"The paper's nine claims get {len(claims)} verdicts{at_scale}, as some are read in two ways: "
        f"{_counted(claim.verdict for claim in claims)}."
    ]
    for name in context.datasets:
        found = [
            overall(row.verdict for row in rows)
            for claim in claims
            if (rows := [row for row in claim.rows if row.case.dataset == name])
        ]
        if found:
            sentences.append(f"On {title(context, name)}, {len(found)} apply: {_counted(found)}.")
    if any(row.short for row in measured):
        sentences.append(f"Only the paper's scale and settings can judge the paper. {_seen_of(measured)}")
    return " ".join(sentences + [one_seed] * (seeds(rows) == 1))


def seeds(rows):
    """Return the number of seeds behind the rows that were measured: the fewest; 0 where none was."""
    return min((row.seeds for row in rows if row.seeds), default=0)


def by_claim(claims, context):
    """Return the claims as the page shows them, a dict each; `readings`: how many of a claim follow, at its first."""
    found = []
    for _, readings in groupby(claims, key=lambda claim: claim.statement):
        readings = [_claim(claim, context) for claim in readings]
        found += [reading | {"readings": 0 if i else len(readings)} for i, reading in enumerate(readings)]
    return found


def matrix(claims, context):
    """Return the matrix of claims and networks, those that were run, as header and rows of cells.

    A cell is None where the claim does not speak of the network, else a dict: badge (on the paper), seen (a badge on
    this run, None at the paper's scale), effect and interval of the decisive row
    """
    columns = [name for name in COLUMNS if name in context.networks and name[0] in context.datasets]
    rows = []
    for claim in claims:
        of_network = {name: [row for row in claim.rows if row.case[:2] == name] for name in columns}
        cells = [_cell(found) if found else None for found in of_network.values()]
        name = f"{NAMES[claim.key[0]]}; {claim.reading}" if claim.reading else NAMES[claim.key[0]]
        rows.append({"key": claim.key, "name": name, "cells": cells})
    return {"header": [title(context, *name) for name in columns], "rows": rows}


def effect_text(value, unit, words=True):
    """Return an effect with its sign and unit."""
    if pd.isna(value):
        return ""
    form, name = UNITS[unit]
    return number(value, form) + (name if words else "")


def _counted(verdicts):
    count = Counter(verdicts)
    words = {HOLDS: ("holds", "hold"), FAILS: ("fails", "fail"), OPEN: (OPEN, OPEN)}
    return ", ".join(f"{count[verdict]} {words[verdict][count[verdict] != 1]}" for verdict in words)


def _seen_of(rows):
    return f"Of the {len(rows)} comparisons measured in this run: {_seen_counts(rows)}."


def _seen_counts(rows):
    seen = Counter(row.seen for row in rows)
    return f"{seen[HOLDS]} seen here, {seen[FAILS]} not, {seen[OPEN]} open"


def _claim(claim, context):
    decisive = _decisive(claim.rows)
    names = dict.fromkeys(row.case.dataset for row in claim.rows)
    of_data = {name: [row for row in claim.rows if row.case.dataset == name] for name in names}
    rows = [
        [
            title(context, row.case.dataset),
            row.case.name,
            effect_text(row.effect, row.unit),
            _interval(row),
            SEEN[row.seen],
            f"{SYMBOLS[row.verdict]} {row.verdict}",
            ", ".join(filter(None, [row.short, row.note])),
        ]
        for row in claim.rows
    ]
    return {
        "key": claim.key,
        "statement": claim.statement,
        "reading": claim.reading,
        "rule": claim.rule,
        "shown": claim.shown,
        "badge": _badge(claim.rows, " at this scale" if context.differences else ""),
        "seen": _seen(claim.rows),
        "of_data": [(title(context, name), _badge(rows)) for name, rows in of_data.items()],
        "cases": _cases(claim.rows),
        "decisive": f"{title(context, decisive.case.dataset)}, {decisive.case.name}: {_effect(decisive)}",
        "rows": {
            "header": ["Data", "Case", "Effect", "95 % interval", "In this run", "On the paper", "Note"],
            "rows": rows,
            "words": 2,
        },
    }


def _decisive(rows):
    """The row that decides a verdict: what fails first, then what is open, by its interval."""
    return min(rows, key=lambda row: ([FAILS, OPEN, HOLDS].index(row.seen), bool(row.short), row.room))


def _badge(rows, scale=""):
    verdict = overall(row.verdict for row in rows)
    of_run = " for this training run" if verdict != OPEN and seeds(rows) == 1 else ""
    return {"symbol": SYMBOLS[verdict], "text": verdict + (of_run or scale), "kind": CLASSES[verdict]}


def _seen(rows):
    """What this run saw, as a badge; None where its scale is the paper's, or nothing was measured."""
    if not any(row.seeds and row.short for row in rows):
        return None
    verdict = overall(row.seen for row in rows)
    return {"symbol": SYMBOLS[verdict], "text": SEEN[verdict], "kind": f"seen {CLASSES[verdict]}"}


def _cell(rows):
    decisive, verdict = _decisive(rows), overall(row.verdict for row in rows)
    return {
        "badge": {"symbol": SYMBOLS[verdict], "text": IN_MATRIX[verdict], "kind": CLASSES[verdict]},
        "seen": _seen(rows),
        "effect": effect_text(decisive.effect, decisive.unit) or decisive.short,
        "interval": _interval(decisive),
    }


def _cases(rows):
    count, seen = (Counter(getattr(row, name) for row in rows) for name in ("verdict", "seen"))
    words = f"{len(rows)} row{'s' if len(rows) > 1 else ''}: "
    words += f"{count[HOLDS]} hold, {count[FAILS]} fail, {count[OPEN]} undecided."
    if seen != count:
        words += f" In this run {seen[HOLDS]} are seen, {seen[FAILS]} not, {seen[OPEN]} open."
    units = {row.unit for row in rows if row.unit}
    effects = [row.effect for row in rows if pd.notna(row.effect)]
    if len(units) == 1 and len(effects) > 1:
        words += " Effects from {} to {}.".format(*(effect_text(end(effects), *units) for end in (min, max)))
    return words


def _effect(row):
    interval = _interval(row)
    words = effect_text(row.effect, row.unit) + (f" [{interval}]" if interval else "")
    notes = ", ".join(filter(None, [row.short, row.note]))
    return f"{words} ({notes})" if notes and words else words or notes


def _interval(row):
    if pd.isna(row.low):
        return ""
    return f"{effect_text(row.low, row.unit, words=False)} to {effect_text(row.high, row.unit, words=False)}"
