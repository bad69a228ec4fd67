import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.demo_report import curl_lines, print_predictions, print_results
from pouf_client import Dataset, Job, Predictions

REASON = {"code": "classes_vanished", "message": "2 classes [of 3] are gone."}
EVALUATION = {
    "n": 8,
    "zero_shot_accuracy": 0.5,
    "zero_shot_interval": [0.25, 0.75],
    "adapted_accuracy": 0.375,
    "adapted_interval": [0.125, 0.625],
}


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=120)


def job(**said) -> Job:
    times = {"started_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:07Z"}
    return Job.of(
        {"id": "job_1", "status": "succeeded", "dataset_id": "ds_1", "evaluation": EVALUATION, **times, **said}
    )


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│\n").split("│")]


def test_the_table_has_every_jobs_verdict_and_the_reasons_follow(console):
    harmful = job(verdict="harmful", verdict_reasons=[REASON], fallback="zero_shot")
    print_results(console, {"fast": job(verdict="improved"), "best": harmful, "other": job()})
    shown = console.file.getvalue()
    rows = {row[0]: row[3:] for row in map(cells, shown.splitlines()) if len(row) == 5}
    assert rows == {
        "zero-shot": ["–", "–"],
        "fast": ["improved", "7"],
        "best": ["harmful", "7"],
        "other": ["–", "7"],
    }
    assert "Verdict (best, harmful): 2 classes [of 3] are gone." in shown
    assert "The model of best is served by its zero-shot variant by default" in shown
    assert shown.count("by default") == 1


def test_an_estimated_gain_follows_the_table_in_words(console):
    gain = {"points": -0.5, "low": -2.0, "high": 1.04}
    print_results(console, {"fast": job(verdict="uncertain", estimated_gain=gain), "best": job(verdict="improved")})
    said = [line for line in console.file.getvalue().splitlines() if "gain" in line]
    assert said == ["Estimated gain over zero-shot (fast): -0.5 points of accuracy, 90 % interval -2.0 to +1.0"]


def test_predictions_say_which_variant_answered(console):
    print_predictions(console, [], Predictions("mdl_1", "adapted", "zero_shot", 0.0, [], {}), {})
    assert "/predict (zero_shot)" in console.file.getvalue()


def test_curl_lines_carry_the_key_where_one_is_needed_and_never_print_it(monkeypatch):
    dataset = Dataset.of({"id": "ds_1", "status": "ready"})

    def lines() -> list[str]:
        return curl_lines("http://x", ["a", "b"], dataset, {"best": job()}, Path("a/images/1.jpg"))

    monkeypatch.delenv("POUF_API_KEY", raising=False)
    assert not any("Authorization" in line for line in lines())
    monkeypatch.setenv("POUF_API_KEY", "pouf_secret")
    curls = [line for line in lines() if line.startswith("curl")]
    assert curls
    assert all('-H "Authorization: Bearer $POUF_API_KEY"' in line for line in curls)
    assert not any("pouf_secret" in line for line in curls)
