"""The base models of predictions: loaded when they are first needed, and unloaded beyond a byte budget."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.http.freed_memory import collect_all
from pouf_core.contract.engine import EngineUsed
from store.settings import Settings

if TYPE_CHECKING:
    from pouf_core.families.interface import BaseModel
    from pouf_core.families.loading import BaseModelPool
    from pouf_core.predictor import Predictor


class BaseModels:
    """A pool that is made when it is first used, because PyTorch is imported for it.

    Args:
        settings: device, engine, budget, and the default base model, which stays loaded.
        discard_unused: forgets the predictors that match, all or none; see `ModelCache.discard_unused`.
    """

    def __init__(self, settings: Settings, discard_unused: "Callable[[Callable[[Predictor], bool]], bool]") -> None:
        self._settings = settings
        self._discard_unused = discard_unused
        self._pool: BaseModelPool | None = None
        self._lock = threading.Lock()
        self._waits = False

    @property
    def pool(self) -> "BaseModelPool":
        """The models in memory."""
        from pouf_core.engines.interface import EngineOffer
        from pouf_core.families.loading import BaseModelPool
        from pouf_core.system.memory import keep_freed_memory
        from pouf_core.system.runtime import choose_device

        with self._lock:
            if self._pool is None:
                device = choose_device(self._settings.device)
                if device.type == "cpu":
                    keep_freed_memory()
                offer = EngineOffer(self._settings.engine_dir, in_background=True, singly=True)
                engine = None if self._settings.engine == "torch" else offer
                precision = self._settings.precision
                self._pool = BaseModelPool(device, engine, None if precision == "auto" else precision)
            return self._pool

    @property
    def default(self) -> str:
        """The first base model that the operator names in full."""
        exact = [spec for spec in self._settings.base_models if not spec.endswith("*")]
        return exact[0] if exact else "pouf-lite"

    def loaded(self) -> list[str]:
        """Return the names of the base models in memory."""
        return self._pool.loaded() if self._pool is not None else []

    def engines(self) -> "dict[str, EngineUsed | None]":
        """Return what runs each base model in memory, by its name."""
        return self._pool.engines() if self._pool is not None else {}

    def usage(self) -> dict[str, int]:
        """Return the number of base models in memory and the bytes of their weights."""
        return {"models": len(self.loaded()), "bytes": self._pool.nbytes if self._pool is not None else 0}

    def touch(self, predictor: "Predictor") -> None:
        """Note that a predictor's base model is used."""
        if self._pool is not None:
            self._pool.touch(predictor.base_model)

    @property
    def shrinking_waits(self) -> bool:
        """Whether a base model beyond the budget was still in use when that was last looked at."""
        return self._waits

    def shrink(self) -> None:
        """Unload the base models that were not used for longest, beyond the budget, with the predictors over them."""
        self._waits = False
        if self.pool.shrink(self._settings.base_model_cache_bytes, self._may_go):
            collect_all()  # a model that collections pass over, too

    def _may_go(self, model: "BaseModel") -> bool:
        if model.description.name == self.default:
            return False
        unused = self._discard_unused(lambda predictor: predictor.base_model is model)
        self._waits = self._waits or not unused
        return unused
