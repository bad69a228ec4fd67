"""Tables as people have them, read right: the texts, their labels, and nothing rejected."""

from __future__ import annotations

import io

import pytest

from pouf_core.data.text_files import TextRow, read_texts
from tests.corpus.published import PUBLISHED
from tests.corpus.sheets import SHEETS
from tests.corpus.surveys import SURVEYS
from tests.corpus.tables import TABLES, Table
from tests.corpus.tools import TOOL_TABLES


@pytest.mark.parametrize("table", [*TABLES, *SHEETS, *PUBLISHED, *TOOL_TABLES, *SURVEYS], ids=lambda table: table.name)
def test_a_table_is_read_as_it_was_meant(table: Table) -> None:
    found = list(read_texts(io.BytesIO(table.content), table.file_name))
    rows = [row for row in found if isinstance(row, TextRow)]
    assert tuple(row.text for row in rows) == table.texts
    assert tuple(row.label for row in rows) == (table.labels or (None,) * len(table.texts))
