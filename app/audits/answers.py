"""Answers of people to the items of an audit: given, listed, exported. They change no weights and no evaluation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from app.audits import queries as repository
from app.audits.answer_files import without_class
from app.audits.schemas import AnswerDocument, AnswersPut, AnswersQuery, AuditDocument
from app.audits.service import Found, find, show
from app.audits.showing import class_names_of
from app.auth import quotas
from app.caller import Caller
from app.http.errors import FieldError, invalid, several
from app.http.query_parameters import decode_number, page
from app.http.schemas import ListDocument
from app.predicted.formats import table
from store.tables import AuditAnswer, AuditItem
from store.usage import BYTES_OF_AUDIT_ANSWER

#: An answer that says what its author said before is not kept again.
MOST_ANSWERS_PER_ITEM = 50
NOT_DRAWN, AMBIGUOUS = "audit_item_not_drawn", "audit_item_ambiguous"
COLUMNS = ("item", "name", "label", "person", "created_at", "counts")


def give(caller: Caller, job_id: str, audit_id: str, body: AnswersPut) -> AuditDocument:
    """Keep answers, all or none; returns the audit with them.

    Raises 422 with every error: ``audit_item_not_drawn``, ``audit_item_ambiguous``, ``unknown_class``; or
    ``too_many_answers``; 429 ``database_bytes_limit``.
    """
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        quotas.require_room_in_database(caller.limits, scope, BYTES_OF_AUDIT_ANSWER * len(body.answers))
        found = find(scope, job_id, audit_id, lock=True)
        rows = _Answers(found).read(body)
        kept = repository.count_answers(found.scope, audit_id)
        if rows and kept + len(rows) > MOST_ANSWERS_PER_ITEM * found.audit.size:
            message = f"An audit keeps at most {MOST_ANSWERS_PER_ITEM} answers for each of its items."
            raise invalid("too_many_answers", message, "/answers")
        repository.add(found.scope, rows)
        return show(found)


@dataclass
class _Answers:
    """Makes rows of what people send."""

    found: Found

    def read(self, body: AnswersPut) -> list[AuditAnswer]:
        """Return the answers that are new."""
        audit_id = self.found.audit.id
        places, ambiguous = self._places()
        classes = {name: index for index, name in enumerate(class_names_of(self.found.job))}
        last = {
            key: (answer.kind, answer.label)
            for key, answer in repository.last_answers(self.found.scope, audit_id).items()
        }
        rows, errors = [], []
        for number, answer in enumerate(body.answers):
            position, person = places.get(answer.item), answer.person or body.person
            kind = without_class(answer, classes)
            label = None if kind is not None else classes.get(answer.label or "")
            if position is None:
                code = AMBIGUOUS if answer.item in ambiguous else NOT_DRAWN
                errors.append(FieldError(f"/answers/{number}/item", code, _about_item(code, answer.item)))
            elif kind is None and label is None:
                message = f"Item {answer.item!r}: there is no class {answer.label!r}."
                errors.append(FieldError(f"/answers/{number}/label", "unknown_class", message))
            elif last.get((position, person)) != (said := (kind or "label", label)):
                last[position, person] = said
                rows.append(AuditAnswer(audit_id=audit_id, position=position, person=person, kind=said[0], label=label))
        if errors:
            raise several(errors)
        return rows

    def _places(self) -> tuple[dict[str, int], set[str]]:
        """Positions by content hash and by name, and the names of several items."""
        items, named = self.found.items, self.found.names.items
        places: dict[str, int] = {}
        ambiguous: set[str] = set()
        for item in items:
            name = named[item.sha256].name
            if name in places:
                ambiguous.add(name)
            places[name] = item.position
        for name in ambiguous:
            del places[name]
        return {**places, **{item.sha256: item.position for item in items}}, ambiguous


def _about_item(code: str, item: str) -> str:
    if code == AMBIGUOUS:
        return f"Several drawn items are called {item!r}: name one by its `sha256`."
    return f"Item {item!r} is not one of those that were drawn."


@dataclass(frozen=True)
class _Shower:
    """Makes documents of answers."""

    items: Mapping[int, AuditItem]
    names: Mapping[int, str]
    classes: list[str]
    last: frozenset[int]

    @classmethod
    def of(cls, found: Found) -> "_Shower":
        items, named = found.items, found.names.items
        last = repository.last_answers(found.scope, found.audit.id).values()
        return cls(
            {item.position: item for item in items},
            {item.position: named[item.sha256].name for item in items},
            class_names_of(found.job),
            frozenset(answer.id for answer in last),
        )

    def show(self, answer: AuditAnswer) -> AnswerDocument:
        """Return an answer's document."""
        return AnswerDocument.model_validate(
            {
                "object": "audit_answer",
                "sha256": self.items[answer.position].sha256,
                "name": self.names[answer.position],
                "label": None if answer.label is None else self.classes[answer.label],
                "answer": None if answer.kind == "label" else answer.kind,
                "person": answer.person,
                "counts": answer.id in self.last,
                "created_at": answer.created_at,
            }
        )


def list_answers(caller: Caller, job_id: str, audit_id: str, query: AnswersQuery) -> ListDocument[AnswerDocument]:
    """Return a page of all answers that were ever given, in their order."""
    after = decode_number(query.cursor) or 0
    with caller.state.database.read() as session:
        found = find(caller.scope(session), job_id, audit_id)
        rows = repository.list_answers(found.scope, audit_id, after, query.limit + 1)
        return page(rows, query.limit, _Shower.of(found).show, lambda row: row.id)


def positions_answered(caller: Caller, job_id: str, audit_id: str, person: str) -> set[int]:
    """Return the positions, from 1, of the audit's items that the person has answered."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        return repository.positions_answered(scope, find(scope, job_id, audit_id).audit.id, person)


def as_csv(caller: Caller, job_id: str, audit_id: str) -> Iterator[bytes]:
    """Return all answers as a table, which can be sent as answers again."""
    with caller.state.database.read() as session:
        found = find(caller.scope(session), job_id, audit_id)
        show_answer = _Shower.of(found).show
        documents = [show_answer(row) for row in repository.list_answers(found.scope, audit_id, 0, None)]
    return table(COLUMNS, _rows(documents))


def _rows(documents: Iterable[AnswerDocument]) -> Iterator[list[object]]:
    for one in documents:
        yield [one.sha256, one.name, one.label or one.answer, one.person, one.created_at.isoformat(), one.counts]
