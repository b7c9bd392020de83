"""Settings by network: what holds for one data set and model.

A key of the config that may differ by network takes one value for all, or a mapping by model, by data set, or by data
set and model. The most specific value wins: {mnist: {mlp: 1}} before {mnist: 2} before {mlp: 3}.
"""

from typing import NamedTuple

from .results import LINEAR, METHODS, MODELS, NETWORKS, Run

# Keys that may differ by network, and the models that need a value.
BY_NETWORK = dict.fromkeys(["threads", "training.epochs", "training.batch_size", "checkpoints"], tuple(MODELS))
BY_NETWORK |= dict.fromkeys(["objective.precision", "points.train", "points.test", "margins.followed"], tuple(MODELS))
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
    measured: int | None = None  # checkpoints at which the margins of Std, or of the first method, are measured


def setting(config, key, dataset, model):
    """Return the value of a dotted `key` for a network; LookupError where a mapping has none for it."""
    return located(config, key, dataset, model)[1]


def located(config, key, dataset, model):
    """Return where the value of a `key` for a network stands in the config, as a dotted key, and the value."""
    value = config
    for part in key.split("."):
        value = value[part]
    return picked(value, key, dataset, model)


def objective_of(config, dataset, model, method):
    """Return the arguments of lib.training.train that make up a method: std has neither term of eq. (4), lcr the
    second, amr both (tau None: no first term); a CNN alone has layers that are not linear.
    """
    weights = config["objective"]
    averaged, bounded = method == "amr", method in ("lcr", "amr")
    return {
        "lam": weights["lambda"] if averaged else 0.0,
        "beta": weights["beta"] if bounded else 0.0,
        "tau": setting(config, "objective.tau", dataset, model) if averaged else None,
        "orthogonality": weights["orthogonality"],
        "layers": weights["layers"] if bounded and model == "cnn" else "all",
        "precision": setting(config, "objective.precision", dataset, model) if bounded else "float32",
    }


def sgd_of(config, dataset, model):
    """Return the arguments of lib.training.train that every method shares."""
    given = config["training"]
    return {
        "learning_rate": given["learning_rate"],
        "momentum": given["momentum"],
        "batch_size": setting(config, "training.batch_size", dataset, model),
        "gradient": given["gradient"],
    }


def measured_epochs(config, run):
    """Return the epochs at which margins are measured point by point; run: has dataset, model and method."""
    epochs = setting(config, "checkpoints", run.dataset, run.model)
    followed = run.model in LINEAR or run.method in setting(config, "margins.followed", run.dataset, run.model)
    return epochs if followed else epochs[-1:]


def picked(value, key, dataset, model):
    """Return where in a `value`, which may be a mapping by network, that for one network stands, and that."""
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
    methods = config["runs"][dataset].get(model) or METHODS  # a target of one's own may be a network that is not named
    first = Run(dataset, model, min(methods, key=[*METHODS].index), 0)
    return Network(
        of("training.epochs"), *points, samples, drawn, *attacked, checked, len(measured_epochs(config, first))
    )


def configured(config):
    """Return [(data set, model)] of all that the config runs."""
    runs = config["runs"].items()
    return [(dataset, model) for dataset, of_dataset in runs for model, methods in of_dataset.items() if methods]


def networks(config):
    """Return {(data set, model): Network} of all that the config runs."""
    return {name: network(config, *name) for name in configured(config)}


TRAIN_IMAGES, TEST_IMAGES = {"mnist01": 12665, "mnist": 60000, "cifar10": 50000}, 10000  # of the official data
