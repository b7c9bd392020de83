"""What each figure shows, and the names of its files."""

from typing import NamedTuple

from report.results import METHODS


class Figure(NamedTuple):
    """What a figure shows: the data sets, tables and methods, and the methods without which it shows nothing."""

    datasets: list
    tables: list
    methods: list
    needed: list
    without: tuple = ()  # settings of the tables on which it does not depend


STD, BOTH, EVERY = ["std"], ["std", "amr"], list(METHODS)
FIGURES = {
    "training": Figure(["mnist01"], ["margins"], STD, STD, ("test",)),
    "1": Figure(["mnist01"], ["margins", "margin_summary"], STD, STD, ("test",)),
    "2": Figure(["cifar10"], ["margin_summary"], BOTH, STD),
    "3": Figure(["mnist01"], ["curves"], STD, STD),
    "4": Figure(["mnist", "cifar10"], ["curves"], STD, STD),
    "5": Figure(["cifar10"], ["margins"], STD, STD),
    "6": Figure(["mnist"], ["margin_summary"], EVERY, STD),
    "7": Figure(["mnist"], ["margins"], STD, STD),
    "S1": Figure(["mnist", "cifar10"], ["convergence"], STD, STD),
    "S2": Figure(["mnist", "cifar10"], ["attacks"], EVERY, EVERY),
    "S3": Figure(["mnist", "cifar10"], ["masking"], STD, STD),
    "S4": Figure(["mnist", "cifar10"], ["brackets"], EVERY, EVERY),
    "overview": Figure(["mnist", "cifar10"], ["margin_summary"], BOTH, STD, ("test",)),
}


def module_of(figure):
    """The module of report/ that draws a figure."""
    return "overview" if figure == "overview" else "supplement" if figure.startswith("S") else "figures"


def file_of(figure):
    """The name of a figure's files, without a suffix."""
    return figure if figure in ("overview", "training") else f"fig{figure}"
