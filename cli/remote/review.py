"""`pouf review`: items of a job looked at in the terminal, one at a time, one key a class."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.remote.connection import Url, connected
from cli.remote.output import AsJson, note, notes, print_json
from cli.remote.sources import given
from cli.remote.verdicts import class_names_of
from cli.terminal import literal

if TYPE_CHECKING:
    from pouf_client import Audit, Client
    from pouf_client.audits import AnswerGiven, AuditItem, Measured

NONE, CANT_TELL, UNDO, QUIT, BY_NAME = "0", "?", "u", "q", "/"
PROPOSED = ("\r", "\n", " ")
CLASS_KEYS = "123456789abcdefghijklmnoprstvwxyz"
COMMANDS = f"enter: as proposed   {NONE}: none of these   {CANT_TELL}: can't tell   {UNDO}: undo   {QUIT}: quit"


@dataclass
class Review:
    """One person's way through the items of an audit; each answer is sent at once."""

    client: "Client"
    audit: "Audit"
    classes: Sequence[str]
    person: str | None
    _typed: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Ask for each item that has no answer, until there is none or the person quits."""
        items = [item for item in self.audit.items if item["status"] == "unanswered"]
        place = 0
        while place < len(items):
            self._show(items[place], place + 1, len(items))
            key = self._key()
            if key == QUIT:
                return
            if key == UNDO:
                place = max(0, place - 1)
                continue
            answer = self._answer(items[place], key)
            if answer is None:
                note(f"{key!r} means nothing here.", "yellow")
                continue
            self.audit = self.client.audits.answer(self.audit.job_id, self.audit.id, [answer], person=self.person)
            place += 1

    def _key(self) -> str:
        """The next key; of several that come at once each counts, and the end of the input quits."""
        if not self._typed:
            try:
                pressed = typer.getchar()
            except EOFError:
                return QUIT
            # that of an arrow, say, is one of several characters
            self._typed = [pressed] if pressed.startswith("\x1b") else list(pressed)
        key = self._typed.pop(0) if self._typed else QUIT
        if key == "\x03":
            raise KeyboardInterrupt
        return QUIT if key == "\x04" else key

    def _answer(self, item: "AuditItem", key: str) -> "AnswerGiven | None":
        if key == NONE:
            return {"item": item["sha256"], "answer": "none_of_these"}
        if key == CANT_TELL:
            return {"item": item["sha256"], "answer": "cant_tell"}
        label = item["label"] if key in PROPOSED else self._class_of(key)
        return None if label is None else {"item": item["sha256"], "label": label}

    def _class_of(self, key: str) -> str | None:
        if key == BY_NAME:
            return self._class_by_name(typer.prompt("class", err=True).strip())
        place = CLASS_KEYS.find(key)
        return self.classes[place] if 0 <= place < len(self.classes) else None

    def _class_by_name(self, beginning: str) -> str | None:
        matching = [name for name in self.classes if name.lower().startswith(beginning.lower())]
        exact = [name for name in matching if name.lower() == beginning.lower()]
        return (exact or matching)[0] if exact or len(matching) == 1 else None

    def _show(self, item: "AuditItem", number: int, count: int) -> None:
        # folders may name the class
        shown = " | ".join(filter(None, (item["text"], item["text_pair"]))) or PurePosixPath(item["name"]).name
        proposed = f"{item['label']} {item['probability']:.2f}, or {item['runner_up']}"
        notes.print(literal(f"\n{number} of {count}   {shown}", "bold"), soft_wrap=True)
        notes.print(literal(f"proposed: {proposed}"), soft_wrap=True)
        keys = [f"{key} {name}" for key, name in zip(CLASS_KEYS, self.classes, strict=False)]
        more = [f"{BY_NAME} another, by its name"] if len(self.classes) > len(keys) else []
        notes.print(literal("   ".join(keys + more)), soft_wrap=True)
        notes.print(literal(COMMANDS, "dim"), soft_wrap=True)


def review(
    job_id: Annotated[str, typer.Argument(help="A job that has succeeded: job_…", show_default=False)],
    size: Annotated[int, typer.Option(help="How many items to draw.", min=1, max=1000)] = 40,
    new: Annotated[bool, typer.Option("--new", help="Draw anew, where a review has been begun before.")] = False,
    person: Annotated[str | None, typer.Option(help="Who answers, where several people do.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same draws the same items.")] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Serve what the answers propose, without asking for more.")
    ] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Look at some items of a job, and measure how often it is right: one item at a time, one key a class.

    Every answer is kept at once: quit whenever you like, and the same command goes on where you stopped.
    """
    with connected(url) as client:
        audit = None if new else _begun(client, job_id)
        if confirm:
            if audit is None:
                raise CommandError(f"Nobody has reviewed {job_id} yet.", ExitCode.CONFLICT)
            audit = client.audits.confirm(job_id, audit.id)
        else:
            audit = audit or client.audits.create(job_id, size, **given(seed=seed))
            names = class_names_of(client.jobs.get(job_id))
            under_way = Review(client, client.audits.get(job_id, audit.id), names, person)
            under_way.run()
            audit = under_way.audit
    if as_json:
        print_json(audit.raw)
    else:
        _print_estimate(audit)


def _begun(client: "Client", job_id: str) -> "Audit | None":
    """The newest review of the job."""
    return next(iter(client.audits.list(job_id)), None)


def _print_estimate(audit: "Audit") -> None:
    console = Console(highlight=False)
    answered = audit.size - audit.counts["unanswered"]
    console.print(f"Answered: {answered} of {audit.size}.")
    if (estimate := audit.estimate) is None:
        return
    console.print(f"zero-shot   {_measured(estimate['zero_shot'])}")
    console.print(f"adapted     {_measured(estimate['adapted'])}")
    console.print(f"difference  {_measured(estimate['difference'], sign='+')}")
    if (proposal := audit.proposal) and proposal["differs"]:
        note(f"Proposed: serve {proposal['served_variant']} (verdict {proposal['verdict']}); --confirm does so.")


def _measured(value: "Measured", sign: str = "") -> str:
    from pouf_core.contract.counts import counted

    low, high = value["interval"]
    return f"{value['value']:{sign}.1%} ({low:{sign}.1%} to {high:{sign}.1%}, by {counted(value['answers'], 'answer')})"
