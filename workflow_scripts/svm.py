"""Fit the hard-margin SVM on digits 0 and 1 and measure its margins on the evaluated points."""

import numpy as np
import pandas as pd
import torch

from lib.data.arrays import read_arrays
from lib.margins import linear_margins
from lib.svm import hard_margin_svm
from workflow_scripts.common.checkpoints import load_points
from workflow_scripts.common.files import write_table
from workflow_scripts.common.point_tables import margin_table
from workflow_scripts.common.runner import call


def main(data, points, table):
    """Write one line a point: split, index, label, prediction, margin (L2, pixels in [0, 1])."""
    arrays = read_arrays(data)
    x, y = arrays["x_train"] / 255, arrays["y_train"]
    try:
        weight, bias = hard_margin_svm(x, y)
    except ValueError as error:
        raise ValueError(f"{data}: {error}; choose another data.source, or leave mnist01 out of runs") from error
    distances = np.abs(x.reshape(len(x), -1) @ weight + bias) / np.linalg.norm(weight)
    print(f"trained on {len(x)} points, minimum margin {distances.min():.6f}, average {distances.mean():.6f}")
    weights = torch.from_numpy(np.stack([-weight, weight]) / 2)  # the two logits of a classifier with the same boundary
    biases = torch.tensor([-bias, bias], dtype=torch.float64) / 2
    tables = []
    for split in ("train", "test"):
        x, y, index = load_points(points, "mnist01", split)
        prediction = (x.flatten(1).double() @ weights.T + biases).argmax(1)
        tables.append(margin_table(split, index, y, prediction, linear_margins(weights, biases, x, y)))
    write_table(pd.concat(tables), table)


if __name__ == "__main__":
    call(main, snakemake)
