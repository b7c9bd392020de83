"""What holds for one network: the most specific value."""

import pytest

from report.settings import located, setting

NETWORKS = [("mnist", "mlp"), ("mnist", "cnn"), ("cifar10", "mlp"), ("cifar10", "cnn")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, [7, 7, 7, 7]),
        (None, [None] * 4),
        ({"mlp": 1, "cnn": 2}, [1, 2, 1, 2]),
        ({"mnist": 3, "cifar10": 4}, [3, 3, 4, 4]),
        ({"mnist": {"mlp": 1000, "cnn": 200}, "cifar10": 500}, [1000, 200, 500, 500]),
        ({"mlp": 1, "cnn": 2, "mnist": 3, "cifar10": {"cnn": 4}}, [3, 3, 1, 4]),  # levels mixed
        ({"mnist": None, "mlp": 1, "cnn": 2}, [None, None, 1, 2]),
    ],
)
def test_the_most_specific_value_wins(value, expected):
    config = {"attack": {"points": value}}
    assert [setting(config, "attack.points", *name) for name in NETWORKS] == expected


def test_a_network_without_a_value_is_an_error():
    for value in ({"mlp": 1}, {"mnist": 1, "cifar10": {"mlp": 2}}):
        with pytest.raises(LookupError, match=r"attack\.points has no value for cnn on cifar10"):
            setting({"attack": {"points": value}}, "attack.points", "cifar10", "cnn")


def test_a_value_is_found_where_it_stands():
    config = {"threads": {"mnist": {"mlp": 1}, "cifar10": 2, "cnn": 3}}
    places = [located(config, "threads", *name)[0] for name in NETWORKS]
    assert places == ["threads.mnist.mlp", "threads.cnn", "threads.cifar10", "threads.cifar10"]
