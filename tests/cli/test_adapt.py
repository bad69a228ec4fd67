from pathlib import Path

import pytest

from cli import CommandError
from cli.adapt import (
    Adaptation,
    adapt_data,
    print_result,
)
from cli.exit_codes import ExitCode
from cli.failures import explain
from pouf_core.contract.closed_forms import ClosedFormSettings, EstimatedGain
from pouf_core.contract.findings import Finding
from pouf_core.contract.method import ResolvedBaseline, ResolvedClosedForm
from pouf_core.contract.result import AdaptationResult, Evaluation
from pouf_core.errors import InvalidInput


def test_a_result_is_printed_with_its_verdict_the_reasons_and_the_variant_that_answers(capsys):
    baseline = ResolvedBaseline(
        type="zero-shot", class_prior=None, class_prior_source="none", threads=1, device="cpu", precision="float32"
    )
    result = AdaptationResult(
        method=baseline,
        warnings=[Finding(code="few_items", message="There are only 8 items.")],
        verdict="harmful",
        verdict_reasons=[Finding(code="classes_vanished", message="2 classes [of 3] are gone.")],
        fallback="zero_shot",
        selected_step=0,
        seconds=0.0,
    )
    print_result(result.at(Path("/models/mine"), seconds=1.25))
    assert capsys.readouterr().out.splitlines() == [
        "There are only 8 items. (few_items)",
        "Verdict: harmful",
        "  2 classes [of 3] are gone. (classes_vanished)",
        "Predictions come from the zero-shot variant; --variant adapted asks for the adapted one.",
        "Done in 1.2 s, step 0 kept, the zero-shot weights: /models/mine",
    ]
    kept = AdaptationResult(
        method=baseline,
        verdict="improved",
        evaluation=Evaluation(
            zero_shot_accuracy=0.5,
            adapted_accuracy=0.75,
            zero_shot_interval=(0.3, 0.7),
            adapted_interval=(0.5, 0.9),
            n=1200,
            unmatched=0,
        ),
        selected_step=4,
        seconds=0.0,
    )
    print_result(kept.at(Path("/models/mine"), seconds=1.25))
    assert capsys.readouterr().out.splitlines() == [
        "Verdict: improved",
        "Accuracy on 1,200 labelled items: 50.0% zero-shot, 75.0% adapted",
        "Done in 1.2 s, step 4: /models/mine",
    ]


def closed_form(tune: str, settings: ClosedFormSettings | None) -> ResolvedClosedForm:
    return ResolvedClosedForm(
        tune=tune, settings=settings, candidates=[], item_count=8, threads=1, device="cpu", precision="float32"
    )


def test_a_closed_form_is_printed_with_its_estimated_gain_and_without_steps(capsys):
    gaussian = closed_form("gaussian", ClosedFormSettings(tune="gaussian", logit_scale=20.0, temper=0.02))
    gain = EstimatedGain(points=4.26, low=1.0, high=7.5)
    result = AdaptationResult(method=gaussian, verdict="improved", estimated_gain=gain, selected_step=0, seconds=0.0)
    print_result(result.at(Path("/models/mine"), seconds=1.25))
    assert capsys.readouterr().out.splitlines() == [
        "Verdict: improved",
        "Estimated gain over zero-shot: +4.3 points of accuracy, 90 % interval +1.0 to +7.5",
        "Done in 1.2 s, closed form gaussian: /models/mine",
    ]
    nothing = AdaptationResult(method=closed_form("none", None), verdict="uncertain", selected_step=0, seconds=0.0)
    print_result(nothing.at(Path("/models/mine"), seconds=1.25))
    assert capsys.readouterr().out.splitlines() == ["Verdict: uncertain", "Done in 1.2 s, zero-shot kept: /models/mine"]


@pytest.mark.parametrize(
    ("class_names", "base_model", "tune", "reason"),
    [
        ("one", "pouf-lite", "prompt", "at least two"),
        ("a,b", "none", "prompt", "unknown_base_model"),
        ("a,b", "pouf-lite", "everything", "--tune: Input should be 'auto'"),
    ],
)
def test_a_refused_adaptation_is_reported_with_its_code(folder, tmp_path, class_names, base_model, tune, reason):
    wanted = Adaptation(folder, class_names, tmp_path / "model", base_model, method={"tune": tune}, device="cpu")
    with pytest.raises((CommandError, InvalidInput)) as refused:
        adapt_data(wanted)
    failure = explain(refused.value)
    assert reason in failure.message
    assert failure.exit_code == ExitCode.WRONG_USE
    assert not (tmp_path / "model").exists()


def test_every_problem_of_a_request_is_reported_at_once(folder, tmp_path):
    method = {"tune": "head", "last_n": 2, "partial_mass": 0.5}
    wanted = Adaptation(folder, "cat, cat", tmp_path / "model", "pouf-lite", method=method, device="cpu")
    with pytest.raises(InvalidInput) as refused:
        adapt_data(wanted)
    told = explain(refused.value).message.splitlines()
    assert [line.rpartition("(")[2] for line in told] == [
        "duplicate_class_name)",
        "unused_parameter)",
        "unused_parameter)",
    ]


def test_the_proposed_threshold_is_printed_with_what_it_gives(capsys):
    point = {"threshold": 0.725, "answered": 0.62, "accuracy": 0.951}
    curves = {"adapted": {"points": [point], "proposed": point}, "zero_shot": {"points": [point], "proposed": None}}
    result = AdaptationResult(
        method=closed_form("none", None),
        verdict="improved",
        abstention={"wished_accuracy": 0.95, **curves},
        selected_step=0,
        seconds=0.0,
    )
    print_result(result.at(Path("/models/mine"), seconds=1.25))
    said = "Proposed threshold: 0.725; 62.0% of the items would get a class, an estimated 95.1% of them right"
    assert said in capsys.readouterr().out
    print_result(result.model_copy(update={"fallback": "zero_shot"}).at(Path("/models/mine"), seconds=1.25))
    assert "none; no threshold is estimated to reach an accuracy of 95.0%" in capsys.readouterr().out
