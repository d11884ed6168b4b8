"""Points of many dimensions in the plane: PCA, and t-SNE where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def pca(points: Floats, dimensions: int = 2) -> tuple[Floats, Floats]:
    """Return the points' principal components, and the share of variance of each.

    points: (n, d); returns (n, dimensions) and (dimensions,), the greatest first.

    >>> line = np.outer(np.arange(5.0), [3.0, 4.0])
    >>> places, shares = pca(line, 1)
    >>> np.abs(places[:, 0]).round(6).tolist(), shares.round(6).tolist()
    ([10.0, 5.0, 0.0, 5.0, 10.0], [1.0])
    """
    centred = points.astype(np.float64) - points.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(points), dimensions))
    shares = np.zeros(dimensions)
    kept = min(dimensions, len(sizes))
    places[:, :kept] = (left * sizes)[:, :kept]
    total = np.square(sizes).sum()
    if total:
        shares[:kept] = np.square(sizes[:kept]) / total
    return places, shares


def tsne(points: Floats, seed: int = 0) -> Floats | None:
    """Return scikit-learn's t-SNE of the points, (n, 2); None where it is missing.

    None, too, of fewer than ten points, which have no neighbourhoods.

    Source: van der Maaten and Hinton, Visualizing Data using t-SNE, 2008.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        return None
    if len(points) < 10:
        return None
    fewer, _ = pca(points, min(30, points.shape[1]))
    perplexity = min(30.0, (len(points) - 1) / 3)
    # Half of the steps that are usual: from PCA on, the islands stand by then.
    made = TSNE(perplexity=perplexity, max_iter=500, init="pca", random_state=seed)
    return made.fit_transform(fewer)
