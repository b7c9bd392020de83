"""Draw the points of one data set whose margins are measured, and the test images that are attacked."""

from lib.data.arrays import read_arrays
from lib.data.points import draw_points
from workflow_scripts.common.files import write_arrays
from workflow_scripts.common.runner import call


def main(data, margins, attack, *, train, test, attacked, points_seed):
    """Write `train` + `test` points to `margins` and `attacked` test images to `attack`; None means all.

    The arrays index_* are positions in the data file, ascending. One seed serves all: attacked and measured test
    points overlap as far as their numbers allow.
    """
    arrays = read_arrays(data)
    for key, count, split in (
        ("points.train", train, "train"),
        ("points.test", test, "test"),
        ("attack.points", attacked, "test"),
    ):
        total = len(arrays[f"y_{split}"])
        if count is not None and count > total:
            raise ValueError(f"{key} is {count}, but {data} holds {total} {split} images: lower it in the config")
    measured = chosen(arrays, "train", train, points_seed) | chosen(arrays, "test", test, points_seed)
    images = chosen(arrays, "test", attacked, points_seed)
    write_arrays(measured, margins)
    write_arrays(images, attack)
    counts = [len(labels) for labels in (measured["y_train"], measured["y_test"], images["y_test"])]
    print("margins: {} training and {} test points; attack: {} test images".format(*counts))


def chosen(arrays, split, count, seed):
    total = len(arrays[f"y_{split}"])
    index = draw_points(total, total if count is None else count, seed=seed, split=split)
    x, y = arrays[f"x_{split}"][index], arrays[f"y_{split}"][index]
    return {f"x_{split}": x, f"y_{split}": y, f"index_{split}": index}


if __name__ == "__main__":
    call(main, snakemake)
