"""How often the rules of the verdicts err where there is no effect: pure noise put through the functions that judge."""

from functools import partial

import numpy as np

from report.claims import FAILS, HOLDS, SAMPLING, STEPS, Case, Row, overall, settled
from report.statistics import of_change, of_mean, of_rare, of_shares, of_trend

SEEDS = [1, 2, 3, 5]
CHECKPOINTS = np.array([1, 10, 20, 30, 40, 50, 80, 120, 160, 200])


def margins(rng, seeds, spread, points=100):
    """A row on average margins: skewed, without an effect.

    A margin has a part of its point, one of its point and side, one of its own (such as its sampling), one of its seed.
    """
    true = rng.lognormal(0, 0.5, points)
    sides = [true + rng.exponential(0.2, points) + rng.normal(0, spread, (seeds, 1)) for _ in range(2)]
    sides = [side + rng.exponential(0.2, (seeds, points)) for side in sides]
    return {"interval": partial(of_mean, sides[1] - sides[0]), "above": 0}


def images(rng, seeds, spread, count=100):
    """A row on shares: images that held where a margin of such parts is long enough."""
    true, eps = rng.normal(0, 1, count), rng.normal(0, 1)
    sides = [true + rng.normal(0, 0.4, count) + rng.normal(0, 4 * spread, (seeds, 1)) for _ in range(2)]
    sides = [side + rng.normal(0, 0.4, (seeds, count)) for side in sides]
    return {"interval": partial(of_shares, (sides[1] > eps) * 1.0 - (sides[0] > eps)), "above": 0}


def doubling(rng, seeds, spread):
    """A row on the samples: 50 points whose margins change by just as much as is no longer hardly."""
    half = rng.lognormal(0, 0.5, 50) + np.zeros((seeds, 50))
    full = half * (1 - SAMPLING / 100 + rng.normal(0, 0.02, (seeds, 50)) + rng.normal(0, spread / 5, (seeds, 1)))
    return {"interval": partial(of_change, half, full), "above": -SAMPLING, "below": SAMPLING}


def steps(rng, seeds, spread):
    """A row on late images: of 1,000, just as many as are no longer hardly any."""
    chance = STEPS / 100 * (1 + rng.uniform(-1, 1, (seeds, 1)) * 16 * spread)
    late = rng.random((seeds, 1000)) < chance
    return {"interval": lambda level: [100 * end for end in of_rare(late, level)], "below": STEPS}


def trend(made, rng, seeds, spread):
    """A row on a minimum margin that has no trend, at the paper's checkpoints."""
    return {"interval": partial(of_trend, made(rng, (seeds, len(CHECKPOINTS)))), "above": 0}


def walk(rng, shape):
    return rng.normal(0, 1, shape).cumsum(axis=1)


def growing(rng, shape):
    return (rng.normal(0, 1, shape) * np.diff(CHECKPOINTS, prepend=0) ** 0.5).cumsum(axis=1)


def jumps(rng, shape):
    return rng.standard_t(2, shape).cumsum(axis=1)


def around(rng, shape):
    return rng.normal(0, 1, shape)


KINDS = {  # what is judged: rows of such a claim, one of them made of noise, spreads between the seeds
    "claim 2": (3, margins, [0.0, 0.05]),
    "claim 4": (12, margins, [0.0, 0.05]),
    "claim 5": (6, margins, [0.0, 0.05]),
    "claim 7": (4, margins, [0.0, 0.05]),
    "claim 6": (24, images, [0.0, 0.05]),
    "claim 4, 20 points": (12, partial(margins, points=20), [0.0]),
    "claim 6, 20 images": (24, partial(images, count=20), [0.0]),
    "claim 8": (4, doubling, [0.0, 0.05]),
    "claim 9": (48, steps, [0.0, 0.05]),
    "claim 3, random walk": (12, partial(trend, walk), [0.0]),
    "claim 3, steps growing as the epochs between": (12, partial(trend, growing), [0.0]),
    "claim 3, walk with jumps (t, 2 degrees of freedom)": (12, partial(trend, jumps), [0.0]),
    "claim 3, noise around a constant": (12, partial(trend, around), [0.0]),
}


def errors(kind, spread, seeds, trials=400):
    """Return in percent: claims of `kind` that fail, claims that hold, single rows that hold, all of them wrongly."""
    count, made, _ = KINDS[kind]
    rng = np.random.default_rng([seeds, count, int(100 * spread), *kind.encode()])
    found = []
    for _ in range(trials):
        rows = [Row(Case("", "", ""), **made(rng, seeds, spread)) for _ in range(count)]
        found.append([row.seen for row in settled(rows)])
    verdicts = [overall(rows) for rows in found]
    single = np.mean([[verdict == HOLDS for verdict in rows] for rows in found])
    return 100 * np.mean([v == FAILS for v in verdicts]), 100 * np.mean([v == HOLDS for v in verdicts]), 100 * single


def table(trials=400):
    """Return the lines of a Markdown table: false "fails" / "holds" / "holds" of one row, in percent, by seeds.

    With one seed a verdict speaks of its training run, so that there is no spread between seeds to be wrong about.
    """
    lines = ["| noise | spread | " + " | ".join(f"{n} seed{'s' * (n > 1)}" for n in SEEDS) + " |"]
    lines.append("| --- | ---: |" + " ---: |" * len(SEEDS))
    for kind, (_, _, spreads) in KINDS.items():
        for spread in spreads:
            cells = [
                ""
                if spread and seeds == 1
                else " / ".join(f"{rate:.1f}" for rate in errors(kind, spread, seeds, trials))
                for seeds in SEEDS
            ]
            lines.append(f"| {kind} | {spread or 'none'} | " + " | ".join(cells) + " |")
    return lines
