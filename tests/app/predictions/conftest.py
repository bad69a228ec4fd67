import pytest


@pytest.fixture
def model_id(rows):
    return rows.model()


@pytest.fixture
def ask(api, model_id):
    def ask(inputs, **body):
        return api.post(f"/v1/models/{model_id}/predict", json={"inputs": inputs, **body})

    return ask
