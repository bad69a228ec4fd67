"""A LitServe server of the same model with the same engine, for `serving.py`: give it MODEL and PORT."""

from __future__ import annotations

import sys
from typing import Any

import litserve

import pouf_core
from pouf_core.system.memory import keep_freed_memory

BATCH, DELAY = 32, 0.005  # as the service has them by default


class Classifier(litserve.LitAPI):
    """One picture a request, dynamic batching."""

    def __init__(self, model: str) -> None:
        super().__init__(max_batch_size=BATCH, batch_timeout=DELAY)
        self._model = model

    def setup(self, device: str) -> None:
        keep_freed_memory()
        self._predictor = pouf_core.load(self._model, device="cpu", engine="openvino")
        self._encoder = self._predictor.encoder()

    def decode_request(self, request, **_: Any) -> Any:  # type: ignore[no-untyped-def]  # LitServe reads annotations
        return self._encoder.prepare(self._predictor.decode(request["image"].file.read()))

    def batch(self, inputs: list[Any]) -> list[Any]:
        return list(inputs)

    def predict(self, items: list[Any], **_: Any) -> list[Any]:
        return self._predictor.classify(self._encoder.encode(items))

    def unbatch(self, output: list[Any]) -> list[Any]:
        return output

    def encode_response(self, output: Any, **_: Any) -> dict[str, Any]:
        return {"label": output.label, "score": output.score}


if __name__ == "__main__":
    server = litserve.LitServer(Classifier(sys.argv[1]), accelerator="cpu", timeout=60)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
