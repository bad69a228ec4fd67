"""The documents of audits."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.audits.estimates import Reviewed
from app.audits.schemas import (
    AppliedDocument,
    AuditDocument,
    AuditEstimateDocument,
    AuditItemDocument,
    AuditSummaryDocument,
    ClassEstimateDocument,
    ProposalDocument,
)
from app.predicted.queries import NamedItem
from pouf_core.audit.estimation import NONE_OF_THESE
from pouf_core.contract.abstention import VariantName
from pouf_core.contract.audit import AuditEstimate
from pouf_core.contract.classes import parse_class_names
from store.tables import AuditItem, Job


@dataclass(frozen=True)
class Names:
    """What the dataset knows of the drawn items.

    Attributes:
        pictures: whether they have thumbnails.
        items: by content hash.
    """

    pictures: bool
    items: Mapping[str, NamedItem]


def class_names_of(job: Job) -> list[str]:
    """Return the labels of the job's classes."""
    return [item.name for item in parse_class_names(job.request.class_names)]


def show_audit(
    job: Job, reviewed: Reviewed, threshold: float | None, names: Names, classes: list[str]
) -> AuditDocument:
    """Return an audit's document; arguments as for `show_audit_summary`, and what the dataset knows of the items."""
    summary = show_audit_summary(job, reviewed, threshold, classes)
    items = [_show_item(reviewed, item, names, classes) for item in reviewed.items]
    return AuditDocument(**dict(summary), items=items)


def show_audit_summary(
    job: Job, reviewed: Reviewed, threshold: float | None, classes: list[str]
) -> AuditSummaryDocument:
    """Return what a list says of an audit.

    Args:
        job: the audit's.
        reviewed: its items with what people say.
        threshold: that an audit gave the job's model.
        classes: the labels of the job's classes.
    """
    audit, found = reviewed.audit, reviewed.estimate
    url = f"/v1/jobs/{audit.job_id}/audits/{audit.id}"
    return AuditSummaryDocument(
        object="audit",
        id=audit.id,
        job_id=audit.job_id,
        dataset_id=audit.dataset_id,
        size=audit.size,
        seed=audit.seed,
        wished_accuracy=audit.wished_accuracy,
        served_variant=reviewed.design.served,
        counts=reviewed.counts,
        people=len(reviewed.people),
        estimate=None if found is None else show_estimate(found, classes),
        proposal=None if found is None else proposal_of(job, reviewed, found, threshold),
        applied=None if audit.applied is None else AppliedDocument.model_validate(audit.applied),
        created_at=audit.created_at,
        urls={
            "self": url,
            "answers": f"{url}/answers",
            "confirm": f"{url}/confirm",
            "job": f"/v1/jobs/{audit.job_id}",
            "dataset": f"/v1/datasets/{audit.dataset_id}",
        },
    )


def show_estimate(found: AuditEstimate, classes: list[str]) -> AuditEstimateDocument:
    """Return what the answers say, with the names of classes."""
    by_class = [
        ClassEstimateDocument(
            label=classes[each.class_index], value=each.value, interval=each.interval, answers=each.answers
        )
        for each in found.classes
    ]
    names = AuditEstimateDocument.model_fields.keys() - {"classes"}
    return AuditEstimateDocument(classes=by_class, **{name: getattr(found, name) for name in names})


def proposal_of(job: Job, reviewed: Reviewed, found: AuditEstimate, threshold_now: float | None) -> ProposalDocument:
    """Return what the answers propose, compared with what job and model say.

    What is served now stays where the answers cannot tell, even if it is not what was served when items were drawn. A
    threshold is one for the probabilities of the variant that was served then: another variant has others.
    """
    served_now: VariantName = job.result.fallback or "adapted"
    served = served_now if found.verdict == "uncertain" else found.served
    same = served == reviewed.design.served
    threshold = found.threshold.threshold if same and found.threshold is not None else None
    now = (job.result.verdict, served_now)
    unlike = threshold is not None and threshold != threshold_now
    return ProposalDocument(
        verdict=found.verdict,
        served_variant=served,
        threshold=threshold,
        differs=unlike or now != (found.verdict, served),
    )


def _show_item(reviewed: Reviewed, item: AuditItem, names: Names, classes: list[str]) -> AuditItemDocument:
    design, named = reviewed.design, names.items[item.sha256]
    outcome, answer = reviewed.outcomes[item.position]
    thumbnail = f"/v1/datasets/{reviewed.audit.dataset_id}/items/{item.sha256}/thumbnail" if names.pictures else None
    return AuditItemDocument(
        name=named.name,
        sha256=item.sha256,
        text=named.text,
        text_pair=named.text_pair,
        thumbnail_url=thumbnail,
        label=classes[item.adapted if design.served == "adapted" else item.zero_shot],
        probability=item.probability,
        runner_up=classes[item.runner_up],
        runner_up_probability=item.runner_up_probability,
        zero_shot_label=classes[item.zero_shot],
        adapted_label=classes[item.adapted],
        changed=item.adapted != item.zero_shot,
        part=design.part_of(item.stratum),
        inclusion_probability=design.drawn[item.stratum] / design.items[item.stratum],
        status=outcome,
        answer=None if answer is None or answer == NONE_OF_THESE else classes[answer],
    )
