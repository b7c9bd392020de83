"""Draw the points at which the margins of a network are measured, or the test images on which it is attacked."""

from lib.data.arrays import read_arrays
from workflow_scripts.common.evaluated import draw_points
from workflow_scripts.common.files import write_arrays
from workflow_scripts.common.runner import call


def main(data, points, use, *, wanted, points_seed):
    """Write the `wanted` number of points of each split, {"test": 500} say, to `points`; None means all.

    The arrays index_* are positions in the data file, in the order in which they were drawn. One seed serves all: a
    smaller number of points are the first of a larger one, and attacked and measured ones overlap as far as they go.
    """
    arrays, chosen = read_arrays(data), {}
    for split, count in wanted.items():
        total = len(arrays[f"y_{split}"])
        if count is not None and count > total:
            key = "attack.points" if use == "attack" else f"points.{split}"
            raise ValueError(f"{key} is {count}, but {data} holds {total} {split} images: lower it in the config")
        index = draw_points(total, count or total, seed=points_seed, split=split)
        chosen |= {f"{name}_{split}": arrays[f"{name}_{split}"][index] for name in ("x", "y")}
        chosen[f"index_{split}"] = index
        print(f"{use}: {len(index)} {split} points")
    write_arrays(chosen, points)


if __name__ == "__main__":
    call(main, snakemake)
