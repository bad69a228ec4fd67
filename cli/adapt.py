"""`pouf adapt` and `pouf predict`: the method without the service."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

import pouf_core
from cli.class_names import parse_class_names
from cli.label_words import parse_label_words, parse_text_limits
from cli.remote.progress import progress_bar
from cli.wording import gain_in_words, proposal_in_words
from pouf_core.contract.abstention import WISHED_ACCURACY, Threshold
from pouf_core.contract.activation import ActivationChoice
from pouf_core.contract.base_model import BY_MODALITY
from pouf_core.contract.labels import LabelsWanted
from pouf_core.contract.progress import Progress as Step
from pouf_core.contract.request import Quality
from pouf_core.data.shown_text import harmless
from pouf_core.data.text_files import AS_TOLD, TextOptions
from pouf_core.feature_cache.cache import FeatureCache
from pouf_core.feature_cache.place import FeaturePlace
from pouf_core.system.memory import keep_freed_memory
from pouf_core.system.user_cache import user_cache

console = Console()

VERDICT_COLOURS = {"improved": "green", "uncertain": "yellow", "harmful": "red"}


@dataclass(frozen=True)
class Adaptation:
    """What `pouf adapt` was asked to do; the texts of options are read by `adapt_data`.

    Attributes:
        class_names: separated by commas.
        activation: `auto`, `gelu` or `quick_gelu`.
        label_words: `class=word,word` for each class; empty where there are none.
        text_limits: `text_a=64` for each text; empty where there are none.
        reading: what is known of files of texts, and of labels.
        labels: where evaluation labels may come from, see `RunOptions`.
        quality: `fast` or `best`.
        method: the `method` object of a job, without what is left to the method.
        threshold, wished_accuracy: as those of a job.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        deterministic: None: on a CPU alone.
        cache: whether features of the items are kept for later runs.
    """

    data: Path
    class_names: str
    out: Path
    base_model: str = BY_MODALITY
    activation: ActivationChoice = "auto"
    prompt_template: str | None = None
    label_words: Sequence[str] = ()
    text_limits: Sequence[str] = ()
    reading: TextOptions = AS_TOLD
    labels: LabelsWanted = "auto"
    quality: Quality = "fast"
    method: Mapping[str, str | int] = field(default_factory=dict)
    seed: int = 0
    threshold: Threshold | None = None
    wished_accuracy: float = WISHED_ACCURACY
    device: str = "auto"
    threads: int | None = None
    deterministic: bool | None = None
    cache: bool = True


def adapt_data(wanted: Adaptation) -> None:
    """Adapt, with a progress bar, and print the result.

    Raises:
        CommandError: a setting is refused.
        PoufError: the input or the request is refused, or it failed.
    """
    keep_freed_memory()
    with progress_bar() as bar:
        result = _adapt(wanted, bar)
    print_result(result)


def _adapt(wanted: Adaptation, bar: Progress) -> pouf_core.AdaptationResult:
    task = bar.add_task("starting", total=None)

    def show(step: Step) -> None:
        stage = step.stage.replace("_", " ")
        bar.update(task, description=stage, completed=step.step, total=step.total_steps or None)

    return pouf_core.adapt(
        wanted.data,
        parse_class_names(wanted.class_names),
        base_model=wanted.base_model,
        activation=wanted.activation,
        prompt_template=wanted.prompt_template,
        label_words=parse_label_words(wanted.label_words) or None,
        text_limits=parse_text_limits(wanted.text_limits) or None,
        **asdict(wanted.reading),
        labels=wanted.labels,
        quality=wanted.quality,
        method=wanted.method,
        seed=wanted.seed,
        threshold=wanted.threshold,
        wished_accuracy=wanted.wished_accuracy,
        out=wanted.out,
        on_progress=show,
        device=wanted.device,
        threads=wanted.threads,
        deterministic=wanted.deterministic,
        feature_cache=FeatureCache(place=FeaturePlace(user_cache() / "features")) if wanted.cache else None,
    )


def print_result(result: pouf_core.AdaptationResult) -> None:
    """Print warnings, verdict, gain, proposed threshold, accuracy, what answers by default, and the place."""
    for warning in result.warnings:
        _print(f"[yellow]{escape(warning.message)}[/] ({warning.code})")
    _print(f"Verdict: [{VERDICT_COLOURS[result.verdict]}]{result.verdict}[/]")
    for reason in result.verdict_reasons:
        _print(f"  {escape(reason.message)} ({reason.code})")
    if (gain := result.estimated_gain) is not None:
        _print(f"Estimated gain over zero-shot: {gain_in_words(gain.points, gain.low, gain.high)}")
    if (abstention := result.abstention) is not None:
        proposed = abstention[result.fallback or "adapted"].proposed
        _print(f"Proposed threshold: {proposal_in_words(proposed, abstention.wished_accuracy)}")
    if (evaluation := result.evaluation) is not None:
        accuracies = f"{evaluation.zero_shot_accuracy:.1%} zero-shot, {evaluation.adapted_accuracy:.1%} adapted"
        _print(f"Accuracy on {evaluation.n:,} labelled items: {accuracies}")
    if result.fallback:
        _print("Predictions come from the zero-shot variant; --variant adapted asks for the adapted one.")
    _print(f"Done in {result.seconds:.1f} s, {_what_was_kept(result)}: {escape(str(result.path))}")


def _what_was_kept(result: pouf_core.AdaptationResult) -> str:
    if result.method.type == "closed-form":
        return "zero-shot kept" if result.method.tune == "none" else f"closed form {result.method.tune}"
    return f"step {result.selected_step}" if result.selected_step else "step 0 kept, the zero-shot weights"


def _print(line: str) -> None:
    console.print(harmless(line), highlight=False, soft_wrap=True)
