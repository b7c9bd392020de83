import pytest
import torch

from lib.data.torchvision_files import import_torchvision


@pytest.fixture(autouse=True)
def seeded():
    """Give every test the same random numbers, whichever tests came before it."""
    torch.manual_seed(20190727)  # no seed of a test: a model's weights would be made of the same numbers as its images


@pytest.fixture
def no_network(monkeypatch):
    """Let every download fail, and count them."""
    downloads = []

    def download(self):
        downloads.append(self.root)
        raise OSError("<urlopen error no network>")

    for name in ("MNIST", "CIFAR10"):
        monkeypatch.setattr(getattr(import_torchvision().datasets, name), "download", download)
    return downloads
