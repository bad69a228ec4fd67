"""Write the parts of the pages that come from the code: run `make docs`, commit the result."""

from collections.abc import Callable
from pathlib import Path

from app.http.metric_descriptions import metrics_table
from pouf_core.contract.presets import PRESETS, REFINED, REFINEMENTS, Preset
from pouf_core.contract.tune_modes import ModelKind
from pouf_core.validation.thresholds import KINDS, TABLE, Limit, Row
from store.settings_table import settings_table

DOCS = Path(__file__).parent
FILE = DOCS / "configuration.md"
METRICS = DOCS / "metrics.md"
METHOD = DOCS / "method.md"
TRUST = DOCS / "trust.md"
BASE_MODELS = {
    "image": "pictures",
    "text": "sentence encoders",
    "language": "language models",
    "embedding": "embeddings",
}


def configuration(text: str) -> str:
    """The page with its table of settings as the code has it now."""
    return _between(text, "settings", settings_table)


def metrics(text: str) -> str:
    """The page with its table of metrics as the code has it now."""
    return _between(text, "metrics", metrics_table)


def method(text: str) -> str:
    """The page with its tables of presets as the code has it now."""
    return _between(text, "presets", presets_tables)


def presets_tables() -> str:
    """What `auto` resolves to: a markdown table for each preset and kind of base model, by tune mode."""
    everywhere = _shared([preset for modes in PRESETS.values() for preset in modes.values()])
    parts = [f"In every preset: {_listed(everywhere)}.\n"]
    for (name, family), modes in PRESETS.items():
        settings = [setting for setting in Preset.__dataclass_fields__ if setting not in everywhere]
        title = f"`{name}`, {BASE_MODELS[family]}"
        pictures = PRESETS[name, "image"]
        if family != "image" and modes.keys() == pictures.keys():
            settings = [setting for setting in settings if _values(modes, setting) != _values(pictures, setting)]
            title += ", as for pictures except"
        parts.append(f"{title}:\n{_presets_table(modes, settings)}")
    for family, preset in REFINEMENTS.items():
        usual = PRESETS["default", family][REFINED]
        own = {name: str(value) for name, value in vars(preset).items() if value != getattr(usual, name)}
        parts.append(f"Quality `best`, {BASE_MODELS[family]}, as `{REFINED}` in `default` except: {_listed(own)}.\n")
    return "\n".join(parts)


def _presets_table(modes: dict[str, Preset], settings: list[str]) -> str:
    shared = {setting: value for setting, value in _shared(list(modes.values())).items() if setting in settings}
    rows = [f"| `{each}` | {' | '.join(_values(modes, each))} |" for each in settings if each not in shared]
    head = [f"| | {' | '.join(modes)} |", f"|---|{'---|' * len(modes)}"] if rows else []
    table = "\n".join(["", *head, *rows, ""]) if rows else ""
    return f"{table}\nIn every mode: {_listed(shared)}.\n"


def _values(modes: dict[str, Preset], setting: str) -> list[str]:
    return [str(getattr(preset, setting)) for preset in modes.values()]


def _shared(presets: list[Preset]) -> dict[str, str]:
    """The settings for which all of these have one value, with that value."""
    values = {setting: {str(getattr(preset, setting)) for preset in presets} for setting in Preset.__dataclass_fields__}
    return {setting: found.pop() for setting, found in values.items() if len(found) == 1}


def _listed(settings: dict[str, str]) -> str:
    return ", ".join(f"`{setting}` {value}" for setting, value in settings.items())


def trust(text: str) -> str:
    """The page with its table of thresholds as the code has it now."""
    return _between(text, "thresholds", thresholds_table)


def thresholds_table() -> str:
    """A markdown table of all thresholds of the validation, with their sources."""
    rows = ["| measurement | unit | threshold | source |", "|---|---|---|---|"]
    rows += [f"| `{row.name}` | {row.unit} | {_thresholds(row)} | {row.source} |" for row in TABLE]
    return "\n".join(rows) + "\n"


CROSSED = {"below": "below", "at_least": "from", "above": "above"}
WITHOUT_TRAINING = "without training"
LEVELS = {"failed_check": "failed check", "uncertain": "`uncertain`", "warning": "warning"}


def _thresholds(row: Row) -> str:
    direction = CROSSED[row.crossed]
    if row.constant is not None:
        return f"{direction} {row.constant:g}; part of {', '.join(f'`{name}`' for name in row.part_of)}"
    each = (
        f"{LEVELS[level]} `{limit.code}` {direction} {_by_base_model(limit)}" for level, limit in row.limits.items()
    )
    return "; ".join(each)


def _by_base_model(limit: Limit) -> str:
    parts = {kind: _of_kind(limit, kind) for kind in KINDS}
    if len(set(parts.values())) == 1:
        return parts[KINDS[0]]
    return ", ".join(f"{BASE_MODELS[kind]} {part}" for kind, part in parts.items())


def _of_kind(limit: Limit, kind: ModelKind) -> str:
    own = {where[1]: value for where, value in limit.values.items() if isinstance(where, tuple) and where[0] == kind}
    others = [f"{WITHOUT_TRAINING if mode == 'none' else f'`{mode}`'} {_number(value)}" for mode, value in own.items()]
    usual = _number(limit.values.get(kind))
    return f"{usual} ({', '.join(others)})" if others else usual


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _between(text: str, name: str, table: Callable[[], str]) -> str:
    start, end = f"<!-- {name}: written by `make docs` -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(start)
    _, after = rest.split(end)
    return f"{before}{start}{table()}{end}{after}"


if __name__ == "__main__":
    FILE.write_text(configuration(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    METRICS.write_text(metrics(METRICS.read_text(encoding="utf-8")), encoding="utf-8")
    METHOD.write_text(method(METHOD.read_text(encoding="utf-8")), encoding="utf-8")
    TRUST.write_text(trust(TRUST.read_text(encoding="utf-8")), encoding="utf-8")
