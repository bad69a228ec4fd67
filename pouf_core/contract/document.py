"""The base of everything that is written down: typed, immutable, and readable like the JSON it becomes."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

#: Of what is stored and shown: fields of a newer version are passed over, and nothing is shown but what is described.
STORED = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": False})


class Document(BaseModel):
    """A part of the contract. `document["field"]` reads a field as the JSON document would.

    Fields that are not known are ignored, so that a document of a newer version can be read.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    def __getitem__(self, name: str) -> Any:
        """The field of that name; raises `KeyError`."""
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)
