"""`pouf jobs logs`: a job's events as lines."""

import sys
from typing import TYPE_CHECKING

from cli.remote.output import shown
from cli.terminal import json_text
from pouf_core.data.shown_text import harmless

if TYPE_CHECKING:
    from pouf_client import Client, Event


def print_events(client: "Client", job_id: str, *, follow: bool, as_json: bool) -> None:
    """Print the events so far, and with `follow` those that come, until the job has ended."""
    for event in client.jobs.events(job_id) if follow else client.jobs.past_events(job_id):
        sys.stdout.write((json_text(event.raw) if as_json else harmless(_line(event))) + "\n")
        sys.stdout.flush()


def _line(event: "Event") -> str:
    said = {name: value for name, value in event.data.items() if value not in (None, [], {})}
    details = ", ".join(f"{name} {shown(value)}" for name, value in said.items())
    return f"{event.raw['created_at']}  {event.type}  {details}"
