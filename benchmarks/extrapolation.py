"""Hours of the paper's full run: the work that config.yaml asks for over rates, as published and with fewer draws."""

from report.results import MODELS, OFFICIAL
from report.settings import TEST_IMAGES, TRAIN_IMAGES, network, setting

from .timing import row

ITEM = "hours of the paper's run, "  # where, and how the margins are taken, follow
DRAWN = 1024  # instead of all


def full_run(config, item, drawn, training, gradients, steps):
    """Return a row of hours for each phase of each network, and their sum.

    drawn: of the samples of a margin; None: all. training: {(dataset, model, method): images/s};
    gradients: {(dataset, model): class gradients/s, samples drawn}; steps: {(dataset, model): attack steps/s}. Left
    out: linear models' exact margins, and the supplement. The attack is an upper bound, as if no point broke.
    """
    rows = []
    for dataset, models in config["runs"].items():
        for model, methods in models.items():
            name, key = f"{OFFICIAL[dataset]} {MODELS[model]}", (dataset, model)
            runs = len(methods) * len(config["seeds"])
            sizes, images = network(config, dataset, model), TRAIN_IMAGES[dataset]
            epochs = sizes.epochs
            seconds = sum(epochs * images / training[dataset, model, method] for method in methods)
            note = f"{runs} run{'s' if runs > 1 else ''} x {epochs:,} epochs x {images:,} images"
            rows.append(_hours(item, f"training, {name}", seconds * len(config["seeds"]), note))
            if key not in gradients:
                continue
            points, samples = sizes.train + sizes.test, drawn or sizes.samples
            checkpoints = len(setting(config, "checkpoints", dataset, model))
            work = runs * checkpoints * points * samples * 9
            note = f"{runs} runs x {checkpoints} checkpoints x {points:,} points x {samples:,} samples x 9 classes"
            rows.append(_hours(item, f"margins, {name}", work / gradients[key], note))
            images, eps = sizes.images or TEST_IMAGES, config["attack"]["eps"][dataset]
            work = runs * images * len(eps) * sizes.steps
            note = f"at most: {runs} runs x {images:,} images x {len(eps)} eps x {sizes.steps:,} steps"
            rows.append(_hours(item, f"attack, {name}", work / steps[key], note))
    rows.sort(key=lambda found: found["method"].split(",")[0] != "training")  # the other two phases stay together
    total = sum(found["value"] for found in rows)
    return [*rows, row(item, "sum", [total], "h", note=f"{total / 24:,.1f} days without a pause")]


def _hours(item, method, seconds, note):
    return row(item, method, [seconds / 3600], "h", note=note)
