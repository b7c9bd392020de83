"""How long a job may take, as a cluster's scheduler asks: twice what it takes at measured rates, and ten minutes."""

from math import ceil

from report.settings import setting

TRAIN, TEST = {"mnist01": 12665, "mnist": 60000, "cifar10": 50000}, 10000  # images
DAY = 24 * 60
# A second on one core, from benchmarks/results/table.csv; of trainings the slowest method.
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

    At most a day on a GPU, where no rate was measured. Any order of what breaks early is thought away: an attack is
    given the time that it takes where nothing breaks.
    """
    work, rates = _work(rule, config, run)
    seconds = work / (rates[run.dataset, run.model] * setting(config, "threads", run.dataset, run.model))
    whole = 10 + ceil(2 * seconds / 60)
    return min(whole, DAY) if gpu else whole


def _work(rule, config, run):
    def of(key):
        return setting(config, key, run.dataset, run.model)

    if rule == "train":
        return of("training.epochs") * TRAIN[run.dataset], IMAGES
    if rule in ("margins", "convergence"):
        points = of("points.train") + of("points.test") if rule == "margins" else of("convergence.points")
        return points * 9 * min(of("margins.drawn") or of("margins.samples"), of("margins.samples")), CLASS_GRADIENTS
    radii, images = len(config["attack"]["eps"][run.dataset]), of("attack.points") or TEST
    if rule == "attack":
        return images * radii * of("attack.iterations"), STEPS
    if rule == "attack_strong":
        return images * (2 * radii * of("strong.iterations") + of("bracket.steps")), STEPS
    if rule == "bracket":
        epochs = of("checkpoints") if run.method in of("margins.followed") else [0]
        return len(epochs) * (of("points.train") + of("points.test")) * of("bracket.steps"), STEPS
    if rule == "masking":
        curves = len(config["masking"]["floors"]) * len(config["masking"]["factors"])
        return of("masking.points") * curves * of("attack.iterations"), STEPS
    raise ValueError(f"rule {rule}: its work is not known")
