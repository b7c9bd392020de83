"""What the paper says of a run, what we chose where it is silent, and in words where a run departs from either."""

from operator import gt, lt
from typing import NamedTuple

from .results import LINEAR, METHODS, MODELS, NETWORKS, OFFICIAL, TABLES
from .settings import TEST_IMAGES, Network, picked, setting

WORDS = {
    "epochs": "epochs",
    "train": "training points",
    "test": "test points",
    "samples": "samples",
    "drawn": "samples extrapolated from",
    "measured": "measured checkpoints",
    "images": "attacked images",
    "steps": "PGD steps",
    "strong_steps": "steps of the strong PGDs",
    "checked": "samples of figure S1 extrapolated from",
}
DECISIVE = {  # what the lines of a tidy table depend on
    "curves": ["epochs"],
    "margins": ["epochs", "train", "test", "samples", "drawn", "measured"],
    "margin_summary": ["epochs", "train", "test", "samples", "drawn", "measured"],
    "brackets": ["epochs", "train", "test", "samples", "drawn", "measured"],
    "convergence": ["epochs", "samples", "checked"],
    "attacks": ["epochs", "images", "steps"],
    "strong": ["epochs", "images", "strong_steps"],
    "masking": ["epochs", "steps"],
}


def paper(model):
    """Return the paper's Network (appendix A): the same on every data set."""
    if model in LINEAR:
        return Network(epochs=1000, train=500, test=500)
    steps = {"steps": 1000, "strong_steps": 1000}
    return Network(200, 500, 500, 51200, 51200, images=TEST_IMAGES, **steps, checked=51200, measured=10)


class Stated(NamedTuple):
    """A setting beside the scale: the value that it should have, for all or by network, and where it matters."""

    value: object
    tables: tuple = tuple(TABLES)
    methods: tuple = tuple(METHODS)
    models: tuple = tuple(MODELS)


STD, REGULARISED, AVERAGED, NET, CNN = ("std",), ("lcr", "amr"), ("amr",), tuple(NETWORKS), ("cnn",)
SAMPLED = ("margins", "margin_summary", "brackets", "convergence")
ATTACKED = ("attacks", "strong", "masking")
TAU = {"mnist": {"lr": 5, "mlp": 5, "cnn": 10}, "cifar10": {"lr": 5, "mlp": 10, "cnn": 10}}
PAPER = {  # what else the paper names
    "training.learning_rate": Stated(0.01),
    "training.momentum": Stated(0.9),
    "training.batch_size": Stated(128),
    "objective.lambda": Stated(0.1, methods=AVERAGED),
    "objective.beta": Stated(0.001, methods=REGULARISED),
    "objective.tau": Stated(TAU, methods=AVERAGED),
    "margins.radius": Stated(5, SAMPLED, models=NET),
    "attack.eps": Stated({"mnist": [0.5, 1, 1.5, 2], "cifar10": [0.1, 0.2, 0.3, 0.4]}, ATTACKED, models=NET),
    "attack.step": Stated(0.01, ATTACKED, models=NET),
}
CHOICES = {  # what config.yaml says where the paper is silent
    "points.whole": Stated(["mnist01"], SAMPLED),
    "training.gradient": Stated("batch"),
    "training.dropout": Stated(0, models=CNN),
    "objective.orthogonality": Stated("penalty", methods=REGULARISED),
    "objective.layers": Stated("all", methods=REGULARISED, models=CNN),
    "objective.precision": Stated("float32", methods=REGULARISED),
    "attack.loss": Stated("cross_entropy", ("attacks",), models=NET),
    "attack.gradient_floor": Stated(1e-7, ("attacks", "strong"), models=NET),  # table1_strong: what it would mask
    "attack.averaged_over": Stated(1, ("attacks", "strong"), models=NET),
    "attack.start": Stated("image", ("attacks", "masking"), models=NET),
    "bracket.steps": Stated(200, ("brackets", "strong"), models=NET),
    "masking.points": Stated(200, ("masking",), STD, NET),
    "masking.floors": Stated([0, 1e-12, 1e-9, 1e-7, 1e-5], ("masking",), STD, NET),
    "masking.factors": Stated([1, 3, 10], ("masking",), STD, NET),
    "convergence.points": Stated(50, ("convergence",), STD, NET),
}


def departures(config, shown, tables):
    """Return a sentence on the settings that are not the paper's and one on those that are not ours, for captions.

    Empty where none is. shown: {(data set, model): methods}; tables: the tidy tables that show them
    """
    stated = {"Not as in the paper": PAPER, "Not as in config.yaml, where the paper is silent": CHOICES}
    found = {words: otherwise(config, of, shown, tables) for words, of in stated.items()}
    return " ".join(f"{words}: {'; '.join(told)}." for words, told in found.items() if told)


def otherwise(config, wanted, shown, tables):
    """Return the settings that are not as in `wanted`, PAPER or CHOICES, in words, each with the networks concerned.

    shown: {(data set, model): methods}; tables: the tidy tables that show them
    """
    found = []
    for key, stated in wanted.items():
        if not {*stated.tables} & {*tables}:
            continue
        whole = [name for name in shown if name[1] in stated.models and {*shown[name]} & {*stated.methods}]
        pairs = {name: (setting(config, key, *name), picked(stated.value, key, *name)[1]) for name in whole}
        found += _instead(key, {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}, whole, str)
    return found


def scale(of_networks, tables, without=()):
    """Return a sentence on what is less than in the paper and one on what is more, for captions; empty at its scale.

    of_networks: {(data set, model): Network} of those that are shown; tables: the tidy tables that show them; without:
    fields that do not matter, though lines of the tables depend on them
    """
    fields = [name for name in WORDS if name not in without and any(name in DECISIVE[table] for table in tables)]
    found = {
        words: [text for field in fields for text in _sized(of_networks, field, differs)]
        for words, differs in (("Below", lt), ("Above", gt))
    }
    return " ".join(f"{words} the paper's scale: {'; '.join(told)}." for words, told in found.items() if told)


def _sized(of_networks, field, differs):
    """In words, where a field of some networks `differs` from the paper's: lt, gt."""
    whole, other = [], {}  # networks that have such a thing, all of it or a number; {one with another: (ours, theirs)}
    for name, of_network in of_networks.items():
        ours, theirs = getattr(of_network, field), getattr(paper(name[1]), field)
        whole += [name] if theirs is not None else []
        if ours is not None and theirs is not None and differs(ours, theirs):
            other[name] = ours, theirs
    return _instead(WORDS[field], other, whole, "{:,}".format)


def _instead(what, pairs, whole, form):
    """Values that are not the paper's, in words: pairs {network: (ours, theirs)} of the list `whole`; form: to text."""
    grouped = {}
    for name, (ours, theirs) in pairs.items():
        grouped.setdefault(form(theirs), {}).setdefault(form(ours), []).append(name)
    for theirs, of_ours in grouped.items():
        told = ", ".join(f"{ours}{named(names, whole)}" for ours, names in of_ours.items())
        yield f"{what} {told} instead of {theirs}"


def named(names, whole):
    """Some networks of the list `whole` in brackets and few words: nothing for all, a model, a data set."""
    if names == whole:
        return ""
    for place, words in ((1, MODELS), (0, OFFICIAL)):
        of = dict.fromkeys(name[place] for name in names)
        if names == [name for name in whole if name[place] in of]:
            return f" ({', '.join(words[part] for part in of)})"
    return f" ({', '.join(f'{OFFICIAL[dataset]} {MODELS[model]}' for dataset, model in names)})"
