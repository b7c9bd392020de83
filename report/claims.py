"""The paper's nine claims in words, the rules that judge them, and the form of a verdict.

The rules were written down before any result was known; `verdicts` applies them.
"""

from math import inf, nan
from typing import NamedTuple

HOLDS, FAILS, OPEN = "holds", "fails", "cannot be said"
# The rules of the verdicts, each with its reason.
POINTS = 100  # fewer points or images: the interval of a mean is wider than most effects
FEW_POINTS = 50  # enough where the same points are compared with themselves
EPOCHS = 0.1  # share of the paper's epochs: before that, the networks still learn to classify
SAMPLES = 256  # fewer behind a margin: its estimate is several percent too large
CHECKPOINTS = 5  # fewer measured epochs: Kendall's test cannot reach p < 0.05
TAU, P = 0.5, 0.05  # a minimum margin's trend: most pairs of epochs agree, and by more than chance
FIRST_EPOCHS = 10  # "after the first epochs"
SVM_TOLERANCE = 0.1  # percent: what the solver of the SVM may leave
SAMPLING = 5.0  # "hardly" for margins: percent by the last doubling of the samples
STEPS = 1.0  # "hardly" for robust accuracy: percent of the images broken in the second half of the steps

GENERAL = [
    "A claim holds if each of its rows holds, and fails if one of them fails; else it cannot be said. The same rule "
    "gives the verdict for one data set.",
    "A row holds if its 95 % interval lies wholly on the claimed side, and fails if it lies wholly on the other. "
    "Intervals are percentile bootstraps over points (2,000 draws, seeded; the same points on both sides of a "
    "comparison), and over seeds where there are several. With one seed they speak of these networks, not of the "
    "method. They are not corrected for the number of rows: where there is no effect, one row in forty seems to fail.",
    f"A row cannot be said on stand-in data, with fewer than {POINTS} points or attacked images, after fewer than a "
    f"tenth of the paper's epochs (20 for MLP and CNN, 100 for LR), with fewer than {SAMPLES} samples behind a sampled "
    "margin, or under an attack whose steps together are shorter than ε.",
    f"A minimum margin is the margin of one point, which a bootstrap cannot judge. It rises if Kendall's τ over the "
    f"measured epochs (mean of the seeds) is at least {TAU} with p < {P}, and the last value lies above the first; it "
    f"falls if the reverse is true; with fewer than {CHECKPOINTS} measured epochs it cannot be said. Epochs of one "
    "training are not independent, so p is a yardstick and no more.",
]

CLAIMS = {  # key: statement of the paper, our rule, where to see it
    "1": (
        "Logistic regression on digits 0 and 1 reaches zero training error; its minimum margin rises towards the SVM's "
        "and never passes it.",
        "The training error is zero at some epoch (if not, and the epochs are fewer than the paper's, it cannot be "
        "said); the minimum margin of the training points rises; at no epoch is it more than "
        f"{SVM_TOLERANCE:g} % above the SVM's, judged only where all training points are measured.",
        "figures 1a and 3",
    ),
    "2": (
        "The average margin of logistic regression on digits 0 and 1 falls after the first epochs and keeps falling.",
        f"From each checkpoint to the next, from epoch {FIRST_EPOCHS} on, the average margin of the training points "
        "falls.",
        "figure 1b",
    ),
    "3": (
        "The minimum margin rises during standard training for each of the six models, on training and on test points.",
        "For each model and split the minimum margin rises.",
        "figures 2a-c and 6",
    ),
    "4": (
        "The average margin falls during standard training for each of the six models, on training and on test points.",
        "For each model and split the average margin at the last checkpoint lies below that at the first.",
        "figures 2a-c and 6",
    ),
    "5": (
        "The average margin regulariser (AMR) ends with a larger average margin than standard training (Std).",
        "For each of the six models, AMR minus Std on the test points at the last epoch lies above zero.",
        "figure 2d-f and table 1",
    ),
    "6a": (
        "AMR has a higher robust accuracy than Std at every ε, and than LCR above all at large ε (as configured).",
        "For each network, AMR minus Std lies above zero at every ε, AMR minus LCR at the two largest; on the same "
        "attacked test images, under the attack as configured.",
        "table 1",
    ),
    "6b": (
        "The same claim under the strongest attack.",
        "The same rule, on images that no attack of ours broke.",
        "table 1, strong reading",
    ),
    "7": (
        "AMR has a larger average margin than Lipschitz constant regularisation (LCR).",
        "For each network, AMR minus LCR on the test points at the last epoch lies above zero.",
        "table 1",
    ),
    "8": (
        "Doubling the number of samples hardly changes the estimated margins.",
        "For each network after standard training, the last doubling changes the average of the margins' absolute "
        f"values by less than {SAMPLING:g} %, judged from {FEW_POINTS} points on.",
        "figure S1",
    ),
    "9": (
        "More PGD iterations hardly change the robust accuracy.",
        f"For each network and ε, the second half of the iterations breaks less than {STEPS:g} % of the images (exact "
        "binomial interval; of several seeds the widest).",
        "figure S2",
    ),
}


class Row(NamedTuple):
    """One comparison: its effect with a 95 % interval (NaN where none is possible) and what it says of the claim."""

    dataset: str
    case: str
    effect: float = nan
    low: float = nan
    high: float = nan
    unit: str = ""  # "L2", "pp" (percentage points), "%" (a change) or "error" (in %)
    verdict: str = OPEN
    note: str = "not run"  # why it is undecided, if for another reason than its interval
    room: float = -inf  # how far the interval lies inside the claim's bounds; below zero: outside


class Claim(NamedTuple):
    """A claim of the paper with its verdict, its rule, where to see it, and the rows that decide it."""

    key: str
    statement: str
    rule: str
    shown: str
    verdict: str
    rows: list
