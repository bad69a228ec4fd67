import pytest

from pouf_core.contract.counts import counted


@pytest.mark.parametrize(
    ("count", "one", "many", "said"),
    [
        (0, "item", None, "0 items"),
        (1, "item", None, "1 item"),
        (2000, "item", None, "2,000 items"),
        (1, "class", None, "1 class"),
        (3, "class", None, "3 classes"),
        (1, "entry", "entries", "1 entry"),
        (2, "entry", "entries", "2 entries"),
    ],
)
def test_a_count_comes_with_its_noun_in_the_right_number(count: int, one: str, many: str | None, said: str) -> None:
    assert counted(count, one, many) == said
