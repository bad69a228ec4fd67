"""`make gpu-check`: its reduced form runs on a CPU, says so, and a section that fails stops no other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import gpu_check
import pytest
import torch
from gpu_checks import agreement, interruptions, modes, throughput
from gpu_checks.setting import Setting, prepare

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    made = Setting(torch.device("cpu"), "reduced", tmp_path_factory.mktemp("gpu-check"))
    prepare(made)
    return made


def test_bfloat16_is_compared_with_float32(setting: Setting) -> None:
    found = agreement.precision(setting)
    assert 0.997 < found["features in bfloat16"] < 1
    assert found["features on the CPU"] > 0.9999


def test_lack_of_memory_is_answered(setting: Setting) -> None:
    assert len(interruptions.memory(setting)["losses"]) == 2


def test_a_lack_of_memory_that_nobody_noticed_fails(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruptions.TightSource, "features", lambda self, draws: self._source.features(draws))
    with pytest.raises(interruptions.CheckFailed, match="no smaller micro-batch"):
        interruptions.memory(setting)


@pytest.mark.slow
def test_modes_of_the_random_model_train_and_predict(setting: Setting) -> None:
    assert {"prompt", "head", "last_n", "norm", "model", "auto"} <= modes.random_model(setting).keys()


def test_throughputs_are_told_beside_what_the_device_could_do(setting: Setting) -> None:
    encoded, trained = throughput.encoding(setting), throughput.training(setting)
    assert 0 <= encoded["idle_share"] < 1
    assert trained["times_the_reference"] > 0 and trained["operations_a_step"] > 0


def test_figures_below_the_claims_are_a_failure_of_a_gpu() -> None:
    assert gpu_check.missed_claims({"idle_share": 0.05, "share_of_peak": 0.4}) is None
    assert "idle_share" in str(gpu_check.missed_claims({"idle_share": 0.2}))
    assert "times_the_reference" in str(gpu_check.missed_claims({"times_the_reference": 4.0}))


def test_a_failure_is_recorded_and_the_rest_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Setting) -> dict[str, object]:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(gpu_check, "SECTIONS", {"broken": broken, "cuda tests": gpu_check.cuda_tests})
    monkeypatch.setattr(gpu_check, "keep_freed_memory", lambda: None)
    with pytest.raises(gpu_check.typer.Exit) as ended:
        gpu_check.main(None, "cpu", tmp_path / "figures.json", None)
    assert ended.value.exit_code == 1
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert "reduced" in figures["form"]
    assert [bool(row["failed"]) for row in figures["sections"]] == [True, False]
    assert "Reduced" in capsys.readouterr().out


@pytest.mark.slow
def test_the_whole_reduced_form_is_green(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/gpu_check.py", "--device", "cpu", "--json", str(tmp_path / "figures.json")]
    subprocess.run(command, cwd=ROOT, check=True)
