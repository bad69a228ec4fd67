"""An adapted model as a directory: safetensors, JSON, a model card and checksums. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pouf_core.contract.abstention import VariantName
from pouf_core.contract.manifest import FORMAT, MANIFEST, Manifest
from pouf_core.contract.progress import Metrics
from pouf_core.errors import ArtifactError
from pouf_core.system.durable_files import sync

WEIGHTS = "adapter.safetensors"
METRICS = "metrics.json"
CARD = "README.md"
SUMS = "SHA256SUMS"

BIAS = "class_bias."
TRAINED = "trained."

#: What reading raises of files that hold something else than they should.
_DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, SafetensorError)
_RECORDED_PACKAGES = ("pouf-service", "torch", "open_clip_torch", "transformers", "timm")


@dataclass(frozen=True)
class Artifact:
    """A loaded artifact directory.

    Attributes:
        manifest: what `pouf.json` says.
        tensors: `prototypes.adapted` and `prototypes.zero_shot` [K, d], `logit_scale.adapted` and
            `logit_scale.zero_shot` (logarithms), `class_bias.adapted` [K] where there is one,
            `trained.<name>` of everything that was trained.
        metrics: numbers of every step.
    """

    manifest: Manifest
    tensors: dict[str, Tensor]
    metrics: list[Metrics]

    @property
    def trained(self) -> dict[str, Tensor]:
        """What was trained, by name, as the learner's `tensors` gave it."""
        return {name.removeprefix(TRAINED): item for name, item in self.tensors.items() if name.startswith(TRAINED)}

    def classifier_tensors(self, variant: VariantName) -> dict[str, Tensor]:
        """What the classifier of a variant gave, see `pouf_core.scoring.Classifier.tensors`."""
        ending = f".{variant}"
        return {
            name.removesuffix(ending): tensor
            for name, tensor in self.tensors.items()
            if name.endswith(ending) and not name.startswith((TRAINED, BIAS))
        }

    def class_bias(self, variant: VariantName) -> Tensor | None:
        """[K] added to the class logits of a variant, or None."""
        return self.tensors.get(BIAS + variant)


def refuse_taken(directory: Path) -> None:
    """Refuse a place where an artifact cannot be written.

    Raises:
        ArtifactError: `artifact_exists` when it is a file, or a directory that is not empty.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ArtifactError("artifact_exists", f"{directory} exists and is not empty; choose another place.")


def save_artifact(directory: Path, artifact: Artifact) -> Path:
    """Write an artifact; the directory appears whole or not at all.

    Raises:
        ArtifactError: as `refuse_taken`.
    """
    refuse_taken(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        # Copies: tensors that share memory, as where the base model was kept, cannot be saved.
        tensors = {name: tensor.detach().clone().contiguous() for name, tensor in artifact.tensors.items()}
        save_file(tensors, temporary / WEIGHTS)
        (temporary / MANIFEST).write_text(_json(artifact.manifest.as_json()))
        (temporary / METRICS).write_text(_json(artifact.metrics))
        (temporary / CARD).write_text(_model_card(artifact.manifest))
        (temporary / SUMS).write_text(_sums(temporary))
        temporary.chmod(0o755)
        for written in [*temporary.iterdir(), temporary]:
            sync(written)
        if directory.exists():
            directory.rmdir()
        temporary.rename(directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return directory


def load_artifact(directory: Path) -> Artifact:
    """Read an artifact after checking every file against SHA256SUMS.

    Raises:
        ArtifactError: `artifact_not_found`, `artifact_corrupt` or `artifact_format_unknown`.
    """
    if not (directory / SUMS).is_file():
        raise ArtifactError("artifact_not_found", f"{directory} is not an adapted model: it has no {SUMS}.")
    try:
        _check_sums(directory)
        written = json.loads((directory / MANIFEST).read_text())
        _check_format(directory, written)
        manifest = Manifest.model_validate(written)
        metrics = json.loads((directory / METRICS).read_text())
        tensors = load_file(directory / WEIGHTS)
    except _DAMAGE as error:
        raise ArtifactError("artifact_corrupt", f"{directory} cannot be read: {error}") from error
    return Artifact(manifest, tensors, metrics)


def _check_format(directory: Path, manifest: Mapping[str, object]) -> None:
    found = manifest.get("format")
    if found != FORMAT:
        message = f"{directory} has format {found!r}; this version reads format {FORMAT}."
        raise ArtifactError("artifact_format_unknown", message)


def recorded_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {package: metadata.version(package) for package in _RECORDED_PACKAGES}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


@cache
def templates() -> Environment:
    """What text files of artifacts and exports are made from."""
    folder = FileSystemLoader(str(resources.files("pouf_core") / "templates"))
    return Environment(loader=folder, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)


def model_card_template() -> Template:
    """What `README.md` is made from; compiled once in a process."""
    return templates().get_template("model_card.md.jinja")


def _model_card(manifest: Manifest) -> str:
    return model_card_template().render(**manifest.as_json()) + "\n"


def _sums(directory: Path) -> str:
    names = sorted(path.name for path in directory.iterdir() if path.name != SUMS)
    return "".join(f"{_sha256(directory / name)}  {name}\n" for name in names)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_sums(directory: Path) -> None:
    listed: dict[str, str] = {}
    for line in (directory / SUMS).read_text().splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    missing = {WEIGHTS, MANIFEST, METRICS} - listed.keys()
    if missing:
        raise ArtifactError("artifact_corrupt", f"{SUMS} in {directory} does not list {', '.join(sorted(missing))}.")
    for name, digest in listed.items():
        path = directory / name
        if path.parent != directory or not path.is_file() or _sha256(path) != digest:
            raise ArtifactError("artifact_corrupt", f"{path} is missing or differs from its checksum.")
