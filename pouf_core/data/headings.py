"""How people head the columns of texts and of labels, in the order in which they are looked for."""

from __future__ import annotations

import re
import unicodedata

TEXTS = (
    "text",
    "texts",
    "sentence",
    "review",
    "review_text",
    "comment",
    "comment_text",
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
    "レビュー",
    "本文",
    "텍스트",
    "리뷰",
    "내용",
)
PAIR = ("text_a", "text_b")
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
)

FILES = ("file", "filename", "file_name", "path", "filepath", "file_path", "image", "image_path", "image_name", "img")
PICTURE_LABELS = (*LABELS, "species", "breed", "tag", "class_name", "label_name", "category_name")


def folded(heading: str) -> str:
    """A heading without what people write differently: case, accents' form, spaces and hyphens."""
    plain = unicodedata.normalize("NFC", heading).strip().removeprefix("\ufeff").casefold()
    return re.sub(r"[\s\-]+", "_", plain)
