import pytest
from typer.testing import CliRunner

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.main import app
from cli.output_file import refuse_unwritable, replaced
from cli.predictions.answers import Answer, show_all, showing

EARLIER = "name,label\na.jpg,boat\n"


@pytest.fixture
def table(tmp_path):
    made = tmp_path / "texts.csv"
    made.write_text(EARLIER)
    return made


@pytest.mark.parametrize("command", [("predict", "{folder}", "{table}"), ("label", "{table}", "--classes", "a,b")])
def test_the_input_is_refused_as_the_output_under_any_name(table, tmp_path, command):
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    for out in (table, link):
        words = [word.format(folder=tmp_path, table=table) for word in command]
        ran = CliRunner().invoke(app, [*words, "-o", str(out), "--url", "http://127.0.0.1:9"])
        assert ran.exit_code == ExitCode.WRONG_USE, ran.output
        assert "is what is read" in ran.stderr
        assert table.read_text() == EARLIER


@pytest.mark.parametrize("command", [("predict", "{folder}"), ("label", "--classes", "a,b")])
def test_a_file_in_the_folder_that_is_read_is_no_output(table, tmp_path, command):
    words = [word.format(folder=tmp_path / "model") for word in command]
    ran = CliRunner().invoke(app, [*words, str(tmp_path), "-o", str(table), "--url", "http://127.0.0.1:9"])
    assert ran.exit_code == ExitCode.WRONG_USE, ran.output
    assert f"outside {tmp_path}" in " ".join(ran.stderr.split())
    assert table.read_text() == EARLIER


def test_earlier_answers_stay_when_new_ones_fail_midway(table, tmp_path):
    def answers():
        yield Answer("b.jpg", "bird", 0.9, None, [("bird", 0.9)])
        raise ConnectionError

    with pytest.raises(ConnectionError), showing(table, as_json=False) as show:
        show_all(answers(), show)
    assert table.read_text() == EARLIER
    assert list(tmp_path.iterdir()) == [table]


def test_a_link_stays_and_its_file_keeps_its_mode(table, tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(table)
    table.chmod(0o600)
    with replaced(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert (table.read_text(), table.stat().st_mode & 0o777) == ("new", 0o600)


def test_a_folder_is_no_place_for_a_file_whatever_it_is_called(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(CommandError, match="it is a folder") as refused:
        refuse_unwritable(tmp_path / "out.csv")
    assert refused.value.exit_code == ExitCode.WRONG_USE
