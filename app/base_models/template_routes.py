"""`/v1/templates`: templates and label words of known text tasks, for jobs over language models."""

from fastapi import APIRouter

from app.base_models.schemas import TemplateDocument
from app.caller import Reader
from app.http.query_parameters import complete_list
from app.http.schemas import ListDocument
from pouf_core.contract.language_template import parse_template
from pouf_core.families.language.text_tasks import Task, tasks

router = APIRouter(prefix="/v1/templates", tags=["base models"])


@router.get("")
def list_templates(caller: Reader) -> ListDocument[TemplateDocument]:
    """List the templates and label words of the paper's text tasks; `hf-mlm` models take all of them."""
    return complete_list([_show(name, task) for name, task in tasks().items()])


def _show(name: str, task: Task) -> TemplateDocument:
    return TemplateDocument(
        object="template",
        name=name,
        prompt_template=task.template,
        label_words=dict(task.label_words),
        class_names=list(task.label_words),
        text_pairs=parse_template(task.template).takes_pairs,
    )
