"""Margins and robust accuracy of a torch module of one's own: python examples/own_model.py (after pip install .)."""

import torch
from minavg import evaluate
from sklearn.datasets import load_digits
from torch import nn

digits = load_digits()  # 1,797 real digits of 8 x 8 pixels, part of scikit-learn
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16  # (n, 1, 8, 8), in [0, 1]
y = torch.tensor(digits.target)
x_train, y_train, x_test, y_test = x[:1500], y[:1500], x[1500:], y[1500:]

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 16, 3), nn.GELU(), nn.Flatten(), nn.Linear(576, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(200):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x_train), y_train).backward()
    optimizer.step()
model.eval()

settings = {"eps": (0.25, 0.5, 1.0), "radius": 2.0, "samples": 5120, "drawn": 64, "step": 0.02, "iterations": 50}
it = evaluate(model, x_test[:50], y_test[:50], **settings, generator=torch.Generator().manual_seed(0))
print(it)  # it.points has a row a point, it.plot() draws: pip install matplotlib
