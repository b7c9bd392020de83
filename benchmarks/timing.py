"""Interleaved timing, and the rows of the table that come out of it."""

from importlib import import_module
from statistics import median

COLUMNS = ["item", "method", "value", "lowest", "highest", "unit", "ratio", "target", "met", "note"]
OURS = "ours"
RUNS = 3  # at least


def measure(methods, seconds, clock):
    """Run the functions {name: function} in turn -> {name: [seconds of each run]}.

    The first round warms up and does not count. At least three rounds follow, more while there is time left:
    `seconds` for each method. All methods meet the same state of a machine whose speed drifts.
    """
    times = {name: [] for name in methods}
    for run in methods.values():
        run()
    start = clock()
    while len(min(times.values(), key=len)) < RUNS or clock() - start < seconds * len(methods):
        for name, run in methods.items():
            before = clock()
            run()
            times[name].append(clock() - before)
    return times


def fastest(functions, clock):
    """Return the key of the fastest of {key: function}, each run twice after a warm-up: a setting for a method."""
    times = {key: [] for key in functions}
    for key in [*functions] * 3:
        before = clock()
        functions[key]()
        times[key].append(clock() - before)
    return min(times, key=lambda key: min(times[key][1:]))


def row(item, method, values=(), unit="", **more):
    """Return a row of the table: the median of `values`, the lowest and the highest; without values it says "-"."""
    found = {"value": median(values), "lowest": min(values), "highest": max(values)} if values else {}
    given = {"item": item, "method": method, "unit": unit, "met": "-", **found, **more}
    return {column: given.get(column, "") for column in COLUMNS}


def rates(item, times, work, unit, *, targets=None, notes=None):
    """Return a row for each method of `times`, with work[method] units of work done in each run.

    ratio: the rate of the method "ours" over that of the method, from the medians.
    targets: {method: (">=" or "<=", ratio)}.
    """
    targets, notes = targets or {}, notes or {}
    table = []
    for method, seconds in times.items():
        more, found = {"note": notes.get(method, "")}, [work[method] / s for s in seconds]
        if method != OURS:
            more["ratio"] = median(work[OURS] / s for s in times[OURS]) / median(found)
        if method in targets:
            sign, bound = targets[method]
            more |= {"target": f"{sign} {bound}", "met": _met(more["ratio"], sign, bound)}
        table.append(row(item, method, found, unit, **more))
    return table


def _met(ratio, sign, bound):
    return "yes" if (ratio >= bound if sign == ">=" else ratio <= bound) else "no"


def peer(name):
    """Return the module `name`, or None where it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        return None


def not_installed(item, method, package, targets=None):
    """Return the row of a method that was left out because its package is missing."""
    sign, bound = (targets or {}).get(method, ("", ""))
    return row(item, method, target=f"{sign} {bound}".strip(), note=f"not measured: {package} is not installed")
