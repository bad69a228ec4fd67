"""The codes that the source can give: of errors, rejected items, warnings and reasons.

A code is a text in snake case that is given as `code` (or `…_code`) to whatever has such a parameter or field, or that
is kept under such a name.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("pouf_core", "store", "app", "worker")
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
NAME = re.compile(r"(.*_)?codes?", re.IGNORECASE)


def codes_in_source() -> set[str]:
    """Every code of the service and of the library."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    modules = [list(ast.walk(ast.parse(path.read_text(encoding="utf-8")))) for path in paths]
    takers = _takers(modules)
    return {code for module in modules for code in _codes(module, takers) if CODE.fullmatch(code)}


def _takers(modules: list[list[ast.AST]]) -> dict[str, set[int]]:
    """What takes a code, by name, and at which places."""
    places: dict[str, set[int]] = defaultdict(set)
    bases: dict[str, list[str]] = {}
    for node in chain.from_iterable(modules):
        if isinstance(node, ast.ClassDef):
            bases[node.name] = [ast.unparse(base) for base in node.bases]
            names = [each.target.id for each in node.body if _is_field(each)]  # type: ignore[union-attr]
            own = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
            names = [argument.arg for argument in own[0].args.args[1:]] if own else names
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in node.args.args if argument.arg not in ("self", "cls")]
        else:
            continue
        if node.name != "__init__":
            places[node.name] |= {place for place, name in enumerate(names) if NAME.fullmatch(name)}
    for name in bases:
        for base in _ancestors(name, bases):
            places[name] |= places.get(base, set())
    return places


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)


def _ancestors(name: str, bases: dict[str, list[str]]) -> Iterator[str]:
    for base in bases.get(name, []):
        yield base
        yield from _ancestors(base, bases)


def _codes(module: list[ast.AST], takers: dict[str, set[int]]) -> Iterator[str]:
    assigned = defaultdict(list)
    for node in module:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in targets:
                for name, value in _pairs(target, node.value):
                    assigned[name].append(value)
                    if NAME.fullmatch(name):
                        yield from _texts(value, {})
    for node in module:
        if isinstance(node, ast.Call):
            yield from _given(node, takers, assigned)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, its)
    elif isinstance(target, ast.Name):
        yield target.id, value


def _given(call: ast.Call, takers: dict[str, set[int]], assigned: dict[str, list[ast.expr]]) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    if name == "not_found" and isinstance(call.args[0], ast.Constant):
        yield f"{str(call.args[0].value).replace(' ', '_')}_not_found"
    given = [keyword.value for keyword in call.keywords if NAME.fullmatch(keyword.arg or "")]
    given += [call.args[place] for place in takers.get(name, ()) if place < len(call.args)]
    for value in given:
        yield from _texts(value, assigned)


def _texts(value: ast.expr, assigned: dict[str, list[ast.expr]]) -> Iterator[str]:
    """The texts that an expression can be: a constant, an end of a choice, a value of a table, what a name holds."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body, assigned)
        yield from _texts(value.orelse, assigned)
    elif isinstance(value, ast.Dict):
        for each in value.values:
            yield from _texts(each, assigned)
    elif isinstance(value, ast.Name):
        for each in assigned.get(value.id, []):
            yield from _texts(each, {})
