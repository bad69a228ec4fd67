"""What every part of a run works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from pouf_core.adaptation.features import CPU
from pouf_core.adaptation.reporting import Reporter
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.items import Item
from pouf_core.feature_cache.cache import FeatureCache

Helpers = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class RunInputs:
    """A checked request with its data.

    Attributes:
        request: what was asked for.
        items: n items in order of content hash, each content once.
        cache: features of frozen encoders.
        reporter: told about everything.
        device: what encodes.
        helpers: starts the processes that train an item encoder with this one, which then leads their process group
            (`pouf_core.adaptation.parallel`); None for none.
    """

    request: CheckedRequest
    items: Sequence[Item]
    cache: FeatureCache
    reporter: Reporter
    device: torch.device = CPU
    helpers: Helpers | None = None
