"""What an audit proposes, applied once somebody confirms it."""

from app.audits.schemas import AppliedDocument, AuditConfirm, AuditDocument
from app.audits.service import Found, find, show
from app.audits.showing import proposal_of
from app.caller import Caller
from app.http.errors import conflict
from pouf_core.contract.audit import AUDITED
from pouf_core.contract.counts import counted
from pouf_core.contract.findings import finding
from pouf_core.contract.result import Fallback, PartialResult
from store.clock import utcnow
from store.tables import AdaptedModel
from store.transitions import append_event

EVENT = "job.audit_confirmed"


def confirm(caller: Caller, job_id: str, audit_id: str, body: AuditConfirm) -> AuditDocument:
    """Let the model be served, and job and model be judged, as the audit proposes; weights stay as they are.

    Raises 409 ``nothing_proposed`` while the answers say nothing, ``threshold_not_proposed``, or ``model_deleted``.
    """
    with caller.state.database.write() as session:
        found = find(caller.scope(session), job_id, audit_id, lock=True)
        model = found.scope.get(AdaptedModel, found.job.model_id or "", lock=True)
        if model is None:
            raise conflict("model_deleted", "The job's model was deleted: there is nothing to apply to.")
        applied = _applied(found, body)
        if not _is_applied(found, applied):
            _apply(found, model, applied)
        return show(found)


def _is_applied(found: Found, applied: AppliedDocument) -> bool:
    """Tell whether the same was confirmed before, and still holds: a request may be sent again."""
    before, now = found.audit.applied, found.job.result
    if before is None or (now.verdict, now.fallback or "adapted") != (applied.verdict, applied.served_variant):
        return False
    known = AppliedDocument.model_validate({**before, "applied_at": applied.applied_at})
    return known == applied and applied.threshold in (None, found.threshold)


def _apply(found: Found, model: AdaptedModel, applied: AppliedDocument) -> None:
    for row in (found.job, model):
        row.result = _revised(row.result, applied)
    if applied.threshold is not None:
        model.audited_threshold = applied.threshold
    elif applied.served_variant != found.reviewed().design.served:
        model.audited_threshold = None  # it was one for the probabilities of the other variant
    found.audit.applied, found.audit.applied_at = applied.model_dump(mode="json"), applied.applied_at
    append_event(found.scope.session, found.job, EVENT, {"audit_id": found.audit.id, **found.audit.applied})


def _applied(found: Found, body: AuditConfirm) -> AppliedDocument:
    reviewed = found.reviewed()
    if reviewed.estimate is None:
        raise conflict(
            "nothing_proposed", "No randomly drawn item has an answer yet that something could be proposed by."
        )
    proposal = proposal_of(found.job, reviewed, reviewed.estimate, found.threshold)
    if body.threshold and proposal.threshold is None:
        raise conflict("threshold_not_proposed", "The answers allow no threshold: `estimate.more_answers` may help.")
    return AppliedDocument(
        verdict=proposal.verdict,
        served_variant=proposal.served_variant,
        threshold=proposal.threshold if body.threshold else None,
        answers=reviewed.estimate.answers,
        applied_at=utcnow(),
    )


def _revised(result: PartialResult, applied: AppliedDocument) -> PartialResult:
    fallback: Fallback | None = "zero_shot" if applied.served_variant == "zero_shot" else None
    message = f"Measured by {counted(applied.answers, 'answer')} of people, and confirmed."
    earlier = [reason for reason in result.verdict_reasons if reason.code != AUDITED]
    reasons = [*earlier, finding(AUDITED, message)]
    return result.model_copy(update={"verdict": applied.verdict, "fallback": fallback, "verdict_reasons": reasons})
