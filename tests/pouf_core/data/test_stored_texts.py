"""Many texts without an object for each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pouf_core.data import stored_texts
from pouf_core.data.items import TextItems, are_pairs, collect_texts, fingerprint, fingerprint_of_hashes
from pouf_core.data.stored_texts import TextWriter
from pouf_core.data.texts import Text, TextItem, text_hash
from pouf_core.errors import InvalidInput

TEXTS: list[Text] = [f"text {number} – ü" for number in range(300)]
PAIRS: list[Text] = [TextItem(f"first {number}", f"second {number}") for number in range(300)]


def stored(texts: list[Text]) -> TextItems:
    writer = TextWriter()
    for text in texts:
        writer.add(text if isinstance(text, TextItem) else TextItem(text))
    return TextItems(writer.finish())


@pytest.mark.parametrize("in_memory", [0, 1000, 10**9])
@pytest.mark.parametrize("texts", [TEXTS, PAIRS])
def test_each_content_is_there_once_in_order_of_its_hash(
    monkeypatch: pytest.MonkeyPatch, texts: list[Text], in_memory: int
) -> None:
    monkeypatch.setattr(stored_texts, "_MOST_IN_MEMORY", in_memory)
    items = stored([*texts, *texts[:20]])
    expected = sorted((text_hash(text), text) for text in texts)
    assert [(item.sha256, item.source) for item in items] == expected
    assert [item.source for item in items[10:13]] == [text for _, text in expected[10:13]]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda index: items[index].source, range(300))) == [text for _, text in expected]
    assert fingerprint(items) == fingerprint_of_hashes(text_hash(text) for text in texts)
    assert are_pairs(items) == (texts is PAIRS)


def test_a_file_is_read_as_its_lines_are(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(map(str, TEXTS)))
    (tmp_path / "more.txt").write_text("one more\n\ntext 3 – ü")
    items, rejected = collect_texts(tmp_path)
    from_list, _ = collect_texts([*map(str, TEXTS), "one more"])
    assert isinstance(items, TextItems)
    assert list(items) == from_list
    assert [(row.name, row.code) for row in rejected] == [("more.txt:2", "empty_text")]


def test_a_file_without_a_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n\n")
    with pytest.raises(InvalidInput) as caught:
        collect_texts(tmp_path / "texts.txt")
    assert caught.value.code == "no_usable_items"
