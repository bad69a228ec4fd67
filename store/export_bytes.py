"""How much the exports of models take, noted with each model, so that an owner's bytes can be added up at once."""

from __future__ import annotations

from store.database import Database
from store.storage import Storage
from store.storage_keys import exports_key
from store.tables import AdaptedModel


def count_exports(database: Database, storage: Storage, model_id: str) -> None:
    """Note how many bytes the exports of a model take now; after one was stored or removed."""
    with database.write() as session:
        # Whoever counts later has to see what was stored or removed by then, so that nobody notes an older size last.
        model = session.get(AdaptedModel, model_id, with_for_update=True)
        if model is not None:
            model.exports_bytes = sum(file.size for file in storage.files(exports_key(model_id)))
