"""`/v1/templates`: templates and label words of known text tasks, for jobs over language models."""

from typing import Any

from fastapi import APIRouter

from app.base_models.schemas import TemplateDocument
from app.caller import Reader
from app.http.schemas import ListDocument
from pouf_core.contract.language_template import parse_template
from pouf_core.families.language.text_tasks import Task, tasks

router = APIRouter(prefix="/v1/templates", tags=["base models"])


@router.get("", responses={200: {"model": ListDocument[TemplateDocument]}})
def list_templates(caller: Reader) -> dict[str, Any]:
    """List the templates and label words of the paper's text tasks; `hf-mlm` models take all of them."""
    data = [_show(name, task) for name, task in tasks().items()]
    return {"object": "list", "data": data, "has_more": False, "next_cursor": None}


def _show(name: str, task: Task) -> dict[str, Any]:
    return {
        "object": "template",
        "name": name,
        "prompt_template": task.template,
        "label_words": dict(task.label_words),
        "class_names": list(task.label_words),
        "text_pairs": parse_template(task.template).takes_pairs,
    }
