"""docker-compose.yml read as an engine would: variables filled in, services as commands with an environment."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<word>[^}]*))?\})")


class MissingVariable(Exception):
    """A variable that the file insists on is not set."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Fill in `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$`."""

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        found = variables.get(match["name"], "")
        if found or match["kind"] is None:
            return found
        if match["kind"] == ":?":
            raise MissingVariable(match["name"])
        return match["word"]

    return VARIABLE.sub(value, text)


def load(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file with its variables filled in. One that is named without a value is passed on, if it has one."""
    file: dict[str, Any] = _filled(yaml.safe_load(FILE.read_text()), variables)
    for service in file["services"].values():
        environment = {name: variables.get(name) if value is None else value for name, value in _environment(service)}
        service["environment"] = {name: value for name, value in environment.items() if value is not None}
    return file


def _environment(service: Mapping[str, Any]) -> Iterable[tuple[str, str | None]]:
    return (service.get("environment") or {}).items()


def _filled(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return interpolate(node, variables)
    if isinstance(node, dict):
        return {key: _filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, variables) for value in node]
    return node


@dataclass(frozen=True)
class Translation:
    """What stands in a container's world, and what stands for it on this machine; applied in order."""

    replacements: tuple[tuple[str, str], ...]

    def text(self, text: str) -> str:
        for old, new in self.replacements:
            text = text.replace(old, new)
        return text

    def command(self, service: Mapping[str, Any]) -> list[str]:
        return [self.text(word) for word in shlex.split(service["command"])]

    def environment(self, service: Mapping[str, Any]) -> dict[str, str]:
        return {name: self.text(str(value)) for name, value in _environment(service)}
