import pytest

from lib.data.torchvision_files import import_torchvision


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
