"""The paper's six classifiers (appendix A): LR, MLP and CNN for MNIST and CIFAR-10.

Every model is `Sequential(features, head)`: `model.features(x)` is Phi(x) of eq. (4), `model.head` the last
linear layer. Logits out, pixels in [0, 1] in, shape (n, channels, height, width).
"""

from collections import OrderedDict

import torch
from torch import nn

SHAPES = {"mnist01": (1, 28, 28), "mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
CLASSES = {"mnist01": 2, "mnist": 10, "cifar10": 10}
HIDDEN = 1024
LAYERS = {"all": (nn.Linear, nn.Conv2d), "linear": (nn.Linear,)}  # under the orthogonality term
CNN_WIDTHS = {  # channels of the two blocks, width of the linear layers: Carlini and Wagner (2017), table 1
    (1, 28, 28): (32, 64, 200),
    (3, 32, 32): (64, 128, 256),
}


def build(dataset: str, model: str, *, seed: int = 0, dropout: float = 0.0) -> nn.Sequential:
    """Return a freshly initialised classifier of appendix A, on the CPU, in PyTorch's default initialisation.

    dataset: mnist01, mnist or cifar10; model: lr, mlp or cnn. The seed decides every initial weight; the global
    random state is left as it was. dropout: the share that training drops after the CNN's first linear layer (Carlini
    and Wagner drop a half); weights have the same names with it. Raises ValueError for a name that is not known.
    """
    if dataset not in SHAPES:
        raise ValueError(f"unknown dataset {dataset!r}: choose one of {', '.join(SHAPES)}")
    if model not in _FEATURES:
        raise ValueError(f"unknown model {model!r}: choose one of {', '.join(_FEATURES)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        features, width = _FEATURES[model](SHAPES[dataset])
        if dropout and model == "cnn":
            features[-3] = nn.Sequential(nn.ReLU(), nn.Dropout(dropout))
        head = nn.Linear(width, CLASSES[dataset])
    return nn.Sequential(OrderedDict(features=features, head=head))


def weights(model: nn.Module, layers: str = "all") -> list[nn.Parameter]:
    """Return the weight parameters of all linear and convolutional layers, or of the linear ones, first layer first."""
    return [layer.weight for layer in model.modules() if isinstance(layer, LAYERS[layers])]


def as_matrix(weight: torch.Tensor) -> torch.Tensor:
    """Return W_l of eq. (4), a view (out, in * k * k) of a weight or its gradient, columns in the order of memory.

    Channels-last kernels have other columns first; W W^T and the singular values are the same.
    """
    return (weight if weight.is_contiguous() else weight.movedim(1, -1)).flatten(1)


def _lr(shape):
    d = shape[0] * shape[1] * shape[2]
    return nn.Sequential(nn.Flatten()), d


def _mlp(shape):
    d = shape[0] * shape[1] * shape[2]
    return nn.Sequential(nn.Flatten(), nn.Linear(d, HIDDEN), nn.ReLU()), HIDDEN


def _cnn(shape):
    a, b, c = CNN_WIDTHS[shape]
    side = ((shape[1] - 4) // 2 - 4) // 2  # two unpadded 3x3 convolutions take 4 pixels, pooling halves
    features = nn.Sequential(
        *(nn.Conv2d(shape[0], a, 3), nn.ReLU(), nn.Conv2d(a, a, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(a, b, 3), nn.ReLU(), nn.Conv2d(b, b, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(b * side * side, c), nn.ReLU(), nn.Linear(c, c), nn.ReLU()),
    )
    return features, c


_FEATURES = {"lr": _lr, "mlp": _mlp, "cnn": _cnn}
