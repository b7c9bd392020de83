"""Settings by network: what holds for one data set and model, and in words what is less than in the paper.

A key of the config that may differ by network takes one value for all, or a mapping by model, by data set, or by data
set and model. The most specific value wins: {mnist: {mlp: 1}} before {mnist: 2} before {mlp: 3}.
"""

from typing import NamedTuple

from .results import LINEAR, MODELS, NETWORKS, OFFICIAL

# Keys that may differ by network, and the models that need a value.
BY_NETWORK = dict.fromkeys(["threads", "training.epochs", "training.batch_size", "checkpoints"], tuple(MODELS))
BY_NETWORK |= dict.fromkeys(["points.train", "points.test", "margins.followed"], tuple(MODELS))
BY_NETWORK |= dict.fromkeys(
    ["margins.samples", "margins.drawn", "attack.points", "attack.iterations", "bracket.steps"], NETWORKS
)
BY_NETWORK |= dict.fromkeys(
    ["strong.iterations", "masking.points", "convergence.points", "convergence.drawn"], NETWORKS
)


class Network(NamedTuple):
    """How large the run of a network is. None: all points, images or samples drawn; of a linear model, none at all."""

    epochs: int
    train: int | None
    test: int | None
    samples: int | None = None
    drawn: int | None = None
    images: int | None = None
    steps: int | None = None
    strong_steps: int | None = None
    checked: int | None = None  # samples drawn to follow the margins over them: figure S1


WORDS = {
    "epochs": "epochs",
    "train": "training points",
    "test": "test points",
    "samples": "samples",
    "drawn": "samples extrapolated from",
    "images": "attacked images",
    "steps": "PGD steps",
    "strong_steps": "steps of the strong PGDs",
    "checked": "samples of figure S1 extrapolated from",
}
DECISIVE = {  # what the lines of a tidy table depend on
    "curves": ["epochs"],
    "margins": ["epochs", "train", "test", "samples", "drawn"],
    "margin_summary": ["epochs", "train", "test", "samples", "drawn"],
    "brackets": ["epochs", "train", "test", "samples", "drawn"],
    "convergence": ["epochs", "samples", "checked"],
    "attacks": ["epochs", "images", "steps"],
    "strong": ["epochs", "images", "strong_steps"],
    "masking": ["epochs", "steps"],
}


def setting(config, key, dataset, model):
    """Return the value of a dotted `key` for a network; LookupError where a mapping has none for it."""
    return located(config, key, dataset, model)[1]


def located(config, key, dataset, model):
    """Return where the value of a `key` for a network stands in the config, as a dotted key, and the value."""
    value = config
    for part in key.split("."):
        value = value[part]
    if not isinstance(value, dict):
        return key, value
    of_dataset = value.get(dataset)
    if isinstance(of_dataset, dict) and model in of_dataset:
        return f"{key}.{dataset}.{model}", of_dataset[model]
    if dataset in value and not isinstance(of_dataset, dict):
        return f"{key}.{dataset}", of_dataset
    if model in value:
        return f"{key}.{model}", value[model]
    raise LookupError(f"{key} has no value for {model} on {dataset}")


def network(config, dataset, model):
    """Return the Network of a data set and model."""

    def of(key):
        return setting(config, key, dataset, model)

    whole = dataset in config["points"]["whole"]
    points = (None, None) if whole else (of("points.train"), of("points.test"))
    if model in LINEAR:
        return Network(of("training.epochs"), *points)
    attacked = of("attack.points"), of("attack.iterations"), of("strong.iterations")
    samples = of("margins.samples")
    drawn, checked = (n if n and n < samples else None for n in (of("margins.drawn"), of("convergence.drawn")))
    return Network(of("training.epochs"), *points, samples, drawn, *attacked, checked)


def configured(config):
    """Return [(data set, model)] of all that the config runs."""
    runs = config["runs"].items()
    return [(dataset, model) for dataset, of_dataset in runs for model, methods in of_dataset.items() if methods]


def networks(config):
    """Return {(data set, model): Network} of all that the config runs."""
    return {name: network(config, *name) for name in configured(config)}


TRAIN_IMAGES, TEST_IMAGES = {"mnist01": 12665, "mnist": 60000, "cifar10": 50000}, 10000  # of the official data


def paper(model):
    """Return the paper's Network (appendix A): the same on every data set."""
    if model in LINEAR:
        return Network(epochs=1000, train=500, test=500)
    return Network(200, 500, 500, 51200, 51200, images=TEST_IMAGES, steps=1000, strong_steps=1000, checked=51200)


PAPER = {  # what else the paper names
    "training": {"learning_rate": 0.01, "momentum": 0.9, "batch_size": 128},
    "objective": {
        "lambda": 0.1,
        "beta": 0.001,
        "tau": {"mnist": {"lr": 5, "mlp": 5, "cnn": 10}, "cifar10": {"lr": 5, "mlp": 10, "cnn": 10}},
    },
    "margins": {"radius": 5},
    "attack": {"step": 0.01},
}
CHOICES = {  # what config.yaml says where the paper is silent
    "training": {"gradient": "batch", "dropout": 0},
    "objective": {"orthogonality": "penalty", "layers": "all"},
    "attack": {"loss": "cross_entropy", "gradient_floor": 1e-7, "averaged_over": 1, "start": "image"},
}
SHOWN_IN = {  # tables that depend on a part of these; all do on the others
    "margins": ["margins", "margin_summary", "brackets", "convergence"],
    "attack": ["attacks", "strong", "masking"],
}


def departures(config, shown, tables):
    """Return one sentence on the settings that are `otherwise`, for captions; empty where none is."""
    found = [text for of in (PAPER, CHOICES) for text in otherwise(config, of, shown, tables)]
    return f"Set otherwise than by the paper or, where it is silent, by us: {'; '.join(found)}." if found else ""


def otherwise(config, wanted, shown, tables):
    """Return the settings that are not as in `wanted`, PAPER or CHOICES, in words, each with the networks concerned.

    shown: [(data set, model)]; tables: the tidy tables that show them
    """
    parts = [part for part in wanted if part not in SHOWN_IN or {*SHOWN_IN[part]} & {*tables}]
    found = []
    for key in (f"{part}.{name}" for part in parts for name in wanted[part]):
        whole = [name for name in shown if _matters(config, key, *name)]
        pairs = {name: (setting(config, key, *name), setting(wanted, key, *name)) for name in whole}
        found += _instead(key, {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}, whole, str)
    return found


def _matters(config, key, dataset, model):
    """Whether a setting has a part in what was run of a network."""
    methods = {*config["runs"][dataset][model]}
    part, name = key.split(".")
    if name in ("dropout", "layers") and model != "cnn":
        return False
    if part == "objective":
        return bool(methods & ({"amr"} if name in ("lambda", "tau") else {"lcr", "amr"}))
    return part == "training" or model in NETWORKS


def scale(of_networks, tables, without=()):
    """Return one sentence on what is less than in the paper, for captions; empty where nothing is.

    of_networks: {(data set, model): Network} of those that are shown; tables: the tidy tables that show them; without:
    fields that do not matter, though lines of the tables depend on them
    """
    found = []
    for field in WORDS:
        if field not in without and any(field in DECISIVE[table] for table in tables):
            whole, less = [], {}  # networks that have such a thing; those with less: (ours, the paper's)
            for name, of_network in of_networks.items():
                ours, theirs = getattr(of_network, field), getattr(paper(name[1]), field)
                whole += [name] if theirs and (ours is not None or field in ("drawn", "checked")) else []
                if ours is not None and theirs is not None and ours < theirs:
                    less[name] = ours, theirs
            found += _instead(WORDS[field], less, whole, "{:,}".format)
    return f"Below the paper's scale: {'; '.join(found)}." if found else ""


def _instead(what, pairs, whole, form):
    """Values that are not the paper's, in words: pairs {network: (ours, theirs)} of the list `whole`; form: to text."""
    grouped = {}
    for name, (ours, theirs) in pairs.items():
        grouped.setdefault(theirs, {}).setdefault(ours, []).append(name)
    for theirs, of_ours in grouped.items():
        told = ", ".join(f"{form(ours)}{named(names, whole)}" for ours, names in of_ours.items())
        yield f"{what} {told} instead of {form(theirs)}"


def named(names, whole):
    """Some networks of the list `whole` in brackets and few words: nothing for all, a model for all of that model."""
    if names == whole:
        return ""
    models = dict.fromkeys(model for _, model in names)
    if names == [name for name in whole if name[1] in models]:
        return f" ({', '.join(MODELS[model] for model in models)})"
    return f" ({', '.join(f'{OFFICIAL[dataset]} {MODELS[model]}' for dataset, model in names)})"
