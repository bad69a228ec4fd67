import typer
from typer.testing import CliRunner

from cli import options


def test_a_tab_may_be_written_as_in_the_shell():
    app = typer.Typer()

    @app.command()
    def show(delimiter: options.Delimiter = None) -> None:
        typer.echo(repr(delimiter))

    assert [CliRunner().invoke(app, ["--delimiter", given]).output for given in ("\\t", "tab", ";")] == [
        "'\\t'\n"
    ] * 2 + ["';'\n"]
