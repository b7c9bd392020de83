"""The paper's nine claims in words, the numbers of the rules that judge them, and the form of a verdict.

The rules and their reasons stand in docs/verdicts.md, written down before any result was judged by them; `verdicts`
applies them.
"""

from collections.abc import Callable
from math import inf, nan
from typing import NamedTuple

from .departures import paper

HOLDS, FAILS, OPEN = "holds", "fails", "cannot be said"
ERROR = 0.05  # of a claim's verdict where there is no effect
# What a row needs to say something of the paper, and a run to say something of itself; each with its reason.
POINTS = 100  # fewer points or images: the interval of a mean is wider than most effects
FEW_POINTS = 50  # enough where the same points are compared with themselves
LEAST_POINTS = 20  # fewer say nothing at any scale: a t interval of skewed values needs some
EPOCHS = 0.1  # share of the paper's epochs: before that, the networks still learn to classify
SAMPLES = 256  # fewer behind a margin: its estimate is several percent too large
CHECKPOINTS = 3  # fewer measured epochs: no spread of the increments
FIRST_EPOCHS = 10  # "after the first epochs"
SVM_TOLERANCE = 0.1  # percent: what the solver of the SVM may leave
SAMPLING = 5.0  # "hardly" for margins: percent by the last doubling of the samples
STEPS = 1.0  # "hardly" for robust accuracy: percent of the images broken in the second half of the steps

GENERAL = [
    "A row holds if its 95 % interval lies wholly on the claimed side. It fails if its simultaneous interval, at 1 - "
    f"{ERROR:g} / (measured rows of the claim), lies wholly on the other. A claim, and its part on one network, holds "
    "if each of its rows holds, fails if one of them fails, and cannot be said else. Where there is no effect, a claim "
    "gets a false verdict of either kind in at most 5 % of the cases.",
    "With one seed the intervals come from the points (Student's t; the same points on both sides of a comparison), "
    "and a verdict speaks of that training run only. With several, the spread of the seeds widens them.",
    f"On the paper, a row cannot be said on stand-in data, with fewer than {POINTS} points or attacked images, after "
    f"fewer than a tenth of the paper's epochs ({EPOCHS * paper('mlp').epochs:g} for MLP and CNN, "
    f"{EPOCHS * paper('lr').epochs:g} for LR) or more than all, on a change that is first measured after that tenth, "
    f"with fewer than {SAMPLES} samples behind a sampled margin, under an attack whose steps together are shorter than "
    "ε, or where a setting that the paper names has another value (τ, say). What this run saw at its own scale needs "
    f"{LEAST_POINTS} points or images.",
    "A minimum margin rises or falls by a t test on its increments over at most ten epochs, evenly spaced on a "
    f"logarithmic axis (random walks have no such trend), at least {CHECKPOINTS}; of several seeds by their last "
    "values minus their first.",
    "An average margin of a network is judged only where the distances that an attack found, on the same points, reach "
    "the same verdict. The errors of extrapolated margins are independent between points and so within the intervals.",
]

SIGNED, UNSIGNED = "margins with signs", "distances, without signs"


def _both(key, statement, rule, shown):
    """A claim on average margins in two readings: as the paper defines them, and as its CIFAR-10 column looks."""
    agree = " The attack's distances must agree."
    return {
        f"{key}a": (statement, SIGNED, rule + agree, shown),
        f"{key}b": (statement, UNSIGNED, f"The same rule, on distances: margins without their signs.{agree}", shown),
    }


CLAIMS = {  # key: statement of the paper, how we read it where that is open, our rule, where to see it
    "1": (
        "Logistic regression on digits 0 and 1 reaches zero training error; its minimum margin rises towards the SVM's "
        "and never passes it.",
        "",
        "The training error is zero at some epoch (if not, and the epochs are fewer than the paper's, it cannot be "
        "said); the minimum margin of the training points rises; at no epoch is it more than "
        f"{SVM_TOLERANCE:g} % above the SVM's, judged only where all training points are measured.",
        "figures 1a and 3",
    ),
    "2": (
        "The average margin of logistic regression on digits 0 and 1 falls after the first epochs and keeps falling.",
        "",
        f"From each checkpoint to the next, from epoch {FIRST_EPOCHS} on, the average margin of the training points "
        "falls.",
        "figure 1b",
    ),
    "3": (
        "The minimum margin rises during standard training for each of the six models, on training and on test points.",
        "",
        "For each model and split the minimum margin rises.",
        "figures 2a-c and 6",
    ),
    **_both(
        "4",
        "The average margin falls during standard training for each of the six models, on training and on test points.",
        "For each model and split the average at the last checkpoint lies below that at the first.",
        "figures 2a-c and 6",
    ),
    **_both(
        "5",
        "The average margin regulariser (AMR) ends with a larger average margin than standard training (Std).",
        "For each of the six models, AMR minus Std on the test points at the last epoch lies above zero.",
        "figure 2d-f and table 1",
    ),
    "6a": (
        "AMR has a higher robust accuracy than Std at every ε, and than LCR above all at large ε.",
        "attack as configured",
        "For each network, AMR minus Std lies above zero at every ε, AMR minus LCR at the two largest; on the same "
        "attacked test images, under the attack as configured.",
        "table 1",
    ),
    "6b": (
        "AMR has a higher robust accuracy than Std at every ε, and than LCR above all at large ε.",
        "strongest attack",
        "The same rule, on images that no attack of ours broke.",
        "table 1, strong reading",
    ),
    **_both(
        "7",
        "AMR has a larger average margin than Lipschitz constant regularisation (LCR).",
        "For each network, AMR minus LCR on the test points at the last epoch lies above zero.",
        "table 1",
    ),
    "8": (
        "Doubling the number of samples hardly changes the estimated margins.",
        "",
        "For each network after standard training, the last doubling changes the average of the margins' absolute "
        f"values by less than {SAMPLING:g} %, judged from {FEW_POINTS} points on.",
        "figure S1",
    ),
    "9": (
        "More PGD iterations hardly change the robust accuracy.",
        "",
        f"For each network and ε, the second half of the iterations breaks less than {STEPS:g} % of the images (exact "
        "binomial intervals). An image that a smaller ε broke is not attacked again, so that of those which it broke "
        "late nothing is known: the interval reaches from the share without them to the share with them.",
        "figure S2",
    ),
}


NAMES = {  # of the claims, short enough for the head of a row
    "1": "0/1 separated, minimum rises towards the SVM's",
    "2": "0/1: average keeps falling",
    "3": "minimum rises",
    "4": "average falls",
    "5": "average: AMR above Std",
    "6": "robust accuracy: AMR above Std and LCR",
    "7": "average: AMR above LCR",
    "8": "last doubling of the samples changes little",
    "9": "second half of the steps changes little",
}


class Case(NamedTuple):
    """What a row compares: networks of one data set and model, how the page calls it, and how they were trained."""

    dataset: str
    model: str
    name: str
    methods: tuple = ("std",)


class Row(NamedTuple):
    """One comparison: its effect, what it says of the claim, and what stands in the way of saying it of the paper.

    interval: a function of a level that gives (low, high), None where there is none; beside: one that must agree with
    it; above, below: the claim's bounds
    """

    case: Case
    effect: float = nan
    interval: Callable | None = None
    beside: Callable | None = None
    above: float = -inf
    below: float = inf
    unit: str = ""  # "L2", "pp" (percentage points), "%" (a change) or "error" (in %)
    seen: str = OPEN  # in this run, at its scale
    short: str = "not run"  # why it says nothing of the paper, if for another reason than its interval
    note: str = ""
    seeds: int = 0
    low: float = nan  # of the 95 % interval
    high: float = nan

    @property
    def verdict(self):
        """What the row says of the paper."""
        return OPEN if self.short else self.seen

    @property
    def room(self):
        """How far the interval lies inside the claim's bounds; below zero: outside."""
        return -inf if self.interval is None else min(self.low - self.above, self.below - self.high)


class Claim(NamedTuple):
    """A claim of the paper with its verdict, its rule, where to see it, and the rows that decide it."""

    key: str
    statement: str
    reading: str
    rule: str
    shown: str
    rows: list

    @property
    def verdict(self):
        """On the paper, from the rows."""
        return overall(row.verdict for row in self.rows)


def overall(verdicts):
    """Return the verdict of several: one that fails is enough, else all must hold."""
    found = set(verdicts)
    if FAILS in found:
        return FAILS
    return HOLDS if found == {HOLDS} else OPEN


def settled(rows):
    """Return the rows with their 95 % intervals, and with what those say where it is not said already.

    A row fails by its simultaneous interval, since one of many is enough for the claim to fail.
    """
    count = sum(row.interval is not None for row in rows)
    return [row if row.interval is None else _settled(row, 1 - ERROR / count) for row in rows]


def _settled(row, simultaneous):
    low, high = row.interval(1 - ERROR)
    found = {_told(row, each, simultaneous) for each in (row.interval, row.beside) if each is not None}
    return row._replace(low=low, high=high, seen=found.pop() if len(found) == 1 else OPEN)


def _told(row, interval, simultaneous):
    """What an interval says of the row."""
    low, high = interval(1 - ERROR)
    lower, upper = interval(simultaneous)
    if low > row.above and high < row.below:
        return HOLDS
    return FAILS if upper < row.above or lower > row.below else OPEN
