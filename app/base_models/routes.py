"""`/v1/base-models`: what can be adapted here; `/v1/templates`: how texts are worded for language models."""

from collections.abc import Sequence

from fastapi import APIRouter

from app.base_models.schemas import BaseModelDocument, TemplateDocument
from app.caller import Reader
from app.http.query_parameters import complete_list
from app.http.schemas import ErrorBody, ListDocument
from app.state import State
from pouf_core.contract.engine import EngineUsed
from pouf_core.contract.language_template import parse_template
from pouf_core.errors import InvalidInput
from pouf_core.families.language.text_tasks import Task, tasks
from pouf_core.families.registry import describe

router = APIRouter(prefix="/v1", tags=["base models"])


@router.get("/base-models", response_model_exclude_unset=True)
def list_base_models(caller: Reader) -> ListDocument[BaseModelDocument]:
    """List the base models that jobs may name; a `pattern` stands for every name that it matches."""
    state = caller.state
    engines = state.engine.base_models.engines()
    loaded = state.engine.base_models.loaded()
    listed = state.settings.base_models
    names = [*listed, *(name for name in loaded if name not in listed)]
    return complete_list([_show_base_model(state, name, name in loaded, engines.get(name)) for name in names])


def _show_base_model(state: State, name: str, loaded: bool, engine: EngineUsed | None) -> BaseModelDocument:
    if name.endswith("*"):
        return BaseModelDocument(object="base_model", name=name, pattern=True, loaded=False)
    try:
        description = describe(name)
    except InvalidInput as error:
        reason = ErrorBody(code=error.code, message=error.message)
        return BaseModelDocument(object="base_model", name=name, pattern=False, loaded=loaded, error=reason)
    return BaseModelDocument(
        object="base_model",
        name=name,
        pattern=False,
        loaded=loaded,
        modality=description.modality,
        family=description.family,
        embedded=description.embedded,
        tune_modes=list(description.tune_modes),
        takes_label_words=description.takes_label_words,
        default_prompt_template=_plain(description.default_prompt_templates),
        description=description.description,
        engine=engine,
        default=name == state.engine.base_models.default,
    )


def _plain(templates: Sequence[str]) -> str | list[str]:
    """One template as a string, none as an empty one, an ensemble as a list."""
    return list(templates) if len(templates) > 1 else "".join(templates)


@router.get("/templates")
def list_templates(caller: Reader) -> ListDocument[TemplateDocument]:
    """List the templates and label words of the paper's text tasks; `hf-mlm` models take all of them."""
    return complete_list([_show_template(name, task) for name, task in tasks().items()])


def _show_template(name: str, task: Task) -> TemplateDocument:
    return TemplateDocument(
        object="template",
        name=name,
        prompt_template=task.template,
        label_words=dict(task.label_words),
        class_names=list(task.label_words),
        text_limits=dict(task.text_limits) or None,
        text_pairs=parse_template(task.template).takes_pairs,
    )
