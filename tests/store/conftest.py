"""The API over the store, for what shows there alone."""

from tests.app.conftest import api, application, make_key, picture

__all__ = ["api", "application", "make_key", "picture"]  # fixtures
