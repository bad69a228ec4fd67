"""How people head the columns of texts and of labels, in the order in which they are looked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pouf_core.contract.normal_form import normalized

TEXTS = (
    "text",
    "texts",
    "sentence",
    "review",
    "review_text",
    "comment",
    "review_body",
    "reviewtext",
    "comment_text",
    "comment_body",
    "review_content",
    "ticket_description",
    "tweet_text",
    "full_text",
    "content",
    "body",
    "message",
    "tweet",
    "document",
    "utterance",
    "question",
    "description",
    "kommentar",
    "rezension",
    "bewertungstext",
    "nachricht",
    "texte",
    "avis",
    "commentaire",
    "texto",
    "comentario",
    "reseña",
    "testo",
    "commento",
    "recensione",
    "tekst",
    "opmerking",
    "текст",
    "отзыв",
    "комментарий",
    "评论",
    "内容",
    "文本",
    "評論",
    "テキスト",
    "النص",
    "نص",
    "レビュー",
    "本文",
    "텍스트",
    "리뷰",
    "내용",
)
#: Of trackers such as Jira, whose comments are what others said of an issue, with their names and times.
KEYS_OF_TRACKERS = ("issue_key", "issue_id")
TEXT_OF_TRACKERS = "description"
PAIRS = (
    ("text_a", "text_b"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
)
LABELS = (
    "label",
    "labels",
    "class",
    "category",
    "target",
    "y",
    "sentiment",
    "intent",
    "topic",
    "klasse",
    "kategorie",
    "stimmung",
    "étiquette",
    "catégorie",
    "etiqueta",
    "categoría",
    "etichetta",
    "categoria",
    "метка",
    "категория",
    "标签",
    "类别",
    "標籤",
    "ラベル",
    "라벨",
    "التصنيف",
    "accept",  # of Prodigy
)
#: Of what may be a label, and a measurement too: they count where their values recur.
RATINGS = (
    "emotion",
    "emotions",
    "polarity",
    "stars",
    "star_rating",
    "rating",
    "overall",
    "score",
    "bewertung",
    "sterne",
    "nota",
    "voto",
    "ocena",
    "평점",
    "星级",
)
#: How headings end that say of what the label is: `airline_sentiment`.
LABEL_ENDS = ("_sentiment", "_label", "_class", "_category", "_topic", "_intent", "_emotion")

FILES = (
    "file",
    "filename",
    "file_name",
    "path",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "image_name",
    "image_id",
    "image_file",
    "image_filename",
    "imageid",
    "imagename",
    "img",
    "img_name",
    "img_path",
    "img_id",
    "picture",
    "photo",
    "datei",
    "dateiname",
    "bild",
    "fichier",
    "archivo",
    "файл",
    "文件名",
    "id_code",
    "id",
)
#: Names of classes count before their numbers.
PICTURE_LABELS = (
    *("class_name", "label_name", "category_name", "text_label", "classname", "labelname", "categoryname"),
    *LABELS,
    *("species", "breed", "tag", "choice", "diagnosis", "dx"),
)
#: Of what each row is called, where no two are called the same.
ROW_NAMES = (
    *("id", "ids", "_id", "uid", "uuid", "guid", "key", "issue_key", "name", "names", "row_id", "item_id", "text_id"),
    *("doc_id", "document_id", "record_id", "response_id", "review_id", "comment_id", "tweet_id", "ticket_id"),
    *("message_id", "sample_id", "example_id", "post_id", "idx"),
)
#: Of these, those that are never a class, nor are others of keys.
KEYS = frozenset(ROW_NAMES) - {"key", "name", "names"} | {
    "user_id",
    "customer_id",
    "product_id",
    "order_id",
    "session_id",
}
#: Of what recurs, too, and is no label.
SPLITS = ("split", "subset", "set", "fold", "usage")
ROWS = ("index", "row")
_FEW = 100  # fields, for their names to be kept


def folded(heading: str) -> str:
    """A heading without what people write differently: case, accents' form, spaces and hyphens."""
    plain = normalized("NFC", heading).strip().removeprefix("\ufeff").casefold()
    return re.sub(r"[\s\-]+", "_", plain)


def field_named(headings: Sequence[str], record: Mapping[str, object]) -> str | None:
    """The field of a record with the first of these headings; None where it has none of them."""
    find = _named if len(record) <= _FEW else _named.__wrapped__
    found: str | None = find(tuple(headings), tuple(record))
    return found


@lru_cache(maxsize=256)  # records of a file have the same fields
def _named(headings: tuple[str, ...], fields: tuple[str, ...]) -> str | None:
    names = {folded(name): name for name in reversed(fields)}
    return next((names[heading] for heading in headings if heading in names), None)
