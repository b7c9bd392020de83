"""The tidy tables, described once: their names, columns and keys, and the order in which everything stands.

Margins and distances are L2 with pixels in [0, 1]; accuracies and errors are in percent. Nothing here needs pandas, so
that rules and scripts may read it at no cost.
"""

from typing import NamedTuple

from lib.data.names import TITLES


class Run(NamedTuple):
    """One training: its place in every path, and the first columns of every tidy table."""

    dataset: str
    model: str
    method: str
    seed: int

    def __str__(self):
        return f"{self.dataset}/{self.model}/{self.method}/seed{self.seed}"

    def weights(self):
        """The file of its released weights, in a folder of reference results."""
        return f"weights/{str(self).replace('/', '-')}.safetensors"


RUN = list(Run._fields)
NETWORK = RUN[:3]
DATASETS = ["mnist", "cifar10"]  # of table 1
LINEAR, NETWORKS = ["lr"], ["mlp", "cnn"]  # exact margins; sampled margins, and the models of table 1
OFFICIAL = TITLES  # what a reader calls data sets that are the official ones
MODELS = {"lr": "LR", "mlp": "MLP", "cnn": "CNN"}
METHODS = {"std": "Std", "lcr": "LCR", "amr": "AMR"}
SPLITS = {"train": "training points", "test": "test points"}
PANELS = [(dataset, model) for dataset in DATASETS for model in NETWORKS]

COLUMNS = {
    "curves": [*RUN, "epoch", "train_loss", "train_error", "test_error"],
    "margins": [*RUN, "epoch", "split", "index", "label", "prediction", "margin", "margin_error"],  # a line a point
    "margin_summary": [*RUN, "epoch", "split", "points", "minimum", "average", "distance"],  # distance: without signs
    "attacks": [*RUN, "index", "label", "eps", "broken_at", "held"],  # broken_at: the step that broke it, -1: none
    "brackets": [*RUN, "epoch", "split", "index", "margin", "distance"],  # no signs; inf: no attack crossed
    "strong": [*RUN, "index", "label", "gradient", "eps", "held"],  # gradient: the first one's length
    "masking": [*RUN, "factor", "floor", "eps", "points", "robust"],
    "convergence": [*RUN, "samples", "index", "label", "margin", "foretold", "foretold_error"],
    "svm": ["split", "index", "label", "prediction", "margin"],
}
FOLDERS = {"curves": "train", "margin_summary": "margins", "attacks": "attack", "brackets": "bracket"}  # of their parts
MAY_BE_EMPTY = ["foretold", "foretold_error"]  # where too few samples were drawn
TABLES = [name for name in COLUMNS if name != "svm"]  # gathered from many runs
OF_NETWORKS = ["attacks", "brackets", "strong", "masking", "convergence"]  # which have no lines of linear models
OF_STD = ["masking", "convergence"]  # which have lines of standard training only


class Context(NamedTuple):
    """What stands behind the tables.

    datasets: {name: provenance}; networks: {(data set, model): settings.Network} of those that were run; settings: the
    config, where all of it matters; differences: what is less than in the paper or other, a sentence each, or ''
    """

    datasets: dict
    networks: dict
    settings: dict
    differences: str


def select(table, **keys):
    """Return the rows of `table` whose columns equal `keys`; a list matches any of its values."""
    for column, wanted in keys.items():
        table = table[table[column].isin(wanted if isinstance(wanted, list) else [wanted])]
    return table


def at_the_end(averages):
    """Return the rows of `averages` that are of test points and of the last epoch of their run.

    averages: dataset, model, method, seed, epoch, split and more
    """
    test = averages[averages["split"] == "test"]
    return test[test["epoch"] == test.groupby(RUN)["epoch"].transform("max")]
