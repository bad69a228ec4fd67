"""A tour of wrong uses: each is told in a line with advice, and ends with a documented exit code."""

import re
import zipfile

import pytest
from typer.testing import CliRunner

from cli.exit_codes import ExitCode
from cli.main import app

WRONG, GONE, CONFLICT = ExitCode.WRONG_USE, ExitCode.NOT_FOUND, ExitCode.CONFLICT
NOBODY = "http://127.0.0.1:9"
SECRET = "hush"
LABEL = ("label", "{data}", "--classes")
ADAPT = ("adapt", "{data}", "--class-names", "a,b", "--out", "{tmp}/model")
RUN = ("jobs", "run", "{dataset}", "--classes", "a,b", "--no-wait")

#: What is typed, the exit code, and what the advice says. Braces stand for what the test has.
WITHOUT_SERVICE = [
    (["lable"], WRONG, "Did you mean 'label'"),
    (["jobs", "cancle"], WRONG, "Did you mean 'cancel'"),
    (["label"], WRONG, "pouf label --help"),
    (["label", "{data}"], WRONG, "--classes"),
    (["label", "{data}", "--clases", "a,b"], WRONG, "--classes"),
    (["label", "{tmp}/none", "--classes", "a,b"], WRONG, "does not exist"),
    (["label", "", "--classes", "a,b"], WRONG, "variable of the shell"),
    (["adapt", "", "--class-names", "a,b", "--out", "{tmp}/model"], WRONG, "variable of the shell"),
    (["up", "--data-dir", ""], WRONG, "variable of the shell"),
    (["up", "--data-dir="], WRONG, "variable of the shell"),
    ([*LABEL, "one"], WRONG, "give at least two"),
    ([*LABEL, ",,"], WRONG, "give at least two"),
    ([*LABEL, "@{tmp}/none.txt"], WRONG, "No such file"),
    ([*LABEL, "@{tmp}"], WRONG, "Is a directory"),
    ([*LABEL, "@{binary}"], WRONG, "not UTF-8"),
    ([*LABEL, "a,b", "--quality", "superb"], WRONG, "best"),
    ([*LABEL, "a,b", "--threshold", "high"], WRONG, "a probability from 0 to 1"),
    ([*LABEL, "a,b", "--threshold", "1.5"], WRONG, "from 0 to 1"),
    ([*LABEL, "a,b", "-o", "{tmp}"], WRONG, "cannot be written"),
    ([*LABEL, "a,b", "-o", "{tmp}/none/out.csv"], WRONG, "cannot be written"),
    ([*LABEL, "a,b", "-o", "{binary}/out.csv"], WRONG, "folder that you may write to"),
    ([*LABEL, "a,b", "--activation", "relu"], WRONG, "quick_gelu"),
    ([*LABEL, "a,b", "-o", "-", "--json"], WRONG, "give -o a file"),
    ([*LABEL, "a,b", "-o", "{tmp}/out.docx"], WRONG, ".csv, .jsonl, .parquet"),
    (["label", "{empty}", "--classes", "a,b", "-o", "{tmp}/o.csv"], WRONG, "There is no file in"),
    (["label", "{data}", "{broken}", "--classes", "a,b", "-o", "{tmp}/o.csv"], WRONG, "one folder alone"),
    (["label", "{broken}", "{broken}", "--classes", "a,b", "-o", "{tmp}/o.csv"], WRONG, "same name"),
    ([*LABEL, "a,b", "-o", "{tmp}/o.csv", "--url", NOBODY], ExitCode.UNREACHABLE, "pouf up"),
    (["datasets", "ls", "--url", NOBODY], ExitCode.UNREACHABLE, "--url"),
    (["datasets", "ls", "--url", "localhost:8000"], WRONG, "http://127.0.0.1:8000"),
    (["datasets", "ls", "--url", "ftp://localhost"], WRONG, "http://127.0.0.1:8000"),
    (["datasets", "ls", "--url", "http://ann:{secret}@localhost"], WRONG, "leave out what stands before @"),
    (["datasets", "ls", "--url", "ann:{secret}@localhost"], WRONG, "http://127.0.0.1:8000"),
    (["doctor", "--url", "http://ann:{secret}@localhost"], WRONG, "leave out what stands before @"),
    (["demo", "--url", "http://ann:{secret}@localhost"], WRONG, "leave out what stands before @"),
    (["demo", "--url", "localhost"], WRONG, "http://127.0.0.1:8000"),
    (["datasets", "ls", "--limit", "-1"], WRONG, "--limit"),
    (["datasets", "ls", "--status", "done"], WRONG, "ready"),
    (["predict", "{tmp}/none.zip", "a.jpg"], WRONG, "no model's folder or zip"),
    (["models", "pull", "birds", "--variant", "adapted"], WRONG, "--as"),
    (["models", "pull", "birds", "here", "-o", "there"], WRONG, "once"),
    (["predict", "models/birds", "a.jpg"], WRONG, "no model's folder or zip"),
    (["predict", "{broken}", "a.jpg"], WRONG, "neither a model's folder nor the zip"),
    (["predict", "{garbled}", "a.jpg"], WRONG, "neither a model's folder nor the zip"),
    (["predict", "{empty}", "a.jpg"], WRONG, "not an adapted model"),
    (["predict", "birds", "a.jpg", "--url", NOBODY], ExitCode.UNREACHABLE, "pouf up"),
    (["predict", "{empty}", "a.jpg", "--top-k", "0"], WRONG, "--top-k"),
    (["predict", "{empty}", "a.jpg", "--variant", "best"], WRONG, "zero_shot"),
    (["predict", "{empty}"], WRONG, "items"),
    (["adapt", "{data}", "--class-names", "one", "--out", "{tmp}/model"], WRONG, "at least two"),
    (["adapt", "{data}", "--class-names", "a,b"], WRONG, "--out"),
    (["adapt", "{empty}", "--class-names", "a,b", "--out", "{tmp}/model"], WRONG, "no_usable_items"),
    (["adapt", "{empty}", "--class-names", "a,b", "--out", "{data}"], WRONG, "choose another place"),
    (["adapt", "{empty}", "--class-names", "a,b", "--out", "{broken}"], WRONG, "choose another place"),
    (
        ["adapt", "{data}", "--class-names", "a,b", "--out", "{tmp}/m", "--base-model", "vit"],
        WRONG,
        "unknown_base_model",
    ),
    (["adapt", "{data}", "--class-names", "a,b", "--out", "{tmp}/m", "--label-words", "x"], WRONG, "class=word"),
    (["adapt", "{broken}", "--class-names", "a,b", "--out", "{tmp}/m"], WRONG, "neither a folder nor an archive"),
    (["adapt", "{damaged}", "--class-names", "a,b", "--out", "{tmp}/m"], WRONG, "damaged.zip"),
    (["adapt", "{data}", "--class-names", "a,b", "--out", "{tmp}/m", "--method", "none"], WRONG, "--method: Input"),
    (["adapt", "{data}", "--class-names", "a,b", "--out", "{tmp}/m", "--threads", "100000"], WRONG, "--threads"),
    (["adapt", "{data}", "--class-names", "a,b", "--out", "{tmp}/m", "--device", "tpu"], WRONG, "unknown_device"),
    (["adapt", "{data}", "--class-names", "a,b", "--out", "{tmp}/m", "--seed", "-1"], WRONG, "--seed: Input"),
    (["keys", "revoke", "none", "--data-dir", "{tmp}/tpyo"], WRONG, "There is no database"),
    (["backup", "{tmp}/copy", "--data-dir", "{tmp}/tpyo"], WRONG, "--data-dir"),
    (["prune", "--data-dir", "{tmp}/tpyo"], WRONG, "There is no database"),
    (["orphans", "--data-dir", "{tmp}/tpyo"], WRONG, "There is no database"),
    (["restore", "{tmp}/none"], WRONG, "does not exist"),
    (["restore", "{empty}", "--data-dir", "{tmp}/new"], ExitCode.FAILED, "name the folder that `pouf backup` made"),
    (["keys", "list", "--data-dir", "{tmp}/tpyo"], WRONG, "There is no database"),
    (["keys", "create"], WRONG, "--name"),
    (["keys", "create", "--name", "a", "--scope", "all"], WRONG, "'admin'. See"),
    (["jobs", "wait", "a", "b"], WRONG, "unexpected extra argument"),
    (["predict", "{empty}", "a.jpg", "--threshold", "7"], WRONG, "from 0 to 1"),
    (["review", "job_none", "--size", "0"], WRONG, "equal to 1. See"),
    (["up", "--port", "99999", "--data-dir", "{tmp}/up"], ExitCode.FAILED, "POUF_PORT"),
    (["up", "--data-dir", "{broken}"], ExitCode.FAILED, "data directory"),
    ([*LABEL, "a,b", "--url", NOBODY, "--data-dir", "{tmp}/new"], WRONG, "Give --url"),
    (["doctor", "--url", NOBODY, "--data-dir", "{tmp}/new"], WRONG, "Give --url"),
    (["demo", "--url", NOBODY], ExitCode.FAILED, "not ready"),
]
WITH_SERVICE = [
    (["datasets", "show", "ds_none"], GONE, "dataset"),
    (["datasets", "rm", "ds_none", "--yes"], GONE, "dataset"),
    (["datasets", "push", "{broken}", "--delimiter", "ab"], WRONG, "delimiter"),
    (["datasets", "push", "{broken}", "--encoding", "klingon"], WRONG, "encoding"),
    (["jobs", "show", "job_none"], GONE, "job"),
    (["jobs", "logs", "job_none", "-f"], GONE, "job"),
    (["jobs", "wait", "job_none"], GONE, "job"),
    (["jobs", "run", "ds_none", "--classes", "a,b"], WRONG, "dataset"),
    ([*RUN, "--activation", "quick_gelu"], WRONG, "open_clip"),
    (["models", "pull", "none", "{tmp}/pulled", "--as", "numpy", "--variant", "zero_shot"], GONE, "model"),
    ([*RUN, "--method", "tune"], WRONG, "name=value"),
    ([*RUN, "--alias", "a b"], WRONG, "--alias: An alias has letters, digits"),
    (["models", "pull", "none", "--as", "numy"], WRONG, "'numpy', 'onnx'"),
    (["models", "rm", "none", "--yes"], GONE, "model"),
    (["keys", "revoke", "key_none"], GONE, "key"),
    (["datasets", "rm", "{dataset}"], WRONG, "--yes"),
    ([*RUN, "--method", "tune=everything"], WRONG, "--method tune: Input should be"),
    ([*RUN, "--base-model", "vit"], WRONG, "unknown_base_model"),
    ([*RUN, "--prompt-template", "no place"], WRONG, "template_without_placeholder"),
    (["jobs", "run", "{dataset}", "--classes", "a,a", "--no-wait"], WRONG, "--classes: "),
    (["jobs", "run", "{dataset}", "--classes", "a,a", "--alias", "a b", "--no-wait"], WRONG, "--alias: An alias"),
    (["jobs", "resume", "{job}"], CONFLICT, "job_"),
    (["jobs", "predictions", "{job}", "-o", "{tmp}/o.csv"], GONE, "predictions_not_found"),
    (["jobs", "compare", "{job}", "{job}"], WRONG, "job"),
    (["models", "show", "none"], GONE, "model"),
    (["models", "pull", "none", "{tmp}/pulled"], GONE, "model"),
    (["models", "pull", "{model}", "{data}"], WRONG, "name another folder"),
    (["models", "alias", "a b", "{model}"], WRONG, "letters, digits"),
    (["models", "alias", "best", "none"], GONE, "model"),
    (["models", "alias", "best", "{model}", "--delete"], WRONG, "not both"),
    (["models", "rename", "{model}", "n" * 201], WRONG, "name: "),
    (["models", "show", ""], WRONG, "variable of the shell"),
    (["datasets", "rm", "", "--yes"], WRONG, "variable of the shell"),
    (["predict", "none", "{broken}"], GONE, "model"),
    (["predict", "{model}", "{tmp}/none.jpg"], WRONG, "There is no file"),
    (["predict", "{model}", "{empty}"], WRONG, "There is no picture"),
    (["predict", "{model}", "{broken}"], WRONG, "broken.jpg"),
    (["review", "job_none"], GONE, "job"),
    (["review", "{job}"], GONE, "predictions"),
]


@pytest.fixture
def places(tmp_path):
    """Files to get wrong."""
    data, empty = tmp_path / "data", tmp_path / "empty"
    data.mkdir()
    empty.mkdir()
    broken, binary = data / "broken.jpg", tmp_path / "binary"
    broken.write_text("no picture")
    binary.write_bytes(b"\xff\xfe\xfa")
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(b"PK\x03\x04 and no more")
    files = {"data": data, "empty": empty, "broken": broken, "binary": binary, "damaged": damaged}
    return {"tmp": tmp_path, "secret": SECRET, "garbled": garbled_zip(tmp_path / "garbled.zip"), **files}


def garbled_zip(path):
    """A zip whose directory is whole, and whose packed content is not."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("manifest.json", "{}" * 500)
        start = len(packed.filelist[0].FileHeader())
    content = bytearray(path.read_bytes())
    content[start : start + 4] = b"\xff" * 4
    path.write_bytes(content)
    return path


def check(words, places, code, advice):
    ran = CliRunner().invoke(app, [word.format(**places) for word in words], prog_name="pouf")
    assert "Traceback" not in ran.output
    assert (ran.exit_code, ran.stdout) == (code, ""), ran.output
    lines = [line for line in ran.stderr.splitlines() if line.strip()]
    assert len(lines) <= 2, ran.stderr  # the second where a file is named first
    assert advice in ran.stderr
    assert SECRET not in ran.output
    assert re.search(r"(^|; )/\w+(/\w+)*: ", ran.stderr) is None, "a pointer, where a person expects an option"
    assert re.search(r"/site-packages/|\.py\b", ran.stderr) is None


@pytest.mark.parametrize(
    ("words", "code", "advice"), WITHOUT_SERVICE, ids=[" ".join(words) for words, _, _ in WITHOUT_SERVICE]
)
def test_a_wrong_use_is_told_in_a_line(monkeypatch, places, words, code, advice):
    monkeypatch.chdir(places["tmp"])
    for name, value in {"POUF_DATA_DIR": places["tmp"] / "own", "POUF_HOST": "127.0.0.1", "POUF_PORT": 9}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("POUF_URL", raising=False)
    check(words, places, code, advice)
    assert not (places["tmp"] / "tpyo").exists()


def test_a_wrong_use_of_a_service_is_told_in_a_line(pouf, rows, places):
    """One server for all of them."""
    places |= {"dataset": rows.dataset(), "job": rows.job("running", "failed"), "model": rows.model()}
    wrong = []
    for words, code, advice in WITH_SERVICE:
        try:
            check(words, places, code, advice)
        except AssertionError as error:
            wrong.append((words, str(error)[:600]))
    assert not wrong


@pytest.mark.parametrize(
    ("key", "said"),
    [("", "POUF_API_KEY"), ("pouf_" + "0" * 56, "POUF_API_KEY"), ("a key", "POUF_API_KEY")],
)
def test_a_key_that_is_missing_or_wrong_is_told_with_the_variable_that_holds_it(pouf, make_key, monkeypatch, key, said):
    make_key()
    monkeypatch.setenv("POUF_API_KEY", key)
    refused = pouf("jobs", "ls")
    assert refused.exit_code == ExitCode.FORBIDDEN
    assert said in refused.stderr


def test_a_fault_of_the_program_itself_is_a_line_and_its_trace_a_file(monkeypatch, tmp_path):
    def fail(names):
        raise KeyError("something nobody thought of")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("cli.base_models.list_base_models", fail)
    ran = CliRunner().invoke(app, ["base-models"])
    (written,) = (tmp_path / "pouf" / "errors").iterdir()
    assert ran.exit_code == ExitCode.INTERNAL
    assert len(ran.stderr.splitlines()) == 1
    assert str(written) in ran.stderr
    assert "Traceback" in written.read_text()
    shown = CliRunner().invoke(app, ["--debug", "base-models"])
    assert "Traceback" in shown.stderr


def test_the_reader_of_a_pipe_may_leave(monkeypatch):
    def fail(names):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("cli.base_models.list_base_models", fail)
    ran = CliRunner().invoke(app, ["base-models"])
    assert (ran.exit_code, ran.output) == (ExitCode.FAILED, "")


def test_the_tour_is_long_enough():
    assert len(WITHOUT_SERVICE) + len(WITH_SERVICE) >= 60
