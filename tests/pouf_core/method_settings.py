"""A value other than the default for every setting of a method, those of language models aside."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, Any] = {
    "tune": "head",
    "preset": "paper",
    "transport": "emd",
    "transport_weight": 1.0,
    "mutual_information_weight": 0.3,
    "class_prior": "uniform",
    "batch_size": 8,
    "learning_rate": 0.1,
    "max_steps": 3,
    "selection": "last",
    "last_n": 1,
    "anchor_weight": 1.0,
    "context": "per_class",
    "context_init": "random",
    "context_length": 4,
    "logit_scale_learning_rate": 0.0,
    "sinkhorn_regularization": 0.1,
    "unbalanced_regularization": 0.1,
    "unbalanced_marginal_penalty": 1.0,
    "partial_mass": 0.5,
    "precision": "float32",
    "fallback": "never",
}
