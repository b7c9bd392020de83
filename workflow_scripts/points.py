"""Draw the points of one data set whose margins are measured, and the test images that are attacked."""

import numpy as np

from lib.data import draw_points, read_arrays
from lib.job import whole_file


def main(data_npz, margins_path, attack_path, train, test, attack, seed):
    """Write `train` + `test` points to `margins_path` and `attack` test images to `attack_path`; None means all.

    The arrays index_* are positions in the data file, ascending. One seed serves all: attacked and measured test
    points overlap as far as their numbers allow.
    """
    data = read_arrays(data_npz)
    for key, count, split in (
        ("points.train", train, "train"),
        ("points.test", test, "test"),
        ("attack.points", attack, "test"),
    ):
        total = len(data[f"y_{split}"])
        if count is not None and count > total:
            raise ValueError(f"{key} is {count}, but {data_npz} holds {total} {split} images: lower it in the config")
    measured = chosen(data, "train", train, seed) | chosen(data, "test", test, seed)
    attacked = chosen(data, "test", attack, seed)
    save(margins_path, measured)
    save(attack_path, attacked)
    counts = [len(arrays) for arrays in (measured["y_train"], measured["y_test"], attacked["y_test"])]
    print("margins: {} training and {} test points; attack: {} test images".format(*counts))


def chosen(data, split, count, seed):
    total = len(data[f"y_{split}"])
    index = draw_points(total, total if count is None else count, seed=seed, split=split)
    x, y = data[f"x_{split}"][index], data[f"y_{split}"][index]
    return {f"x_{split}": x, f"y_{split}": y, f"index_{split}": index}


def save(path, arrays):
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(
        data_npz=snakemake.input.data,
        margins_path=snakemake.output.margins,
        attack_path=snakemake.output.attack,
        train=snakemake.params.train,
        test=snakemake.params.test,
        attack=snakemake.params.attack,
        seed=snakemake.params.seed,
    )
