"""The regularised objective of eq. (4): cross-entropy, average-margin term, orthogonality penalty.

    loss = mean_i [ CE(y_i, f(x_i)) - lambda * clip(min_{k != y_i} (w_{y_i} - w_k)^T Phi(x_i), 0, tau) ]
           + beta * sum_l || W_l W_l^T - I ||_F^2

Standard training has lambda = beta = 0; Lipschitz regularisation (LCR) beta > 0; the average-margin one (AMR) both.
"""

from itertools import pairwise

import torch
from torch.nn import Parameter
from torch.nn.functional import cross_entropy

from .models import as_matrix, weights

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}  # of the penalty's products; None: the weights' own


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


def penalty(model: torch.nn.Module, layers: str = "all", folded_only: bool = False) -> torch.Tensor | float:
    """Return sum_l ||W_l W_l^T - I||_F^2, the last term of eq. (4), over all linear and convolutional layers.

    layers: "all", or "linear", which leaves the convolutions out. folded_only: only of weights that a layer computes
    from others, as weight and spectral norm do.
    """
    chosen = [w for w in weights(model, layers) if not (folded_only and isinstance(w, Parameter))]
    return sum(map(orthogonality, map(as_matrix, chosen)))


@torch.no_grad()
def add_penalty_gradient(model: torch.nn.Module, beta: float, layers: str = "all", precision: str = "float32") -> None:
    """Add the gradient of beta * penalty(model, layers) to the weights' gradients: 4 beta (W W^T - I) W.

    Twice as fast as autograd. precision: "float32", the weights' own, or "bfloat16" for the products of matrices.
    Gradients are laid out in memory as the weights are. Frozen weights, and those computed from others, are left out.
    """
    for parameter in weights(model, layers):
        if not (isinstance(parameter, Parameter) and parameter.requires_grad):
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        as_matrix(parameter.grad).add_(_excess(as_matrix(parameter), precision), alpha=4 * beta)


def _excess(weight, precision):
    """(W W^T - I) W, the same as W (W^T W - I), of which the one with the smaller Gram matrix is computed."""
    wide = weight.shape[0] <= weight.shape[1]
    factor = weight.to(PRECISIONS[precision] or weight.dtype)
    gram = _gram(factor if wide else factor.T)
    gram.diagonal().copy_(weight.square().sum(int(wide)) - 1)  # in full precision: near 1 bfloat16 has steps of 0.004
    return gram @ factor if wide else factor @ gram


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
def retract(model: torch.nn.Module, beta: float, layers: str = "all", precision: str = "float32") -> None:
    """Move each weight of these layers towards orthonormal rows, in place: W <- W - beta (W W^T - I) W.

    The retraction step of Cisse et al. (2017), section 4.2, taken after an update instead of the penalty. Frozen
    weights stay; ValueError for one that a layer computes from others, as weight and spectral norm do.
    """
    chosen = weights(model, layers)
    if not all(isinstance(weight, Parameter) for weight in chosen):
        raise ValueError("a weight is computed from others (weight or spectral norm): retraction needs plain ones")
    for weight in (as_matrix(weight) for weight in chosen if weight.requires_grad):
        weight.sub_(_excess(weight, precision), alpha=beta)
