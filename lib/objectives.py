"""The regularised objective of eq. (4): cross-entropy, average-margin term, orthogonality penalty.

    loss = mean_i [ CE(y_i, f(x_i)) - lambda * clip(min_{k != y_i} (w_{y_i} - w_k)^T Phi(x_i), 0, tau) ]
           + beta * sum_l || W_l W_l^T - I ||_F^2

Standard training has lambda = beta = 0; Lipschitz regularisation (LCR) beta > 0; the average-margin one (AMR) both.
"""

from itertools import pairwise

import torch
from torch.nn.functional import cross_entropy

from .models import as_matrix, weights


def feature_margin(logits: torch.Tensor, bias: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return min_{k != y} (w_y - w_k)^T Phi(x), the margin in feature space (section 4.3), shape (n,).

    logits (n, c) of the last linear layer, bias (c,) of that layer, which stays out of the margin; labels y (n,).
    """
    scores = logits - bias  # (n, c), w_k^T Phi
    own = scores.gather(1, y[:, None]).squeeze(1)
    others = scores.scatter(1, y[:, None], -torch.inf)
    return own - others.amax(1)


def orthogonality(weight: torch.Tensor) -> torch.Tensor:
    """Return ||W W^T - I||_F^2 for a matrix W (m, n), computed on the smaller Gram side.

    ||W W^T||_F = ||W^T W||_F, so ||W W^T - I||_F^2 = ||W^T W||_F^2 - 2 ||W||_F^2 + m where that is cheaper.
    """
    m, n = weight.shape
    if m <= n:
        return (weight @ weight.T - torch.eye(m, dtype=weight.dtype, device=weight.device)).square().sum()
    return (weight.T @ weight).square().sum() - 2 * weight.square().sum() + m


def penalty(model: torch.nn.Module, layers: str = "all") -> torch.Tensor:
    """Return sum_l ||W_l W_l^T - I||_F^2, the last term of eq. (4), over all linear and convolutional layers.

    layers: "all", or "linear", which leaves the convolutions out.
    """
    return sum(orthogonality(as_matrix(weight)) for weight in weights(model, layers))


def folded_penalty(model: torch.nn.Module, layers: str = "all") -> torch.Tensor | float:
    """Return the part of `penalty` of weights that a layer computes from others, as weight and spectral norm do."""
    return sum(orthogonality(as_matrix(weight)) for weight in weights(model, layers) if not _is_plain(weight))


@torch.no_grad()
def add_penalty_gradient(model: torch.nn.Module, beta: float, layers: str = "all") -> None:
    """Add the gradient of beta * penalty(model, layers) to the weights' gradients: 4 beta (W W^T - I) W.

    The same on either Gram side, 4 beta W (W^T W - I), so that the smaller one is taken; twice as fast as autograd.
    Gradients are laid out in memory as the weights are. Frozen weights, and those of `folded_penalty`, are left out.
    """
    for parameter in weights(model, layers):
        if not (_is_plain(parameter) and parameter.requires_grad):
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        weight, gradient = as_matrix(parameter), as_matrix(parameter.grad)
        m, n = weight.shape
        gram = _gram(weight if m <= n else weight.T)
        gram.diagonal().sub_(1)
        gradient.addmm_(*((gram, weight) if m <= n else (weight, gram)), alpha=4 * beta)


def _is_plain(weight):
    return isinstance(weight, torch.nn.Parameter)


def _gram(v):
    """V V^T (s, s). A CPU computes the lower triangle in four block rows, 10/16 of the work, and mirrors it."""
    if v.device.type != "cpu" or len(v) < 256:
        return v @ v.T
    gram = v.new_empty(len(v), len(v))
    edges = [len(v) * i // 4 for i in range(5)]
    for start, stop in pairwise(edges):
        torch.mm(v[start:stop], v[:stop].T, out=gram[start:stop, :stop])
        gram[:start, start:stop] = gram[start:stop, :start].T
    return gram


def batch_loss(
    model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, *, lam: float = 0.0, tau: float = torch.inf
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (mean over the batch of CE - lambda * clipped feature margin, cross-entropy, logits).

    x (n, channels, height, width), y (n,). The cross-entropy and the logits (n, c) come detached, for the curves.
    """
    logits = model(x)  # (n, c)
    entropy = cross_entropy(logits, y)
    loss = entropy
    if lam:
        loss = entropy - lam * feature_margin(logits, model.head.bias, y).clamp(0, tau).mean()
    return loss, entropy.detach(), logits.detach()


@torch.no_grad()
def retract(model: torch.nn.Module, beta: float, layers: str = "all") -> None:
    """Move each weight of these layers towards orthonormal rows, in place: W <- (1 + beta) W - beta W W^T W.

    The retraction step of Cisse et al. (2017), section 4.2, taken after an update instead of the penalty. Frozen
    weights stay; ValueError for one that a layer computes from others, as weight and spectral norm do.
    """
    moved = [weight for weight in weights(model, layers) if weight.requires_grad or not _is_plain(weight)]
    if not all(map(_is_plain, moved)):
        raise ValueError("a weight is computed from others (weight or spectral norm): retraction needs plain ones")
    for weight in map(as_matrix, moved):
        small = weight @ (weight.T @ weight) if weight.shape[0] > weight.shape[1] else (weight @ weight.T) @ weight
        weight.mul_(1 + beta).sub_(small, alpha=beta)
