"""ONNX: encoder and classifier as one graph that ONNX Runtime and others run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pouf_core.errors import PoufError
from pouf_core.exports import preprocessing
from pouf_core.exports.graph import OUTPUTS, Graph, graph_of
from pouf_core.exports.language import LanguageExport
from pouf_core.exports.model import ModelToExport
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.sentence_encoder import SentenceModel
from pouf_core.families.language.model import LanguageModel

MODEL = "model.onnx"
OPSET = 18
TOLERANCE = 1e-4
"""That probabilities may differ by from PyTorch's."""
_ROUNDING = 16 * torch.finfo(torch.float32).eps  # of the largest logit: more digits float32 does not tell
_EXAMPLES = ("a text", "some other text, and a longer one")
_FILLING = (("a", "a a a a"), ("a a", "a", "a a a"), ("a",))


@dataclass(frozen=True)
class Source:
    """What becomes a graph.

    Attributes:
        graph: from prepared items to probabilities.
        prepared: how items are prepared.
        name: of the graph's input.
        axes: of the input, that may have any length, with their names.
        batches: of the input; the first is traced, and the rest, of other lengths, are compared.
    """

    graph: Graph
    prepared: dict[str, Any]
    name: str
    axes: dict[int, str]
    batches: Sequence[Tensor]


def write_onnx(model: ModelToExport, directory: Path) -> dict[str, Any]:
    """Write `model.onnx`, compared with PyTorch, and return how items are prepared for it.

    The numbers of items, and of tokens, may be any.

    Raises:
        PoufError: `export_failed`: the network has an operation that ONNX lacks; `export_differs`: the graph gives
            other probabilities; `export_preprocessing_unknown`.
    """
    source = _source(model, directory)
    with torch.inference_mode(False), torch.no_grad():
        _write(source, directory / MODEL)
        _compare(source, directory / MODEL)
    return source.prepared


def _source(model: ModelToExport, directory: Path) -> Source:
    base = model.base
    if isinstance(base, LanguageModel):
        language = LanguageExport.of(model)
        graph = Graph(language.encoder(), "forward", model.variant, by_cosine=False).eval()
        batches = [language.tokens(texts) for texts in _FILLING]
        return Source(graph, language.write_reading(directory), "tokens", {0: "items", 1: "length"}, batches)
    assert isinstance(base, ClipLikeModel | SentenceModel)  # no other family is exported
    graph = graph_of(model, base)
    if isinstance(base, ClipLikeModel):
        pixels = torch.linspace(-1, 1, 6 * base.image_size**2).view(2, 3, base.image_size, base.image_size)
        batches = [pixels, torch.cat([pixels, pixels.flip(0)]), pixels[:1]]
        return Source(graph, preprocessing.of_pictures(base, directory), "pixels", {0: "items"}, batches)
    tokens = base.sentence_tokenizer.together(_EXAMPLES)
    batches = [tokens, torch.cat([tokens, tokens.flip(0)]), tokens[:1, : tokens.shape[1] // 2]]
    return Source(graph, preprocessing.of_texts(base, directory), "tokens", {0: "items", 1: "length"}, batches)


def _write(source: Source, target: Path) -> None:
    """By tracing: ten times as fast as `torch.export`, and `_compare` finds what tracing may take for constant."""
    dynamic = {source.name: source.axes, **{output: {0: "items"} for output in OUTPUTS}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing, whose result is compared with the network's
            torch.onnx.export(
                source.graph,
                (source.batches[0].contiguous(),),
                str(target),
                input_names=[source.name],
                output_names=list(OUTPUTS),
                dynamic_axes=dynamic,
                opset_version=OPSET,
                dynamo=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, TypeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise PoufError("export_failed", f"The network cannot be written as ONNX: {first}") from error


def _compare(source: Source, file: Path) -> None:
    """Refuse a graph whose probabilities are not PyTorch's, for batches of other sizes than it was traced with."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    for items in source.batches[1:]:
        probabilities, features, _ = source.graph(items)
        (theirs,) = session.run([OUTPUTS[0]], {source.name: items.numpy()})
        difference = float(np.abs(probabilities.numpy() - theirs).max())
        if not difference <= max(TOLERANCE, _ROUNDING * source.graph.largest_logit(features)):
            message = f"Probabilities of the exported graph differ from PyTorch's by {difference:.2g}."
            raise PoufError("export_differs", message)
