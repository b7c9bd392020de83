"""How long a job may take, as a cluster's scheduler asks: twice what it takes at these rates, and ten minutes."""

from math import ceil

from report.settings import TEST_IMAGES, TRAIN_IMAGES, network, setting

DAY = 24 * 60
# A second on one core, below those of benchmarks/results/table.csv, for slower ones; of trainings the slowest method.
IMAGES = {
    ("mnist01", "lr"): 80_000,
    ("mnist", "lr"): 44_000,
    ("mnist", "mlp"): 3_100,
    ("mnist", "cnn"): 890,
    ("cifar10", "lr"): 28_000,
    ("cifar10", "mlp"): 640,
    ("cifar10", "cnn"): 170,
}
CLASS_GRADIENTS = {
    ("mnist", "mlp"): 48_000,
    ("mnist", "cnn"): 2_800,
    ("cifar10", "mlp"): 31_000,
    ("cifar10", "cnn"): 560,
}
STEPS = {("mnist", "mlp"): 20_000, ("mnist", "cnn"): 1_100, ("cifar10", "mlp"): 5_300, ("cifar10", "cnn"): 330}


def minutes(rule, config, run, gpu=False):
    """Return the whole minutes that a job of `rule` may take; run: has dataset, model and method.

    At most a day on a GPU, where no rate was measured. An attack is given the time that it takes where nothing breaks.
    """
    work, rates = _work(rule, config, run)
    seconds = work / (rates[run.dataset, run.model] * setting(config, "threads", run.dataset, run.model))
    whole = 10 + ceil(2 * seconds / 60)
    return min(whole, DAY) if gpu else whole


def _work(rule, config, run):
    def of(key):
        return setting(config, key, run.dataset, run.model)

    sizes, train = network(config, run.dataset, run.model), TRAIN_IMAGES[run.dataset]
    points = (sizes.train or train) + (sizes.test or TEST_IMAGES)
    if rule == "train":
        return sizes.epochs * train, IMAGES
    if rule in ("margins", "convergence"):
        measured, drawn = (points, sizes.drawn) if rule == "margins" else (of("convergence.points"), sizes.checked)
        return measured * 9 * (drawn or sizes.samples), CLASS_GRADIENTS
    radii, images = len(config["attack"]["eps"][run.dataset]), sizes.images or TEST_IMAGES
    if rule == "attack":
        return images * radii * sizes.steps, STEPS
    if rule == "attack_strong":
        return images * (2 * radii * sizes.strong_steps + of("bracket.steps")), STEPS
    if rule == "bracket":
        epochs = of("checkpoints") if run.method in of("margins.followed") else [0]
        return len(epochs) * points * of("bracket.steps"), STEPS
    if rule == "masking":
        curves = len(config["masking"]["floors"]) * len(config["masking"]["factors"])
        return of("masking.points") * curves * sizes.steps, STEPS
    raise ValueError(f"rule {rule}: its work is not known")
