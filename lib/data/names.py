"""What the data sets are called where they are the official ones."""

TITLES = {"mnist01": "MNIST 0/1", "mnist": "MNIST", "cifar10": "CIFAR-10"}
