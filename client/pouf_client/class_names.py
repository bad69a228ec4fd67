"""Class names as people give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pouf_client.errors import InvalidInput

#: A class's name, or `{"name": …, "prompt": …}` where the wording differs from the label.
ClassName = str | Mapping[str, str]


def listed_class_names(given: Sequence[ClassName]) -> list[ClassName]:
    """The names as a list.

    Raises:
        InvalidInput: one text, whose characters would be the classes; something else that is no sequence; or a name
            that is neither a text nor an object.
    """
    if isinstance(given, str):
        names = [name.strip() for name in given.split(",")]
        raise _invalid("class_names_no_list", f"Give class_names as a list, such as {names!r}, not as one text.")
    try:
        listed: list[ClassName] = list(given)
    except TypeError:
        raise _invalid("class_names_no_list", f"Give class_names as a list of texts, not {given!r}.") from None
    for name in listed:
        if not isinstance(name, str | Mapping):
            raise _invalid("class_name_no_text", f"Give each class name as a text, not {name!r}.")
    return listed


def _invalid(code: str, message: str) -> InvalidInput:
    return InvalidInput(message, code=code, field="class_names")
