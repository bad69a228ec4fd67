"""Which collector reads uploads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pouf_core.contract.base_model import Modality
from pouf_core.contract.labels import LabelsWanted
from pouf_core.data.decoder import Decoder, DecoderLimits
from pouf_core.data.text_files import TextOptions
from pouf_core.data.uploads.collector import Collector
from pouf_core.data.uploads.embeddings import EmbeddingCollector
from pouf_core.data.uploads.keeper import Keeper
from pouf_core.data.uploads.limits import UploadLimits
from pouf_core.data.uploads.pictures import PictureCollector
from pouf_core.data.uploads.texts import TextCollector


@contextmanager
def collector_of(
    modality: Modality, keeper: Keeper, limits: UploadLimits, options: TextOptions, labels: LabelsWanted
) -> Iterator[Collector]:
    """The collector of a modality, to be used while the block runs.

    Args:
        modality: what the uploads hold.
        keeper: takes what is found.
        limits: of the uploads.
        options: what is known of files of texts.
        labels: where evaluation labels may come from.
    """
    with Decoder(DecoderLimits(limits.memory_bytes, limits.cpu_seconds)) as decoder:
        if modality == "embedding":
            yield EmbeddingCollector(keeper, limits, labels_wanted=labels)
        elif modality == "text":
            yield TextCollector(keeper, limits, labels_wanted=labels, options=options)
        else:
            yield PictureCollector(keeper, limits, labels_wanted=labels, decoder=decoder)
