"""Hard-margin linear SVM: the classifier of largest minimum margin (section 3)."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.svm import SVC

C = 1e6  # how hard: a slack of 1e-6 would already cost as much as ||w||^2 / 2 = 1


def hard_margin_svm(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, float]:
    """Return (weight (d,), bias) of the hard-margin linear SVM; w^T x + b > 0 where y is the larger label.

    x (n, d) in any unit, y (n,) with two classes. Hard up to C = 1e6 in libsvm with tolerance 1e-5 (scikit-learn's
    SVC): on separable data the bound C is far above every multiplier, so that the solution is the hard-margin one.
    The distance of x to the boundary is |w^T x + b| / ||w||, in the units of x.
    Raises ValueError where there are not two classes, or where the data are not linearly separable.

    >>> import minavg
    >>> weight, bias = minavg.hard_margin_svm([[0, 0], [0, 2], [4, 0], [4, 2]], [0, 0, 1, 1])
    >>> f"margin {(weight @ weight) ** -0.5:.3f}, boundary at {-bias / weight[0]:.3f}"
    'margin 2.000, boundary at 2.000'
    """
    x, y = (np.asarray(part.detach().cpu().double() if hasattr(part, "detach") else part) for part in (x, y))
    if not 0 < len(x) == y.size or y.ndim != 1 or not np.isfinite(x := x.reshape(len(x), -1).astype(float)).all():
        raise ValueError(f"x {x.shape} and y {y.shape}: give one label a point, y of shape ({len(x)},), finite numbers")
    classes = np.unique(y)
    if len(classes) != 2:
        raise ValueError(f"the SVM needs two classes, the labels hold {len(classes)}: pass the points of two digits")
    unit = 2.0 ** np.round(np.log2(np.ptp(x, 0).max() or 1))  # a power of two changes no digit, and pixels not at all
    shift = np.floor(x.min(0) / unit) * unit  # features far from 0 would hide what tells the classes apart
    machine = SVC(C=C, kernel="linear", tol=1e-5, cache_size=1000).fit((x - shift) / unit, y == classes[1])
    weight, bias = machine.coef_[0] / unit, float(machine.intercept_[0])
    signed = np.where(y == classes[1], 1, -1) * ((x - shift) @ weight + bias)
    if signed.min() <= 0 or np.abs(machine.dual_coef_).max() >= C:
        wrong = f"{int((signed <= 0).sum())} of {len(x)} points on the wrong side"
        raise ValueError(f"the two classes are not linearly separable ({wrong}), or hardly: scale the features alike")
    return weight, bias - float(weight @ shift)
