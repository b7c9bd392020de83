"""npz files of any origin with x_train, y_train, x_test, y_test: checked, and recognised where they are known ones."""

import warnings
from pathlib import Path

import numpy as np

from .arrays import ARRAYS, Arrays, as_uint8, digest, read_arrays
from .names import TITLES

SHAPES = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}
MEANS = {"mnist": 33.3, "cifar10": 120.7}  # of all pixels of the official training images

# digest() of the four arrays of an npz file -> what they are
MNIST_DIGEST = "bcbb254c4d6c2ecb17e007532adbcbabd6866393c197b1300e464f66c768f0a4"
JPEG_DIGEST = "77ad9af664a8909781ff28b63238837ccb0e6405ca26a07a4135577c1ca0ecb0"
KNOWN = {
    MNIST_DIGEST: ("MNIST", "the official MNIST, recognised by its SHA-256"),
    JPEG_DIGEST: ("CIFAR-10 (JPEG)", "CIFAR-10 decoded from JPEG copies, slightly lossy, recognised by its SHA-256"),
}


def read(base: str, root: Path) -> tuple[Arrays, str, str]:
    """Return the four arrays of root/base.npz, their title and origin; errors name what is wrong."""
    path = root / f"{base}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: put {', '.join(ARRAYS)} there, or choose another source")
    given = read_arrays(path, remedy="write it again with numpy.savez from plain arrays")
    splits = [_checked_split(path, given, split, base) for split in ("train", "test")]
    arrays = as_uint8(splits)
    unknown = (f"{TITLES[base]} (unverified)", "arrays of unknown origin, no known SHA-256")
    title, origin = KNOWN.get(digest(*arrays), unknown)
    return arrays, title, f"{path.name}: {origin}"


def _checked_split(path, arrays, split, base):
    """Return images (n, h, w, c) and labels (n,) of a split; ValueError names the first thing that is wrong."""
    shape, x, y = SHAPES[base], arrays[f"x_{split}"], arrays[f"y_{split}"]

    def need(condition, key, wrong, remedy):
        if not condition:
            raise ValueError(f"{path}: {key}_{split} {wrong}: {remedy}")

    allowed = [shape, shape[:2]] if shape[2] == 1 else [shape]
    wanted = " or ".join(f"(n, {', '.join(map(str, one))})" for one in allowed)
    scale = "255 * " if x.size and x.max() <= 1 else ""
    whole = f"store whole numbers 0 to 255: numpy.rint({scale}x_{split}).astype('uint8')"
    need(x.dtype == np.uint8, "x", f"has type {x.dtype}, not uint8", whole)
    need(x.shape[1:] in allowed, "x", f"has shape {x.shape}", f"the shape must be {wanted}")
    need(np.issubdtype(y.dtype, np.integer), "y", f"has type {y.dtype}, no integers", "store labels as 0 to 9")
    need(y.ndim and y.shape[1:] in ((), (1,)), "y", f"has shape {y.shape}", "the shape must be (n,) or (n, 1)")
    need(len(x) == len(y), "y", f"has {len(y)} labels for {len(x)} images", "store one label for each image")
    inside = len(y) and y.min() >= 0 and y.max() <= 9
    need(inside, "y", "is empty or has labels outside 0 to 9", "store labels as 0 to 9")
    absent = sorted(set(range(10)) - set(np.unique(y).tolist()))
    need(not absent, "y", f"has no label {', '.join(map(str, absent))}", "every class must be present in both splits")
    fetch = "store the original pixels, 0 to 255"
    need(x.min() < x.max(), "x", f"holds {x.min()} alone, no images", fetch)
    need(x.max() > 1, "x", "holds 0 and 1 alone, as pixels do that were divided by 255 and cut to whole numbers", fetch)
    mean, usual = x.mean(), MEANS[base]
    if not usual / 2 < mean < usual * 2:
        warnings.warn(
            f"{path}: x_{split} has a mean of {mean:.1f}, {TITLES[base]} one of {usual}: {fetch}", stacklevel=2
        )
    return x.reshape(-1, *shape), y.reshape(-1)
