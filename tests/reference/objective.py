"""The objective and its gradients as loops over Python floats, from the formulas alone. Knows nothing of `pouf_core`.

Matrices are lists of B rows of K numbers; every gradient has the shape of its matrix.
"""

from __future__ import annotations

import math

Matrix = list[list[float]]

CONDITIONAL_EPSILON = 1e-5
MARGINAL_EPSILON = 1e-6


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    weights = [math.exp(value - top) for value in values]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def target_to_prototype(similarity: Matrix, logits: Matrix) -> tuple[float, Matrix, Matrix]:
    """Mean over items of the expected cost over classes, and its gradients by similarity and by plan logits."""
    batch, classes = len(similarity), len(similarity[0])
    value, by_similarity, by_logits = 0.0, zeros(batch, classes), zeros(batch, classes)
    for i in range(batch):
        plan = softmax(logits[i])
        cost = [1 - similarity[i][k] for k in range(classes)]
        expected = math.fsum(plan[k] * cost[k] for k in range(classes))
        value += expected / batch
        for k in range(classes):
            by_similarity[i][k] = -plan[k] / batch
            by_logits[i][k] = plan[k] * (cost[k] - expected) / batch
    return value, by_similarity, by_logits


def prototype_to_target(
    similarity: Matrix, logits: Matrix, prior: list[float] | None = None
) -> tuple[float, Matrix, Matrix]:
    """Mean over classes, weighted by the prior, of the expected cost over the batch, and its gradients."""
    batch, classes = len(similarity), len(similarity[0])
    value, by_similarity, by_logits = 0.0, zeros(batch, classes), zeros(batch, classes)
    for k in range(classes):
        weight = 1 / classes if prior is None else prior[k]
        plan = softmax([logits[i][k] for i in range(batch)])
        cost = [1 - similarity[i][k] for i in range(batch)]
        expected = math.fsum(plan[i] * cost[i] for i in range(batch))
        value += weight * expected
        for i in range(batch):
            by_similarity[i][k] = -weight * plan[i]
            by_logits[i][k] = weight * plan[i] * (cost[i] - expected)
    return value, by_similarity, by_logits


def mutual_information_loss(logits: Matrix, prior: list[float] | None = None) -> tuple[float, Matrix]:
    """H(Y|X) - H(Y) and its gradient by the class logits."""
    batch, classes = len(logits), len(logits[0])
    shares = [1 / classes] * classes if prior is None else prior
    rows = [softmax(row) for row in logits]
    marginal = [math.fsum(rows[i][k] for i in range(batch)) / batch for k in range(classes)]
    value = 0.0
    for row in rows:
        value -= math.fsum(p * math.log(p + CONDITIONAL_EPSILON) for p in row) / batch
    for k in range(classes):
        value += marginal[k] * (math.log(marginal[k] + MARGINAL_EPSILON) - math.log(classes * shares[k]))
    gradient = zeros(batch, classes)
    for i in range(batch):
        slopes = []
        for k in range(classes):
            p, q = rows[i][k], marginal[k]
            conditional = -(math.log(p + CONDITIONAL_EPSILON) + p / (p + CONDITIONAL_EPSILON))
            spread = math.log(q + MARGINAL_EPSILON) - math.log(classes * shares[k]) + q / (q + MARGINAL_EPSILON)
            slopes.append((conditional + spread) / batch)
        mean = math.fsum(rows[i][k] * slopes[k] for k in range(classes))
        for k in range(classes):
            gradient[i][k] = rows[i][k] * (slopes[k] - mean)
    return value, gradient


def loss(similarity: Matrix, logits: Matrix, weight: float) -> tuple[float, Matrix, Matrix]:
    """Transport plus `weight` times H(Y|X) - H(Y), where the plan logits are the class logits, and its gradients."""
    batch, classes = len(similarity), len(similarity[0])
    forth, forth_similarity, forth_logits = target_to_prototype(similarity, logits)
    back, back_similarity, back_logits = prototype_to_target(similarity, logits)
    information, information_logits = mutual_information_loss(logits)
    by_similarity, by_logits = zeros(batch, classes), zeros(batch, classes)
    for i in range(batch):
        for k in range(classes):
            by_similarity[i][k] = forth_similarity[i][k] + back_similarity[i][k]
            by_logits[i][k] = forth_logits[i][k] + back_logits[i][k] + weight * information_logits[i][k]
    return forth + back + weight * information, by_similarity, by_logits


def zeros(rows: int, columns: int) -> Matrix:
    return [[0.0] * columns for _ in range(rows)]
