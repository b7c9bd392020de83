"""Exact distances to the boundary of tiny ReLU networks, an oracle for attacks: a QP in each activation region."""

from itertools import product

import numpy as np
import torch
from scipy.optimize import nnls
from sklearn.datasets import load_digits
from torch import nn


def exact_distances(model, x, bounds=None):
    """L2 distances (n,) of x (n, d) to the nearest point where another class is predicted, in float64.

    model: Sequential of Linear, ReLU, Linear, few hidden units, as 2^units regions are enumerated. bounds: (lowest,
    highest) value that a pixel may take, numbers; None allows all of R^d. inf where no other class can be reached.
    """
    (w, b), (v, c) = (
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()) for layer in model[::2]
    )
    regions = np.array(list(product((0, 1), repeat=len(b))))
    return np.array([_distance(w, b, v, c, regions, point, bounds) for point in x.double().numpy()])


def _distance(w, b, v, c, regions, x, bounds):
    units = w @ x + b
    top = (v @ np.maximum(units, 0) + c).argmax()
    rivals = np.delete(np.arange(len(c)), top)
    slopes = np.einsum("kh,rh,hd->rkd", v[top] - v[rivals], regions, w)  # of f_top - f_k in each region
    gaps = np.einsum("kh,rh,h->rk", v[top] - v[rivals], regions, units) + (c[top] - c[rivals])  # continued to x
    norms = np.linalg.norm(slopes, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.where(gaps <= 0, 0, np.where(norms > 0, gaps / norms, np.inf))  # with the region's walls left out
    best = np.inf
    for i in least.argsort(axis=None):  # the most promising pairs of a region and a class first
        r, k = np.unravel_index(i, least.shape)
        if least[r, k] >= best:
            break
        sides = 2 * regions[r] - 1
        walls, ends = np.vstack([sides[:, None] * w, -slopes[r, k]]), np.append(-sides * units, gaps[r, k])
        found = least_norm(walls, ends)
        if bounds is not None and found < best:  # else no nearer inside the box either
            box = np.eye(len(x))
            walls, ends = np.vstack([walls, box, -box]), np.concatenate([ends, bounds[0] - x, x - bounds[1]])
            found = least_norm(walls, ends)
        best = min(best, found)
    return best


def least_norm(g, h):
    """The least ||d|| with g d >= h by non-negative least squares (Lawson and Hanson 1974, chapter 23); inf if none."""
    scale = np.maximum(np.linalg.norm(g, axis=1), 1e-300)
    g, h = g / scale[:, None], h / scale
    if (h <= 0).all():
        return 0.0
    system, target = np.vstack([g.T, h]), np.eye(g.shape[1] + 1)[-1]
    multipliers, rest = nnls(system, target, maxiter=100 * len(h))
    if rest < 1e-6:
        return np.inf
    residual = target - system @ multipliers
    d = -residual[:-1] / residual[-1]
    assert (g @ d >= h - 1e-7).all(), "the QP's solution breaks a constraint"
    return np.linalg.norm(d)


def tiny_network(seed, units=7, steps=300):
    """A network of few hidden units trained on 1,500 of scikit-learn's digits, and the other 297, pixels in [0, 1]."""
    digits = load_digits()
    x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, units), nn.ReLU(), nn.Linear(units, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[:1500]), y[:1500]).backward()
        optimizer.step()
    return model.requires_grad_(False), x[1500:], y[1500:]
