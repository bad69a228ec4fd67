"""A base model with the classes of one request, whatever its family."""

from __future__ import annotations

from pouf_core.contract.request import CheckedRequest
from pouf_core.families.cosine.prompted import PromptedCosineModel
from pouf_core.families.interface import PromptedModel
from pouf_core.families.language.model import LanguageModel
from pouf_core.families.language.prompted import PromptedLanguageModel
from pouf_core.families.loading import BaseModel


def prompted_model(base: BaseModel, request: CheckedRequest) -> PromptedModel:
    """Bring the two together; training changes the base model's network in place.

    Raises:
        InvalidInput: a class name, a template or a label word that this model cannot take.
    """
    return (
        PromptedLanguageModel(base, request) if isinstance(base, LanguageModel) else PromptedCosineModel(base, request)
    )
