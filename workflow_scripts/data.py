"""Bring one data set from its source into one npz file, with a JSON file that says what it is."""

import warnings

from lib.data.arrays import ARRAYS
from lib.data.sources import load
from workflow_scripts.common.files import write_arrays, write_json
from workflow_scripts.common.job import tell
from workflow_scripts.common.runner import call


def main(npz, json, dataset, *, source, root, images=""):
    """Write the four arrays of `dataset` to `npz` and their provenance to `json`.

    images: what the rule took them for, which `json` keeps for the time when the source is gone.
    """
    with warnings.catch_warnings(record=True, action="always", category=UserWarning) as doubts:
        data = load(dataset, source=source, root=root)
    for doubt in doubts:
        tell(f"Warning: {doubt.message}")
    about = data.provenance | {"images": images}
    write_arrays({key: getattr(data, key) for key in ARRAYS}, npz)
    write_json(about, json)
    print(f"{about['title']}: {about['train']} training and {about['test']} test images, sha256 {about['sha256'][:12]}")


if __name__ == "__main__":
    call(main, snakemake)
