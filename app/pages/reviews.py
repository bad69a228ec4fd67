"""Reviews: a person looks at some of a job's items, one after the other, and says which class they are of."""

from dataclasses import dataclass
from string import ascii_lowercase, digits
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse

from app.audits import answers, proposals, service
from app.audits.schemas import (
    ANONYMOUS,
    MOST_ITEMS,
    AnswersPut,
    AuditConfirm,
    AuditCreate,
    AuditDocument,
    AuditItemDocument,
)
from app.caller import Caller, Reader, Writer
from app.datasets import service as datasets
from app.http.errors import invalid
from app.http.json_bodies import validate
from app.http.schemas import NAME, Closed
from app.jobs import service as jobs
from app.jobs.schemas import JobDocument
from app.pages.rendering import redirect, render
from pouf_core.contract.classes import parse_class_names

router = APIRouter(prefix="/jobs/{job_id}/reviews")

USUAL_ITEMS = 40
#: The cookie with the name of whoever looked at items last in this browser.
REVIEWER = "pouf_reviewer"
REVIEWER_SECONDS = 365 * 24 * 3600
#: Answers beside the classes: how they are sent, what they are called, and their keys.
OTHERS = (("none_of_these", "None of these", "n"), ("cant_tell", "I cannot tell", "?"))
BACK = "z"
_KEYS = [key for key in digits[1:] + ascii_lowercase if key not in ("n", BACK)]


class Reviewer(Closed):
    """Who looks at the items."""

    person: NAME


@dataclass(frozen=True)
class Choice:
    """An answer that can be given: the field that it is sent in, its value, what it is called, and its key, if any."""

    field: str
    value: str
    name: str
    key: str


@dataclass(frozen=True)
class Turn:
    """Whose turn it is: a person's, at the item of a position from 0; None where all are answered."""

    person: str
    position: int | None
    answered: int


@router.post("")
def begin(
    request: Request,
    job_id: str,
    caller: Writer,
    size: Annotated[int, Form(ge=1, le=MOST_ITEMS)] = USUAL_ITEMS,
    person: Annotated[str, Form(max_length=200)] = "",
) -> HTMLResponse:
    """Draw the items."""
    audit = service.create(caller, job_id, AuditCreate(size=size), lambda session, document: None)
    reviewer = person.strip() or ANONYMOUS
    answer = redirect(request, _place(audit, reviewer))
    secure = request.url.scheme == "https"
    answer.set_cookie(
        REVIEWER, quote(reviewer), REVIEWER_SECONDS, path="/jobs", secure=secure, httponly=True, samesite="strict"
    )
    return answer


@router.get("/{audit_id}")
def show(
    request: Request, job_id: str, audit_id: str, caller: Reader, person: str | None = None, at: int | None = None
) -> HTMLResponse:
    """Return the next item that the person, by default who began a review here last, has not looked at, or the one at
    a position.
    """
    known = unquote(request.cookies.get(REVIEWER, "")) or ANONYMOUS
    whose = validate(Reviewer, {"person": known if person is None else person}).person
    audit = service.read(caller, job_id, audit_id)
    return _page(request, caller, jobs.read(caller, job_id), audit, whose, at)


@router.post("/{audit_id}/answers")
def answer(
    request: Request,
    job_id: str,
    audit_id: str,
    caller: Writer,
    item: Annotated[str, Form()],
    person: Annotated[str, Form()] = ANONYMOUS,
    label: Annotated[str | None, Form()] = None,
    answer: Annotated[str | None, Form()] = None,
) -> HTMLResponse:
    """Keep what the person says, and return the next item."""
    job = jobs.read(caller, job_id)
    # the field of a class may have been left empty
    given = {"answer": answer} if answer else {"label": _class_meant(label or "", _classes(job))}
    body = validate(AnswersPut, {"answers": [{"item": item, **given}], "person": person})
    return _page(request, caller, job, answers.give(caller, job_id, audit_id, body), person, None)


@router.post("/{audit_id}/confirm")
def confirm(
    request: Request, job_id: str, audit_id: str, caller: Writer, threshold: Annotated[bool, Form()] = False
) -> HTMLResponse:
    """Let the model be judged and served as the answers say, and keep to the threshold that they allow if wished."""
    proposals.confirm(caller, job_id, audit_id, AuditConfirm(threshold=threshold))
    return redirect(request, f"/jobs/{job_id}")


def _page(
    request: Request, caller: Caller, job: JobDocument, audit: AuditDocument, person: str, at: int | None
) -> HTMLResponse:
    turn = _turn(caller, audit, person, at)
    item: AuditItemDocument | None = None if turn.position is None else audit.items[turn.position]
    classes = _classes(job)
    return render(
        request,
        "review.html.jinja",
        audit=audit,
        job=job,
        dataset=datasets.read(caller, audit.dataset_id),
        turn=turn,
        item=item,
        choices=_choices(classes),
        found_by_typing=classes if len(classes) > len(_KEYS) else [],
        place=_place(audit, person),
        back_key=BACK,
    )


def _turn(caller: Caller, audit: AuditDocument, person: str, at: int | None) -> Turn:
    answered = answers.positions_answered(caller, audit.job_id, audit.id, person)
    left = (position for position in range(len(audit.items)) if position + 1 not in answered)
    if at is not None and 0 <= at < len(audit.items):
        return Turn(person, at, len(answered))
    return Turn(person, next(left, None), len(answered))


def _classes(job: JobDocument) -> list[str]:
    return [one.name for one in parse_class_names(job.class_names)]


def _class_meant(typed: str, classes: list[str]) -> str:
    """Return the class of that name, in capitals or not, else the only one whose name has that part."""
    if typed in classes:
        return typed
    part = typed.strip().casefold()
    same = [name for name in classes if name.casefold() == part]
    found = same or [name for name in classes if part and part in name.casefold()]
    if len(found) == 1:
        return found[0]
    raise invalid("unknown_class", f"There is no class {typed!r}: choose one from the list.", "/label")


def _choices(classes: list[str]) -> list[Choice]:
    """Return a button for each answer, with its key; of more classes than there are keys none, since they are typed."""
    if len(classes) > len(_KEYS):
        return [Choice("answer", value, name, "") for value, name, _ in OTHERS]
    named = [Choice("label", name, name, key) for name, key in zip(classes, _KEYS, strict=False)]
    return named + [Choice("answer", value, name, key) for value, name, key in OTHERS]


def _place(audit: AuditDocument, person: str) -> str:
    return f"/jobs/{audit.job_id}/reviews/{audit.id}?person={quote(person)}"
