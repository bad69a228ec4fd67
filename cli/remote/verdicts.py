"""What a job says of itself, for people."""

from typing import TYPE_CHECKING

from cli.remote.output import note
from cli.wording import gain_in_words

if TYPE_CHECKING:
    from pouf_client import Job

STYLES = {"improved": "green", "uncertain": "yellow", "harmful": "red"}


def print_verdict(job: "Job") -> None:
    """Warnings, verdict with its reasons, estimated gain, and measured accuracy where there are labels."""
    for warning in job.warnings:
        note(f"{warning['message']} ({warning['code']})", "yellow")
    if job.verdict:
        note(f"Verdict: {job.verdict}", STYLES.get(job.verdict, ""))
    for reason in job.verdict_reasons:
        note(f"  {reason.message} ({reason.code})")
    if gain := job.estimated_gain:
        note(f"Estimated gain over zero-shot: {gain_in_words(gain.points, gain.low, gain.high)}")
    if evaluation := job.evaluation:
        accuracies = f"{evaluation.zero_shot_accuracy:.1%} zero-shot, {evaluation.adapted_accuracy:.1%} adapted"
        note(f"Accuracy on {evaluation.n:,} labelled items: {accuracies}")
    if job.fallback:
        note("The zero-shot model gives the labels: the adapted one cannot be trusted here.")


def class_names_of(job: "Job") -> list[str]:
    """A job's classes, without their wording."""
    return [each if isinstance(each, str) else each["name"] for each in job.raw["class_names"]]
