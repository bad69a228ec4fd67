import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.auth.key_text import digest, is_well_formed, new_key_text, prefix_of
from app.auth.pepper import PepperMissing, make_pepper, read_pepper


def test_keys_can_be_found_by_a_scanner_and_never_repeat():
    made = {new_key_text() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"pouf_[0-9a-f]{56}", key) and is_well_formed(key) for key in made)


def test_every_single_mistyped_character_is_noticed():
    key = new_key_text()
    for place in range(len(key)):
        for other in "0123456789abcdef_":
            spoilt = key[:place] + other + key[place + 1 :]
            assert is_well_formed(spoilt) == (spoilt == key)


def test_two_characters_that_change_places_are_noticed():
    key = new_key_text()
    for place in range(len(key) - 1):
        swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
        assert is_well_formed(swapped) == (swapped == key)


def test_what_may_be_shown_leaves_160_bits_secret():
    key = new_key_text()
    assert key.startswith(prefix_of(key))
    assert len(key) - len(prefix_of(key)) - 8 == 160 // 4


def test_the_hash_depends_on_key_and_secret():
    one, two = new_key_text(), new_key_text()
    assert len({digest(one, b"a"), digest(two, b"a"), digest(one, b"b")}) == 3
    assert digest(one, b"a") == digest(one, b"a")


def test_the_secret_is_made_once_for_its_owners_eyes_only(tmp_path):
    path = tmp_path / "new" / "pepper"
    before = os.umask(0)
    try:
        first = make_pepper(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first) == 64
    assert make_pepper(path) == read_pepper(path) == first
    assert list(path.parent.iterdir()) == [path]


def test_all_who_make_the_secret_at_once_get_the_same(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(make_pepper, [tmp_path / "pepper"] * 64))
    assert len(made) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "pepper"]


@pytest.mark.parametrize("content", [None, b"", b" \n"])
def test_the_error_for_a_missing_secret_names_its_file(tmp_path, content):
    path = tmp_path / "pepper"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PepperMissing, match=str(path)):
        read_pepper(path)
