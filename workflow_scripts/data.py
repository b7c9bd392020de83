"""Bring one data set from its source into one npz file, with a JSON file that says what it is."""

import json

import numpy as np

from lib.data import ARRAYS, load
from lib.job import whole_file


def main(dataset, source, root, npz_path, json_path):
    """Write the four arrays of `dataset` to `npz_path` and their provenance to `json_path`."""
    data = load(dataset, source=source, root=root)
    about = data.provenance
    with whole_file(npz_path) as path, path.open("wb") as file:  # given a path, savez would add a suffix
        np.savez(file, **{key: getattr(data, key) for key in ARRAYS})
    with whole_file(json_path) as path:
        path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    print(f"{about['title']}: {about['train']} training and {about['test']} test images, sha256 {about['sha256'][:12]}")


if __name__ == "__main__":
    from lib.job import log_to

    log_to(snakemake.log[0])
    main(
        dataset=snakemake.wildcards.dataset,
        source=snakemake.params.source,
        root=snakemake.params.root,
        npz_path=snakemake.output.npz,
        json_path=snakemake.output.json,
    )
