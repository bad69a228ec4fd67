from tests.app.predicted.conftest import predicted

__all__ = ["predicted"]  # fixtures
