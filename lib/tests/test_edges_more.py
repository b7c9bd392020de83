"""More of the edges: what a first layer writes over, where a network hides, steps that rounding swallows, odd labels."""

import pytest
import torch
from torch import nn

from lib.pullback import is_fast
from lib.tests.test_edges import MEASURES, Through, X, Y, assert_same, measured

pytestmark = pytest.mark.filterwarnings("ignore:.* has no fast gradients")


@pytest.mark.filterwarnings("ignore:inputs range from")
@pytest.mark.parametrize("layers", [(nn.ReLU(True), nn.Flatten()), (nn.Flatten(), nn.ReLU(True))])
def test_a_first_layer_in_place_leaves_the_points_as_they_were(layers):
    torch.manual_seed(0)
    model = nn.Sequential(*layers, nn.Linear(16, 4))
    assert is_fast(model)
    for name in ("margins", "norms", "lengths", "distances"):
        x = X - 0.5
        found = MEASURES[name](model, x, Y)
        assert torch.equal(x, X - 0.5), name
        torch.testing.assert_close(found, MEASURES[name](Through(model), x, Y), rtol=1e-3, atol=1e-5)
