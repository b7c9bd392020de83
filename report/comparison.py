"""Our numbers beside others: Table 1 beside the published one, an attack beside the strongest, a margin's estimate
beside the distance that an attack found."""

import numpy as np

from .claims import ERROR
from .results import NETWORK
from .statistics import of_shares

OVERSTATED = 5.0  # percentage points between two attacks that are worth a sentence


def readings(attacks, strong, floor):
    """Return robust accuracies (percent) under the attack as configured and under the strongest, on the same images.

    attacks, strong: dataset, model, method, seed, eps, index, held; strong also gradient, the length of the first
    gradient at the image; floor: of the attack as configured. The result has one dict a network and eps: images,
    configured, strong, overstated (the difference in percentage points), low and high (its 95 % interval), sure (it is
    above zero by its simultaneous interval, over all networks and eps), masked (percent of the images whose gradient is
    shorter than the floor).
    """
    if attacks.empty or strong.empty:
        return []
    cell = [*NETWORK, "seed", "eps", "index"]
    both = attacks[[*cell, "held"]].merge(
        strong[[*cell, "held", "gradient"]], on=cell, suffixes=("_configured", "_strong")
    )
    rows, cells = [], both[both["eps"] > 0].groupby([*NETWORK, "eps"], sort=False)
    for key, pair in cells:
        configured, strongest = (
            pair.pivot(index="seed", columns="index", values=f"held_{name}").dropna(axis=1).to_numpy(dtype=float)
            for name in ("configured", "strong")
        )
        low, high = of_shares(configured - strongest)
        least, _ = of_shares(configured - strongest, 1 - ERROR / len(cells))
        row = dict(zip([*NETWORK, "eps"], key, strict=True)) | {"images": configured.shape[1]}
        row |= {"configured": 100 * configured.mean(), "strong": 100 * strongest.mean()}
        row |= {"low": 100 * low, "high": 100 * high, "sure": least > 0}
        row["masked"] = 100 * (pair["gradient"] < floor).mean()
        rows.append(row | {"overstated": row["configured"] - row["strong"]})
    return rows


def failures(brackets):
    """Return the estimator's failure rate: the share (percent) of points whose margin lies above a distance at which
    an attack found an adversarial point, with the number of points where one was found (rate NaN: nowhere).

    brackets: dataset, model, method, seed, epoch, split, index, margin, distance (L2; NaN or infinite: none found)
    """
    found = np.isfinite(brackets["distance"].astype(float))
    counted = brackets.assign(found=found, above=found & (brackets["margin"] > brackets["distance"]))
    rates = counted.groupby([*NETWORK, "epoch", "split"], sort=False)[["found", "above"]].sum().reset_index()
    rate = 100 * rates["above"] / rates["found"].where(rates["found"] > 0)
    return rates.assign(rate=rate).rename(columns={"found": "points"}).drop(columns="above")


def foretold(convergence, networks):
    """Return how well margins told from few samples meet those of all, a dict a network of which all were drawn to see.

    convergence: dataset, model, method, seed, samples, index, margin, foretold; networks: {(data set, model): Network}
    From the most samples in the table up to those drawn elsewhere. In percent of a margin: bias (of the mean over
    points and seeds) with its standard error, and rms of single points.
    """
    lines = []
    for (dataset, model), table in convergence.groupby(["dataset", "model"], sort=False):
        network, of_point = networks[dataset, model], table.set_index(["seed", "index"])
        if network.drawn is None or network.checked is not None:
            continue
        drawn = table["samples"][table["samples"] <= network.drawn].max()
        told, real = (of_point[of_point["samples"] == n] for n in (drawn, network.samples))
        error = 100 * (told["foretold"] / real["margin"] - 1)
        line = {"dataset": dataset, "model": model, "points": len(error), "drawn": drawn, "samples": network.samples}
        lines.append(line | {"bias": error.mean(), "error": error.sem(), "rms": (error**2).mean() ** 0.5})
    return lines
