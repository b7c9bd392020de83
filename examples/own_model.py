"""Margins and robust accuracy of a torch module of one's own: python examples/own_model.py (after pip install .)."""

import torch
from minavg.attacks import robust_accuracy
from minavg.margins import sampled_margins
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

source = torch.Generator().manual_seed(0)
margins = sampled_margins(model, x_test[:10], y_test[:10], radius=2.0, samples=128, generator=source)
robust = robust_accuracy(model, x_test, y_test, eps=(0.0, 0.25, 0.5, 1.0), step=0.05, iterations=50)
print(f"average margin {margins.mean():.2f}, minimum margin {margins.min():.2f} (L2, pixels in [0, 1])")
print("robust accuracy at eps 0, 0.25, 0.5, 1:", ", ".join(f"{share:.1f} %" for share in robust))
