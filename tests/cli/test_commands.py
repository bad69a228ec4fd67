import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import pouf_core
from cli import CommandError, adapt, main
from cli.adapt import Adaptation, adapt_data, parse_label_words, parse_text_limits, predict_items, print_result
from cli.data_directory import DataDirectory
from cli.main import app
from cli.processes import marked_processes
from pouf_core.contract.findings import Finding
from pouf_core.contract.method import ResolvedBaseline
from pouf_core.contract.result import AdaptationResult
from pouf_core.predictor import Prediction
from store.database import Database, upgrade
from store.ids import new_id
from store.tables import Dataset

IMAGES = Path(__file__).parent.parent.parent / "examples" / "clipart" / "images"


def pouf(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("pictures")
    for path in sorted(IMAGES.iterdir())[:6]:
        shutil.copy(path, made)
    return made


def test_help_loads_no_server_and_no_pytorch():
    heavy = "{'torch', 'app', 'worker', 'pouf_core', 'sqlalchemy', 'httpx'}"
    script = f"import sys, cli.main; print({heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"


@pytest.mark.parametrize(("chosen", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_leave_the_processor_to_others_unless_told_otherwise(monkeypatch, chosen, policy):
    monkeypatch.setenv("OMP_WAIT_POLICY", chosen or "")
    if chosen is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(main, "app", lambda: None)
    main.main()
    assert os.environ["OMP_WAIT_POLICY"] == policy


def test_a_folder_is_adapted_and_the_model_predicts(folder, tmp_path, capsys):
    out = tmp_path / "model"
    options = ["--class-names", "computer, smiley face", "--max-steps", 1, "--threads", 1, "--device", "cpu"]
    ran = pouf("adapt", folder, *options, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert str(out) in ran.stdout.replace("\n", "")
    predict_items(out, [folder / "00fdfebaa3e3.jpg"], 2, "adapted", "cpu")
    assert capsys.readouterr().out.startswith(f"{folder / '00fdfebaa3e3.jpg'}: smiley face 0.")


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
        seconds=1.25,
    )
    print_result(result.at(Path("/models/mine")))
    assert capsys.readouterr().out.splitlines() == [
        "There are only 8 items. (few_items)",
        "Verdict: harmful",
        "  2 classes [of 3] are gone. (classes_vanished)",
        "Predictions come from the zero-shot variant; --variant adapted asks for the adapted one.",
        "Done in 1.2 s, step 0 kept, the zero-shot weights: /models/mine",
    ]
    kept = AdaptationResult(method=baseline, verdict="improved", selected_step=4, seconds=1.25)
    print_result(kept.at(Path("/models/mine")))
    assert capsys.readouterr().out.splitlines() == ["Verdict: improved", "Done in 1.2 s, step 4: /models/mine"]


class TwoVariants:
    """Answers with the name of the variant that was asked for."""

    def __init__(self, fallback):
        self.fallback = fallback

    def predict(self, pictures, top_k, variant):
        return [Prediction(variant, 0, 1.0, [(variant, 1.0)]) for _ in pictures]


@pytest.mark.parametrize(
    ("fallback", "asked", "answered", "said"),
    [
        ("zero_shot", None, "zero_shot", True),
        ("zero_shot", "adapted", "adapted", False),
        ("zero_shot", "zero_shot", "zero_shot", False),
        (None, None, "adapted", False),
        (None, "zero_shot", "zero_shot", False),
    ],
)
def test_a_model_that_fell_back_answers_by_zero_shot_unless_told_otherwise(
    monkeypatch, capsys, fallback, asked, answered, said
):
    monkeypatch.setattr(pouf_core, "load", lambda path, device: TwoVariants(fallback))
    predict_items(Path("model"), [Path("a.png")], 1, asked, "cpu")
    printed = capsys.readouterr()
    assert printed.out == f"a.png: {answered} 1.000\n"
    assert ("fell back to zero-shot" in printed.err) is said


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ([], {"type": "pouf"}),
        (["--method", "zero-shot"], {"type": "zero-shot"}),
        (["--tune", "head", "--max-steps", "3"], {"type": "pouf", "tune": "head", "max_steps": 3}),
    ],
)
def test_only_settings_that_were_given_reach_the_method(monkeypatch, tmp_path, options, method):
    asked = []
    monkeypatch.setattr(adapt, "adapt_data", lambda wanted: asked.append(wanted.method))
    arguments = ["adapt", str(tmp_path), "--class-names", "a,b", "--out", str(tmp_path / "model"), *options]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 0, ran.output
    assert asked == [method]


def test_label_words_are_read_class_by_class():
    assert parse_label_words(["bad=terrible, awful", "good = great"]) == {
        "bad": ["terrible", "awful"],
        "good": ["great"],
    }
    for values in (["terrible"], ["bad=a", "bad=b"]):
        with pytest.raises(CommandError, match="once for each class"):
            parse_label_words(values)


def test_text_limits_are_read_text_by_text():
    assert parse_text_limits(["text_a=64", "text_b=8"]) == {"text_a": 64, "text_b": 8}
    for values in (["64"], ["text=long"], ["text=1", "text=2"]):
        with pytest.raises(CommandError, match="once for each text"):
            parse_text_limits(values)


@pytest.mark.parametrize(
    ("class_names", "base_model", "tune", "reason"),
    [
        ("one", "pouf-lite", "prompt", "too_few_classes"),
        ("a,b", "none", "prompt", "unknown_base_model"),
        ("a,b", "pouf-lite", "everything", "tune: Input should be 'prompt'"),
    ],
)
def test_a_refused_adaptation_is_reported_with_its_code(folder, tmp_path, class_names, base_model, tune, reason):
    wanted = Adaptation(folder, class_names, tmp_path / "model", base_model, method={"tune": tune}, device="cpu")
    with pytest.raises(CommandError, match=reason):
        adapt_data(wanted)
    assert not (tmp_path / "model").exists()


def test_a_folder_that_is_no_model_is_reported(folder):
    with pytest.raises(CommandError, match="artifact_not_found"):
        predict_items(folder, [folder / "00fdfebaa3e3.jpg"], 1, "adapted", "cpu")


def test_the_database_is_migrated(tmp_path):
    for _ in range(2):
        assert pouf("migrate", POUF_DATA_DIR=str(tmp_path / "new")).returncode == 0
    assert (tmp_path / "new" / "pouf.db").is_file()


def test_a_taken_port_is_reported_before_anything_starts(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ran = pouf("up", "--port", port, "--data-dir", tmp_path)
    assert ran.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in ran.stderr
    assert not (tmp_path / "pouf.db").exists()


def test_a_second_service_on_a_data_directory_is_refused(tmp_path):
    directory = DataDirectory(tmp_path)
    directory.create()
    with directory.locked("http://127.0.0.1:1234"):
        ran = pouf("up", "--port", 0, "--data-dir", tmp_path)
    assert ran.returncode == 1
    assert f"process {os.getpid()}, http://127.0.0.1:1234" in ran.stderr


@pytest.mark.parametrize(
    ("variable", "value"), [("POUF_DATABASE_URL", "sqlite:///here.db"), ("POUF_STORAGE_URL", "file://here")]
)
def test_relative_paths_in_urls_are_refused(tmp_path, variable, value):
    ran = pouf("up", "--data-dir", tmp_path, **{variable: value})
    assert ran.returncode == 1
    assert f"{variable} needs an absolute path" in ran.stderr


def test_an_invalid_setting_is_reported_without_a_traceback(tmp_path):
    ran = pouf("up", "--data-dir", tmp_path, POUF_DEVICE="abacus")
    assert ran.returncode == 1
    assert "POUF_DEVICE" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_database_that_cannot_be_opened_ends_the_start(tmp_path):
    missing = tmp_path / "no" / "such" / "folder"
    missing.parent.parent.write_text("a file, so that no folder can be made here")
    ran = pouf("up", "--port", 0, "--data-dir", tmp_path / "data", POUF_DATABASE_URL=f"sqlite:///{missing}/pouf.db")
    assert ran.returncode == 1
    assert "The database cannot be used" in ran.stderr
    assert marked_processes((tmp_path / "data").resolve()) == []


def test_orphans_are_listed_and_removed_when_told_to(tmp_path):
    database_url = f"sqlite:///{tmp_path / 'pouf.db'}"
    upgrade(database_url)
    database = Database(database_url)
    with database.write() as session:
        session.add(Dataset(id=new_id("ds"), owner="local", modality="image", status="ready"))
    database.dispose()
    left = tmp_path / "storage" / "models" / new_id("mdl") / "adapter.safetensors"
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(1234))
    os.utime(left, (0, 0))
    for arguments, found in ([], "Found 1"), (["--delete"], "Removed 1"), ([], "Found 0"):
        there = left.exists()
        ran = pouf("orphans", *arguments, "--data-dir", tmp_path)
        assert ran.returncode == 0, ran.stderr
        assert f"{found} files" in ran.stdout
        assert (left.parent.name in ran.stdout, left.exists()) == (there, there and not arguments)
