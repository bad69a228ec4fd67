from tests.app.predicted.conftest import predict, predicted

__all__ = ["predict", "predicted"]  # fixtures
