"""ONNX: encoder and classifier as one graph that ONNX Runtime and others run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pouf_core.errors import PoufError
from pouf_core.exports import preprocessing
from pouf_core.exports.graph import OUTPUTS, Graph, graph_of
from pouf_core.exports.model import ModelToExport
from pouf_core.families.cosine.clip_like import ClipLikeModel
from pouf_core.families.cosine.sentence_encoder import SentenceModel

MODEL = "model.onnx"
OPSET = 18
TOLERANCE = 1e-4
"""That probabilities may differ by from PyTorch's."""
_ROUNDING = 16 * torch.finfo(torch.float32).eps  # of the largest logit: more digits float32 does not tell
_EXAMPLES = ("a text", "some other text, and a longer one")


def write_onnx(model: ModelToExport, directory: Path) -> dict[str, Any]:
    """Write `model.onnx`, compared with PyTorch, and return how items are prepared for it.

    The numbers of items, and of tokens, may be any.

    Raises:
        PoufError: `export_failed`: the network has an operation that ONNX lacks; `export_differs`: the graph gives
            other probabilities; `export_preprocessing_unknown`.
    """
    base = model.base
    if isinstance(base, ClipLikeModel):
        prepared, name, axes = preprocessing.of_pictures(base, directory), "pixels", {0: "items"}
        examples = torch.linspace(-1, 1, 6 * base.image_size**2).view(2, 3, base.image_size, base.image_size)
    else:
        assert isinstance(base, SentenceModel)  # no other family is exported
        prepared, name, axes = preprocessing.of_texts(base, directory), "tokens", {0: "items", 1: "length"}
        examples = base.sentence_tokenizer.together(_EXAMPLES)
    graph = graph_of(model, base)
    with torch.inference_mode(False), torch.no_grad():
        _write(graph, examples.contiguous(), directory / MODEL, name, axes)
        _compare(graph, [torch.cat([examples, examples.flip(0)]), _shorter(examples, axes)], directory / MODEL, name)
    return prepared


def _write(graph: Graph, examples: Tensor, target: Path, name: str, axes: dict[int, str]) -> None:
    """By tracing: ten times as fast as `torch.export`, and `_compare` finds what tracing may take for constant."""
    dynamic = {name: axes, **{output: {0: "items"} for output in OUTPUTS}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing, whose result is compared with the network's
            torch.onnx.export(
                graph,
                (examples,),
                str(target),
                input_names=[name],
                output_names=list(OUTPUTS),
                dynamic_axes=dynamic,
                opset_version=OPSET,
                dynamo=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, TypeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise PoufError("export_failed", f"The network cannot be written as ONNX: {first}") from error


def _shorter(examples: Tensor, axes: dict[int, str]) -> Tensor:
    """One item, of half the length where lengths may differ."""
    return examples[:1, : examples.shape[1] // 2] if 1 in axes else examples[:1]


def _compare(graph: Graph, batches: Sequence[Tensor], file: Path, name: str) -> None:
    """Refuse a graph whose probabilities are not PyTorch's, for batches of other sizes than it was traced with."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    for items in batches:
        probabilities, features, _ = graph(items)
        (theirs,) = session.run([OUTPUTS[0]], {name: items.numpy()})
        difference = float(np.abs(probabilities.numpy() - theirs).max())
        if not difference <= max(TOLERANCE, _ROUNDING * graph.largest_logit(features)):
            message = f"Probabilities of the exported graph differ from PyTorch's by {difference:.2g}."
            raise PoufError("export_differs", message)
