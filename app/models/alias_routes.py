"""`/v1/aliases`: movable names for models."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.caller import Reader, Writer
from app.http.errors import not_found
from app.http.schemas import ALIAS_NAME, ListDocument
from app.models import queries as repository
from app.models import service
from app.models.schemas import AliasDocument, AliasListQuery, AliasPut, show_alias

router = APIRouter(prefix="/v1/aliases", tags=["aliases"])

AliasName = Annotated[ALIAS_NAME, Path()]


@router.put("/{name}", responses={201: {"model": AliasDocument}})
def put_alias(name: AliasName, body: AliasPut, caller: Writer, response: Response) -> AliasDocument:
    """Point an alias at a model; 201 when the alias is new."""
    document, created = service.put_alias(caller, name, body.model_id)
    response.status_code = 201 if created else 200
    return document


@router.get("")
def list_aliases(caller: Reader, query: Annotated[AliasListQuery, Query()]) -> ListDocument[AliasDocument]:
    """List aliases by name, those of one model or of all."""
    return service.list_aliases(caller, query)


@router.get("/{name}")
def get_alias(name: AliasName, caller: Reader) -> AliasDocument:
    """Return one alias."""
    with caller.state.database.read() as session:
        alias = repository.find_alias(caller.scope(session), name)
    if alias is None:
        raise not_found("alias", name)
    return show_alias(alias)


@router.delete("/{name}", status_code=204)
def delete_alias(name: AliasName, caller: Writer) -> None:
    """Delete an alias; the model stays."""
    service.delete_alias(caller, name)
