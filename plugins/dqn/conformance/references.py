"""Losses computed as their papers write them, one number at a time in float64, and numerical gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Row = Sequence[float]


def huber(error: float, kappa: float) -> float:
    """L_κ(u): u² / 2 up to κ, and κ (|u| − κ / 2) beyond (Dabney et al. 2018, eq. 9)."""
    return error * error / 2 if abs(error) <= kappa else kappa * (abs(error) - kappa / 2)


def quantile_huber(quantiles: Row, levels: Row, samples: Row, weights: Row, kappa: float) -> float:
    """Σ_i Σ_j w_j |τ_i − 1{u < 0}| L_κ(u) / κ with u = sample_j − quantile_i (Dabney et al. 2018, eq. 10)."""
    total = 0.0
    for quantile, level in zip(quantiles, levels, strict=True):
        for sample, weight in zip(samples, weights, strict=True):
            error = sample - quantile
            total += weight * abs(level - (error < 0)) * huber(error, kappa) / kappa
    return total


def projection(probabilities: Row, positions: Row, support: Row) -> np.ndarray:
    """Split each probability linearly between its two neighbouring atoms (Bellemare et al. 2017, eq. 7)."""
    spacing = support[1] - support[0]
    shares = np.zeros(len(support))
    for probability, position in zip(probabilities, positions, strict=True):
        clipped = min(max(position, support[0]), support[-1])
        for index, atom in enumerate(support):
            shares[index] += probability * max(0.0, 1 - abs(clipped - atom) / spacing)
    return shares


def log_softmax(numbers: Row) -> np.ndarray:
    """Return ln softmax, without overflow."""
    shifted = np.asarray(numbers) - max(numbers)
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def slope(function: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Return the gradient by central differences."""
    found = np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        moved = np.zeros(at.shape)
        moved[index] = step
        found[index] = (function(at + moved) - function(at - moved)) / (2 * step)
    return found
