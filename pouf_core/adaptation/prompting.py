"""A base model with the classes of one request, whatever its family."""

from __future__ import annotations

from pouf_core.adaptation.interface import PromptedModel
from pouf_core.adaptation.prompted import PromptedCosineModel
from pouf_core.adaptation.prompted_language import PromptedLanguageModel
from pouf_core.adaptation.request import Request
from pouf_core.base_models import BaseModel
from pouf_core.language.model import LanguageModel


def prompted_model(base: BaseModel, request: Request) -> PromptedModel:
    """Bring the two together; training changes the base model's network in place.

    Raises:
        InvalidInput: a class name, a template or a label word that this model cannot take.
    """
    return (
        PromptedLanguageModel(base, request) if isinstance(base, LanguageModel) else PromptedCosineModel(base, request)
    )
