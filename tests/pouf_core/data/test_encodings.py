"""Encodings of files of texts, told by their first bytes."""

from __future__ import annotations

import codecs

import pytest

from pouf_core.data.encodings import detect_encoding, encoding_named, encoding_said
from pouf_core.errors import InvalidInput

WRITTEN = [
    ("good one\ncafé noir\ngood two", "cp1252"),
    ("Der Akku hält zwei Tage", "cp1252"),
    ("El niño comió mañana", "cp1252"),
    ("Il a été très déçu, ça ne marche pas", "cp1252"),
    ("Zażółć gęślą jaźń dobrze", "cp1250"),
    ("Çok güzel bir ürün, teşekkürler", "cp1254"),
    ("Привет мир", "cp1251"),
    ("это хороший товар, спасибо", "koi8_r"),
    ("声音很好，说明书不好", "gb18030"),
    ("這個產品很好用", "big5"),
    ("バッテリーは二日間", "cp932"),
    ("한국어 리뷰입니다 좋아요", "cp949"),
]


@pytest.mark.parametrize(("text", "encoding"), WRITTEN)
def test_a_short_text_is_read_as_it_was_written(text: str, encoding: str) -> None:
    found = detect_encoding(text.encode(encoding))
    assert text.encode(encoding).decode(found.name) == text
    assert 0 < found.confidence <= 1


TABLES = [
    ("it’s good;pos\ndon’t buy;neg\nfine – really;pos", "cp1252"),
    ("price £5 only;neg\nthe café was ok;pos", "cp1252"),
    ("perché no;neg\nmolto buono;pos\nqualità bassa;neg", "cp1252"),
    ("no funciona;neg\nniño contento;pos\n¿dónde está?;neg", "cp1252"),
    ("não gostei;neg\ncoração bom;pos\nótimo;pos", "cp1252"),
    ("gik i stykker på første dag;neg\nblå farve;pos", "cp1252"),
    ("très bon;pos\ndéçu;neg\nça marche bien;pos", "mac-roman"),
    ("nie działa;neg\nprzyszło późno;neg\ndźwięk świetny;pos", "cp1250"),
    ("není dobré;neg\nmůj syn je šťastný;pos", "cp1250"),
    ("geç geldi, kutu yırtık;neg\noğlum çok beğendi;pos", "cp1254"),
    ("δεν λειτουργεί;neg\nπολύ καλό;pos", "cp1253"),
    ("מוצר טוב מאוד;pos\nלא עובד;neg", "cp1255"),
    ("منتج جيد جدا;pos\nوصل متأخرا;neg", "cp1256"),
    ("ใช้ไม่ได้;neg\nแบตเตอรี่อยู่ได้สองวัน;pos", "cp874"),
    ("батарея держит два дня;pos\nхотел полюбить, но нет;neg", "koi8-r"),
]


@pytest.mark.parametrize("others", [0, 40])
@pytest.mark.parametrize(("rows", "encoding"), TABLES)
def test_a_few_words_tell_the_encoding(rows: str, encoding: str, others: int) -> None:
    table = "id;text;label\n" + "1;nothing to say;neg\n" * others + rows
    assert table.encode(encoding).decode(detect_encoding(table.encode(encoding)).name) == table


def test_the_confidence_is_low_where_another_encoding_fits_as_well() -> None:
    assert detect_encoding("no funciona, niño".encode("mac-roman")).confidence < 0.6
    assert detect_encoding("Зачем так долго ждать посылку".encode("cp1251")).confidence > 0.6


@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_what_a_caller_says_holds_with_a_mark_and_without(name: str, mark: str) -> None:
    order = "utf-32-le" if name == "utf-32" else "utf-16-le"
    content = f"{mark}größer".encode(order)
    assert content.decode(encoding_said(name, content).name) == "größer"


@pytest.mark.parametrize("text", ["Très bon. \n" * 20, "Muy buen producto, llegó rápido. El tamaño es pequeño.\n" * 20])
def test_what_windows_reads_alike_is_called_windows_1252(text: str) -> None:
    assert detect_encoding(text.encode("cp1252")).name == "cp1252"


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE])
def test_a_mark_decides_and_is_no_part_of_the_text(mark: bytes) -> None:
    named = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    content = mark + "größer".encode(named.get(mark, "utf-32-le"))
    found = detect_encoding(content)
    assert (content.decode(found.name), found.confidence) == ("größer", 1.0)


def test_utf8_cut_within_a_character_is_still_utf8() -> None:
    assert detect_encoding("café, café".encode()[:-1]).name == "utf-8-sig"


def test_some_wrong_bytes_leave_a_file_utf8() -> None:
    found = detect_encoding("naïve café\n".encode() * 5 + b"caf\xe9\n")
    assert found.name == "utf-8-sig"
    assert 0.5 < found.confidence < 1


@pytest.mark.parametrize("name", ["klingon", "rot13", "hex", "zlib", "punycode", "unicode_escape", ""])
def test_a_name_that_is_no_encoding_of_texts_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="no encoding") as caught:
        encoding_named(name)
    assert caught.value.code == "unknown_encoding"


def test_an_encoding_may_be_named_as_the_web_does() -> None:
    assert encoding_named("windows-1252").name == "cp1252"
    assert encoding_named("UTF8").name == "utf-8-sig"
