"""Writing a model in another form."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pouf_core.contract.exports import ExportFormat, ExportOptions
from pouf_core.errors import ArtifactError
from pouf_core.exports.arrays import CLASSIFIER, save_classifier
from pouf_core.exports.card import Told, write_card
from pouf_core.exports.formats import formats_of, require_format
from pouf_core.exports.model import ModelToExport, read_model

ABOUT = "model.json"
_TEMPLATE = ("template.json", "What stands around a text, and how tokens are found in it.")
_ARRAYS = (CLASSIFIER, "The classifier as arrays: class features, weights, bias, class names, threshold.")


def export(artifact: str | Path, target: str | Path, options: ExportOptions) -> Path:
    """Write an adapted model in a form that needs nothing of this project.

    Args:
        artifact: the model's directory.
        target: the directory to write; it appears whole or not at all.
        options: which form, and of which variant.

    Returns:
        The directory.

    Raises:
        InvalidInput: `export_not_supported`, `unknown_variant`, `invalid_threshold`.
        ArtifactError: `artifact_exists` where there is something at the target; or as `pouf_core.load`.
        PoufError: `export_unavailable` where packages are missing, `export_failed`, `export_differs`,
            `export_preprocessing_unknown`; or the base model cannot be loaded.
    """
    place = Path(target)
    if place.exists():
        raise ArtifactError("artifact_exists", f"{place} exists already; choose another place.")
    model = read_model(Path(artifact), options)
    require_format(model.manifest.base_model.name, options.format)
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        told = _WRITERS[options.format](model, unfinished)
        write_card(model, options.format, told, unfinished, options.judgement)
        unfinished.chmod(0o755)
        unfinished.rename(place)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return place


def _numpy(model: ModelToExport, directory: Path) -> Told:
    save_classifier(model, directory)
    base = model.manifest.base_model.name
    elsewhere = [f"`{form}`" for form in formats_of(base) if form != "numpy"]
    has_it = f"; of exports, {' and '.join(elsewhere)} has it" if elsewhere else "; no export has it"
    tuned = f" as it was trained here{has_it}" if model.variant.encoder.nbytes else ""
    source = f"Features of items come from the encoder of `{base}`{tuned}."
    if model.manifest.modality == "embedding":
        source = "Features of items are the embeddings that the model was adapted to, from the same encoder."
    return Told(
        title="Adapted classifier as NumPy arrays",
        summary=f"The classes of an adapted model in feature space, and nothing else. {source}",
        needs="`pip install numpy`. Features are an array [n, d], one row an item.",
        files=[_ARRAYS],
        shows_formula=True,
    )


def _onnx(model: ModelToExport, directory: Path) -> Told:
    from pouf_core.exports.onnx_format import MODEL, write_onnx

    prepared = write_onnx(model, directory)
    about = model.about() | {"preparation": prepared}
    (directory / ABOUT).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    of_language = prepared["kind"] == "template"
    texts = of_language or prepared["kind"] == "tokens"
    item, packages = ("texts", "tokenizers") if texts else ("pictures", "pillow")
    packages += " transformers" if prepared["kind"] == "transformers" else ""
    inputs = "`pixels` [items, 3, height, width], float32"
    if texts:
        inputs = f"`tokens` [items, {'2 + ' if of_language else ''}length], int64"
    files = [
        (MODEL, f"Input: {inputs}. Outputs: `probabilities` [items, K], `features` [items, d], `similarity` [items]."),
        (ABOUT, "Class names, threshold, how items are prepared, and quantiles of `similarity`."),
    ]
    files += [("tokenizer.json", "The tokenizer.")] if texts else []
    files += [_TEMPLATE] if of_language else []
    return Told(
        title="Adapted model as ONNX",
        summary=f"The encoder of {item} and the classifier in one graph, computing in float32. The classes are frozen.",
        needs=f"`pip install numpy onnxruntime {packages}`.",
        library="onnx",
        files=files,
        prepared=prepared,
    )


def _open_clip(model: ModelToExport, directory: Path) -> Told:
    from pouf_core.exports.open_clip_format import CONFIGURATION, WEIGHTS, write_open_clip

    prepared = write_open_clip(model, directory)
    save_classifier(model, directory)
    return Told(
        title="Adapted model for open_clip",
        summary=f"Image and text tower as they are used here, and the adapted classes beside them.{_CLASSES_APART}",
        needs="`pip install numpy pillow open_clip_torch`.",
        library="open_clip",
        files=[
            (CONFIGURATION, "The architecture and the preprocessing."),
            (WEIGHTS, "The weights of both towers."),
            _ARRAYS,
        ],
        prepared=prepared,
        shows_formula=True,
    )


def _huggingface(model: ModelToExport, directory: Path) -> Told:
    from pouf_core.exports.huggingface_format import write_huggingface

    prepared = write_huggingface(model, directory)
    save_classifier(model, directory, prepared.get("arrays"))
    kind = prepared["kind"]
    return Told(
        title="Adapted model for transformers",
        summary=f"{_ENCODERS[kind]} as it is used here, and the adapted classes beside it.{_CLASSES_APART}",
        needs=f"`pip install numpy torch transformers{' pillow' if kind == 'pictures' else ''}`.",
        library="sentence-transformers" if kind == "sentences" else "transformers",
        files=[
            ("config.json", "The architecture."),
            ("model.safetensors", "The weights."),
            *_FURTHER.get(kind, []),
            _ARRAYS,
        ],
        prepared=prepared,
        shows_formula=True,
    )


_ENCODERS = {
    "pictures": "The network with image and text tower",
    "sentences": "The sentence encoder",
    "template": "The language model",
}
_POOLING = ("modules.json", "How sentence-transformers reads the directory: pooling and what follows it.")
_FURTHER = {"sentences": [_POOLING], "template": [_TEMPLATE]}
_CLASSES_APART = " Learned prompts are in the class features: they cannot be written as words."
_WRITERS: Mapping[ExportFormat, Callable[[ModelToExport, Path], Told]] = {
    "numpy": _numpy,
    "onnx": _onnx,
    "open_clip": _open_clip,
    "huggingface": _huggingface,
}
