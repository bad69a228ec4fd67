"""JSON as a client sent it, parsed only once its size and its number of values are known.

CPython's parser lets no other thread run until it has ended: two million empty lists, in six megabytes, take seconds.
"""

import json
import re
from collections import Counter
from collections.abc import Collection

from app.http.errors import ApiError, FieldError, several
from app.http.validation_errors import malformed_json

# about what each of them adds to what CPython's parser makes: list slots, strings, lists, objects and their entries
_BYTES_OF = {b",": 32, b'"': 28, b"[": 88, b"{": 64, b":": 104}
_WIDEST_CHARACTER = 4
#: The most classes, each with a prompt and label words, are about half.
MAX_VALUES = 100_000
#: The most inputs by default, of 4096 numbers each, are less.
MAX_VALUES_OF_INPUTS = 1_200_000
MAX_DEPTH = 20

# outside of strings each value but the first follows a comma, or opens its list or object
_MARK = re.compile(rb'[\[{,"]')
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_STRING_STEP = 2**20


def parsed_size(content: bytes) -> int:
    """Return about how many bytes parsing JSON takes at most, text and values together."""
    width = 1 if content.isascii() else _WIDEST_CHARACTER
    return 2 * width * len(content) + sum(each * content.count(mark) for mark, each in _BYTES_OF.items())


def parse_json(content: bytes, most_values: int = MAX_VALUES) -> object:
    """Return what the JSON says.

    Raises 400 ``malformed_json``, 413 ``too_many_values`` for more values than `most_values`, or more lists and objects
    than `MAX_VALUES`, and 422 ``duplicate_field``.
    """
    _refuse_many_values(content, most_values)
    try:
        return json.loads(content, object_pairs_hook=unique_fields)
    except (ValueError, RecursionError) as error:
        raise malformed_json() from error


def refuse_deep(values: object) -> None:
    """Raise 422 ``nested_too_deeply`` where lists and objects lie more than `MAX_DEPTH` deep in each other."""
    level, depth = [values], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ApiError(422, "nested_too_deeply", f"Lists and objects are nested at most {MAX_DEPTH} deep.")
        level = [member for value in level for member in _members(value) if isinstance(member, dict | list)]


def unique_fields(members: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object for `json.loads`; raises 422 ``duplicate_field``: all but one value would be ignored."""
    made = dict(members)
    if len(made) < len(members):
        name = next(name for name, count in Counter(name for name, _ in members).items() if count > 1)
        raise several([FieldError("", "duplicate_field", f"The field {name[:100]!r} is given more than once.")])
    return made


def _members(value: object) -> Collection[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _refuse_many_values(content: bytes, most: int) -> None:
    opened = content.count(b"[") + content.count(b"{")
    if opened <= MAX_VALUES and opened + content.count(b",") < most:
        return  # whatever of them strings hold
    opened = values = at = 0
    while mark := _MARK.search(content, at):
        at = mark.end()
        if mark[0] == b'"':
            at = _end_of_string(content, at)
            continue
        values += 1
        opened += mark[0] != b","
        if opened > MAX_VALUES or values >= most:
            limits = f"{MAX_VALUES:,} lists and objects, and {most:,} values in all"
            raise ApiError(413, "too_many_values", f"A JSON body holds at most {limits}.")


def _end_of_string(content: bytes, at: int) -> int:
    """Return where what follows the string begins; other threads have turns in the middle of a long one."""
    while True:
        rest = _IN_STRING.match(content, at, at + _STRING_STEP)
        at = rest.end() if rest else len(content)
        next_byte = content[at : at + 1]
        if next_byte in (b"", b'"'):
            return at + 1
        if next_byte == b"\\":  # the step's end is in the middle of an escape
            at += 2
