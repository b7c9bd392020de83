"""minavg: minimum and average margins of classifiers, and how training changes them.

The reusable part of a reproduction of Wu and Yu, "Understanding Adversarial Robustness: The Trade-off
between Minimum and Average Margin" (NeurIPS 2019 workshop, arXiv 1907.11780).
"""

__version__ = "0.1.0"
