from fastapi.testclient import TestClient

from app.main import create_app
from tests.app.colour_engine import ColourEngine


def test_base_models_say_what_can_be_done_with_them(settings):
    listed = ["pouf-lite", "open_clip:ViT-B-32/openai", "open_clip:*"]
    with TestClient(create_app(settings.model_copy(update={"base_models": listed}), ColourEngine)) as api:
        lite, vit, pattern = api.get("/v1/base-models").json()["data"]
    assert (lite["name"], lite["modality"], lite["embedded"], lite["loaded"]) == ("pouf-lite", "image", True, False)
    assert "prompt" in lite["tune_modes"]
    assert (vit["name"], vit["embedded"]) == ("open_clip:ViT-B-32/openai", False)
    assert (pattern["name"], pattern["pattern"]) == ("open_clip:*", True)


def test_a_listed_base_model_that_is_not_one_says_why(settings):
    with TestClient(create_app(settings.model_copy(update={"base_models": ["no-such"]}), ColourEngine)) as api:
        (document,) = api.get("/v1/base-models").json()["data"]
    assert set(document) == {"object", "name", "pattern", "loaded", "error"}
    assert set(document["error"]) == {"code", "message"}
