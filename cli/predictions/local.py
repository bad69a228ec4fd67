"""Classifying with a model that lies here."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pouf_core
from cli import CommandError
from cli.exit_codes import ExitCode
from cli.predictions.answers import Answer, Said
from cli.predictions.batches import classified
from cli.predictions.inputs import Given, Unreadable, inputs_of
from cli.predictions.options import Options
from cli.remote.output import note
from pouf_core.data.zip_directory import MEMBER_DAMAGE
from pouf_core.errors import InvalidInput

if TYPE_CHECKING:
    from pouf_core.predictor import Predictor


def answers_here(artifact: Path, values: Sequence[str], options: Options, device: str) -> Iterator[Said]:
    """What a model says of each input.

    Args:
        artifact: an adapted model's folder, or the zip that it was downloaded as.
        values: see `inputs_of`.
        options: which variant, threshold and classes.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        PoufError: the artifact cannot be read, or an option does not fit it.
    """
    with _folder(artifact) as folder:
        predictor = pouf_core.load(folder, device=device)
    variant = options.variant or predictor.served
    limit = predictor.threshold_of(options.threshold, variant)
    if options.variant is None and variant != "adapted":
        note("This model fell back to zero-shot; --variant adapted asks for the adapted one.", "yellow")

    def classify(inputs: Sequence[Given]) -> list[Said]:
        return _classify(predictor, inputs, options.top_k, variant, limit)

    return classified(inputs_of(values, predictor.modality, options.text_column), classify)


def _classify(predictor: "Predictor", inputs: Sequence[Given], top_k: int, variant: str, limit: float) -> list[Said]:
    """Together; where one cannot be decoded, one by one, so that the others get their classes."""
    try:
        found = predictor.predict([each.source for each in inputs], top_k, variant, limit)
    except InvalidInput as error:
        if len(inputs) == 1:
            return [Unreadable.of(inputs[0].name, error)]
        return [said for each in inputs for said in _classify(predictor, [each], top_k, variant, limit)]
    return [
        Answer(each.name, prediction.label, prediction.score, prediction.none_score, prediction.top_k)
        for each, prediction in zip(inputs, found, strict=True)
    ]


@contextmanager
def _folder(artifact: Path) -> Iterator[Path]:
    """The model's folder, unpacked for the time where it is a zip."""
    if artifact.is_dir():
        yield artifact
        return
    with TemporaryDirectory(prefix="pouf-model-") as place:
        try:
            with zipfile.ZipFile(artifact) as packed:
                packed.extractall(place)
        except MEMBER_DAMAGE as error:
            message = f"{artifact} is neither a model's folder nor the zip of one: {error}."
            raise CommandError(message, ExitCode.WRONG_USE) from error
        entries = list(Path(place).iterdir())
        yield entries[0] if len(entries) == 1 and entries[0].is_dir() else Path(place)
