"""A message of a chat that goes on and on."""

import tracemalloc
from collections.abc import Iterator

from pouf_core.contract.item_limits import MAX_CHARACTERS
from pouf_core.data.chat_lines import rows_of_chat
from pouf_core.data.table_rows import LONGEST_LINE

COUNT = 200  # of lines


def lines() -> Iterator[tuple[int, str]]:
    yield 1, "1/2/23, 10:00 - Ann: it goes on\n"
    for position in range(2, COUNT + 2):
        yield position, "a" * MAX_CHARACTERS + "\n"
    yield COUNT + 2, "1/2/23, 10:01 - Bob: it has ended\n"


def test_a_message_longer_than_a_line_may_be_is_refused_and_not_kept() -> None:
    tracemalloc.start()
    try:
        first, second = rows_of_chat(lines())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (first.position, first.code) == (1, "text_too_long")
    assert (second.position, second.item.text) == (COUNT + 2, "it has ended")
    assert peak < 4 * LONGEST_LINE < COUNT * MAX_CHARACTERS
