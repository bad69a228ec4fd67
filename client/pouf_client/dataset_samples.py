"""What a dry run says, as typed values."""

from dataclasses import dataclass, fields
from typing import TypedDict

from pouf_client.display import rows
from pouf_client.resources import RejectionGroup
from pouf_client.results import CodedMessage, Document


class SampledItem(TypedDict):
    """An entry of a sample; texts are cut, `code` and `message` say why it would be left out."""

    name: str
    status: str
    text: str | None
    text_pair: str | None
    label: str | None
    code: str | None
    message: str | None


@dataclass(frozen=True)
class DatasetSample:
    """What a dataset would be, as far as a sample of its files tells; fields as of `Dataset`.

    Attributes:
        complete: whether everything was read.
        items: the first entries.
    """

    complete: bool
    modality: str
    item_count: int
    duplicate_count: int
    rejected_count: int
    labelled_count: int
    suggested_class_names: list[str]
    rejections: list[RejectionGroup]
    warnings: list[CodedMessage]
    items: list[SampledItem]
    raw: Document

    @classmethod
    def of(cls, raw: Document) -> "DatasetSample":
        return cls(**{field.name: raw[field.name] for field in fields(cls) if field.name != "raw"}, raw=raw)

    def _repr_html_(self) -> str:
        found = f"{self.item_count:,} items of {self.modality}, {self.rejected_count:,} rejected"
        shown = [(one["name"], one["message"] or one["text"], one["label"]) for one in self.items]
        return rows(f"Dry run: {found}", ("name", "content", "label"), shown)
