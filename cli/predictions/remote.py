"""Classifying with a model of a service."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cli.predictions.answers import Answer, Said
from cli.predictions.batches import classified
from cli.predictions.inputs import Given, Unreadable, inputs_of
from cli.predictions.options import Options
from cli.remote.output import note
from cli.remote.sources import given

if TYPE_CHECKING:
    from pouf_client import Client, Prediction


def answers_there(client: "Client", model: str, values: Sequence[str], options: Options) -> Iterator[Said]:
    """What a model of the service says of each input.

    Args:
        client: of the service.
        model: its id or an alias.
        values: see `inputs_of`.
        options: which variant, threshold and classes.

    Raises:
        ClientError: the model is unknown, an option does not fit it, or the service went away.
    """
    from pouf_client import RefusedInput

    found = client.models.get(model)  # an alias may be moved meanwhile
    if options.variant is None and found.fallback:
        note("This model fell back to zero-shot; --variant adapted asks for the adapted one.", "yellow")
    chosen = given(top_k=options.top_k, variant=options.variant, threshold=options.threshold)
    modality = found.modality or "image"  # of models that an earlier version made
    ask = {"image": client.predict, "text": client.predict_texts, "embedding": client.predict_embeddings}[modality]

    def classify(inputs: Sequence[Given]) -> list[Said]:
        try:
            answer = ask([_sent(each.source) for each in inputs], found.id, **chosen)
        except RefusedInput as error:
            reasons = error.of_each_input(len(inputs))
            return [Unreadable(each.name, **reason) for each, reason in zip(inputs, reasons, strict=True)]
        return [_said(each.name, prediction) for each, prediction in zip(inputs, answer.items, strict=True)]

    return classified(inputs_of(values, modality, options.text_column), classify)


def _sent(source: Any) -> Any:
    from pouf_core.data.texts import TextItem

    if not isinstance(source, TextItem):
        return source
    return source.text if source.text_pair is None else (source.text, source.text_pair)


def _said(name: str, prediction: "Prediction") -> Said:
    if prediction.error:
        return Unreadable(name, prediction.error["code"], prediction.error["message"])
    assert prediction.score is not None
    return Answer(name, prediction.label, prediction.score, prediction.none_score, prediction.top_k)
