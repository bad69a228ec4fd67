"""What tune `auto` means, and what the closed forms refuse."""

from __future__ import annotations

from typing import Any

import pytest

import pouf_core
from pouf_core.contract.base_model import BaseModelDescription
from pouf_core.contract.method import CLOSED_FORM_SETTINGS, MethodSpec, parse_method
from pouf_core.contract.method_checks import base_problems, method_problems, settled_tune
from pouf_core.contract.tune_modes import ModelKind
from pouf_core.errors import InvalidInput
from pouf_core.families.registry import describe
from tests.pouf_core.conftest import CLASS_NAMES
from tests.pouf_core.method_settings import EXAMPLES

CLOSED_FORMS = ("calibrate", "gaussian", "propagate")
TRAINING = sorted(set(EXAMPLES) - CLOSED_FORM_SETTINGS)
TRAINS_INSTEAD: dict[ModelKind, str] = {"image": "prompt", "text": "prompt", "embedding": "prototypes"}


def settled(kind: ModelKind, **values: Any) -> str:
    return settled_tune(parse_method(values), kind).tune


def test_auto_stays_open_for_the_kinds_that_have_closed_forms_and_is_prompt_for_language_models() -> None:
    assert MethodSpec().tune == "auto"
    for kind in TRAINS_INSTEAD:
        assert settled(kind) == "auto"
    assert settled("language") == "prompt"


@pytest.mark.parametrize(("kind", "trained"), TRAINS_INSTEAD.items())
def test_auto_is_training_in_the_papers_preset_and_with_any_setting_of_training(kind: ModelKind, trained: str) -> None:
    assert settled(kind, preset="paper") == trained
    for name in TRAINING:
        assert settled(kind, **{name: EXAMPLES[name]}) == trained, name


@pytest.mark.parametrize("kind", TRAINS_INSTEAD)
def test_settings_that_a_closed_form_has_too_or_that_are_left_at_auto_leave_it_open(kind: ModelKind) -> None:
    assert settled(kind, tune="auto", precision="float32", fallback="never", type="pouf") == "auto"
    assert settled(kind, learning_rate="auto", class_prior="auto", max_steps="auto", selection="auto") == "auto"


@pytest.mark.parametrize("kind", ["image", "text", "embedding", "language"])
def test_a_mode_that_is_asked_for_and_a_baseline_are_left_as_they_are(kind: ModelKind) -> None:
    for tune in (*CLOSED_FORMS, "prompt", "prototypes", "model"):
        assert settled(kind, tune=tune) == tune
    assert settled(kind, type="zero-shot") == "auto"
    assert settled(kind, type="prior-matching", class_prior="uniform") == "auto"


def test_everything_else_is_kept_when_auto_is_settled() -> None:
    spec = parse_method({"max_steps": 7, "transport": "emd", "fallback": "never"})
    assert settled_tune(spec, "image") == spec.model_copy(update={"tune": "prompt"})


@pytest.mark.parametrize("tune", CLOSED_FORMS)
@pytest.mark.parametrize("name", TRAINING)
def test_a_closed_form_refuses_every_setting_of_training_at_its_field(tune: str, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        pouf_core.adapt(["no-such-file.png"], CLASS_NAMES, method={"tune": tune, name: EXAMPLES[name]})
    assert (refused.value.code, refused.value.field) == ("unused_parameter", f"/method/{name}")
    assert f"`{tune}`" in refused.value.message


@pytest.mark.parametrize("tune", CLOSED_FORMS)
def test_the_papers_preset_has_no_closed_form(tune: str) -> None:
    (problem,) = method_problems(parse_method({"tune": tune, "preset": "paper"}), 3)
    assert (problem.code, problem.field) == ("invalid_method", "/method/preset")


@pytest.mark.parametrize("tune", CLOSED_FORMS)
def test_closed_forms_are_for_frozen_features_and_but_for_calibrate_not_for_language_models(tune: str) -> None:
    def refused(base: BaseModelDescription) -> list[tuple[str, str | None]]:
        return [(problem.code, problem.field) for problem in base_problems(parse_method({"tune": tune}), base)]

    unsupported = [] if tune == "calibrate" else [("unsupported_tune", "/method/tune")]
    assert refused(describe("minilm-mlm")) == unsupported
    for name in ("pouf-lite", "minilm", "features"):
        assert refused(describe(name)) == []


def test_a_stored_baseline_with_the_earlier_default_is_still_taken() -> None:
    assert method_problems(parse_method({"type": "zero-shot", "tune": "prompt"}), 3) == []


ONE = ["a photo of a {}."]
ONCE = [{}, {"tune": "gaussian"}, {"tune": "prototypes"}, {"type": "zero-shot"}, {"type": "prior-matching"}]
EVERY_STEP = [{"tune": "prompt"}, {"tune": "head"}, {"tune": "model"}, {"preset": "paper"}, {"max_steps": 7}]


def default_templates(base_model: str, method: dict[str, Any]) -> list[str]:
    request = pouf_core.AdaptationRequest.of(base_model=base_model, class_names=CLASS_NAMES, method=method)
    return request.check(describe(base_model)).wording.templates


@pytest.mark.parametrize("base_model", ["pouf-lite", "open_clip:ViT-B-32/openai", "hf-align:/a/checkpoint"])
def test_pictures_have_an_ensemble_of_templates_unless_every_step_encodes_prompts(base_model: str) -> None:
    for method in ONCE:
        templates = default_templates(base_model, method)
        assert len(templates) == 8, method
        assert templates[:1] == ONE
    for method in EVERY_STEP:
        assert default_templates(base_model, method) == ONE, method


def test_texts_have_one_template_whatever_is_trained() -> None:
    for method in (*ONCE, *EVERY_STEP):
        assert default_templates("minilm", method) == ["A text about {}."], method
