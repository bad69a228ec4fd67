"""Queries about audits, their items and answers."""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select

from store.scope import Scope
from store.tables import Audit, AuditAnswer, AuditItem


def find_audit(scope: Scope, job_id: str, audit_id: str, *, lock: bool = False) -> Audit | None:
    """Return the owner's audit of that job."""
    audit = scope.get(Audit, audit_id, lock=lock)
    return audit if audit is not None and audit.job_id == job_id else None


def list_audits(scope: Scope, job_id: str, after_id: str | None, limit: int) -> Sequence[Audit]:
    """Return the job's audits, newest first, before `after_id` (exclusive)."""
    query = scope.select(Audit).where(Audit.job_id == job_id)
    if after_id is not None:
        query = query.where(Audit.id < after_id)
    return scope.session.scalars(query.order_by(Audit.id.desc()).limit(limit)).all()


def list_items(scope: Scope, audit_id: str) -> Sequence[AuditItem]:
    """Return the drawn items in order."""
    query = select(AuditItem).where(AuditItem.audit_id == audit_id).order_by(AuditItem.position)
    return scope.session.scalars(query).all()


def list_answers(scope: Scope, audit_id: str, after: int, limit: int | None) -> Sequence[AuditAnswer]:
    """Return answers in the order in which they came, from id `after` (exclusive)."""
    query = select(AuditAnswer).where(AuditAnswer.audit_id == audit_id, AuditAnswer.id > after)
    return scope.session.scalars(query.order_by(AuditAnswer.id).limit(limit)).all()


def last_answers(scope: Scope, audit_id: str) -> dict[tuple[int, str], AuditAnswer]:
    """Return the answers that count: by item and person the last one."""
    last = select(func.max(AuditAnswer.id)).where(AuditAnswer.audit_id == audit_id)
    query = select(AuditAnswer).where(AuditAnswer.id.in_(last.group_by(AuditAnswer.position, AuditAnswer.person)))
    return {(answer.position, answer.person): answer for answer in scope.session.scalars(query)}


def positions_answered(scope: Scope, audit_id: str, person: str) -> set[int]:
    """Return the positions, from 1, of the items that the person has answered."""
    query = select(AuditAnswer.position).where(AuditAnswer.audit_id == audit_id, AuditAnswer.person == person)
    return set(scope.session.scalars(query.distinct()))


def count_answers(scope: Scope, audit_id: str) -> int:
    """Return how many answers are kept."""
    query = select(func.count()).select_from(AuditAnswer).where(AuditAnswer.audit_id == audit_id)
    return scope.session.scalars(query).one()


def add(scope: Scope, rows: Iterable[AuditItem | AuditAnswer]) -> None:
    """Add items or answers, in their order."""
    scope.session.add_all(rows)
    scope.session.flush()
