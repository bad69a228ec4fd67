"""`/v1/base-models`: what can be adapted here."""

from fastapi import APIRouter

from app.base_models.schemas import BaseModelDocument
from app.caller import Reader
from app.http.query_parameters import complete_list
from app.http.schemas import ErrorBody, ListDocument
from app.state import State
from pouf_core.errors import InvalidInput
from pouf_core.families.registry import describe

router = APIRouter(prefix="/v1/base-models", tags=["base models"])


@router.get("", response_model_exclude_unset=True)
def list_base_models(caller: Reader) -> ListDocument[BaseModelDocument]:
    """List the base models that jobs may name; a `pattern` stands for every name that it matches."""
    state = caller.state
    loaded = state.engine.loaded_base_models()
    listed = state.settings.base_models
    names = [*listed, *(name for name in loaded if name not in listed)]
    return complete_list([_show(state, name, name in loaded) for name in names])


def _show(state: State, name: str, loaded: bool) -> BaseModelDocument:
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
        default_prompt_template=description.default_prompt_template,
        description=description.description,
        default=name == state.engine.default_base_model,
    )
