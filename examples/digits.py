"""How many regions lie between handwritten digits: of one class, and of two.

usage: python examples/digits.py [PICTURE]

Trains a network on scikit-learn's digits, counts its linear regions on the segments between all
pairs of 50 test images, and draws them. Needs scikit-learn and matplotlib. Writes digits.png unless
told otherwise.
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib import pyplot
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import pyexpr

EACH = 5  # images of every class


def main(picture: str = "digits.png") -> None:
    data = load_digits()
    train, test, train_labels, labels = train_test_split(
        data.data / 16, data.target, test_size=0.25, random_state=0
    )
    classifier = MLPClassifier([64, 64], max_iter=100, random_state=0, tol=1e-2)
    classifier.fit(train, train_labels)
    chosen = np.concatenate([np.flatnonzero(labels == digit)[:EACH] for digit in range(10)])

    regions = pyexpr.count_pairs(classifier, test[chosen])  # int64 [1225], a number a pair
    lengths = pdist(test[chosen])  # in the same order
    alike = pdist(labels[chosen][:, None]) == 0
    print(f"test accuracy {classifier.score(test, labels):.3f}")
    for name, pairs in (("one class", alike), ("two classes", ~alike)):
        bends = ((regions[pairs] - 1) / lengths[pairs]).mean()
        print(f"{name}: {regions[pairs].mean():.1f} regions, {bends:.1f} bends a unit of length")
    print(regions.certificate)

    figure, ax = pyplot.subplots(figsize=(5, 4.2), layout="constrained")
    image = ax.imshow(squareform(regions) + np.eye(len(chosen)))
    ticks = np.arange(10) * EACH + (EACH - 1) / 2
    ax.set_xticks(ticks, [*"0123456789"])
    ax.set_yticks(ticks, [*"0123456789"])
    figure.colorbar(image, label="linear regions between two images")
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
