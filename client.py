"""The former name of `pouf_client`, for programs that were written for it: the same modules under both names."""

import importlib
import pkgutil
import sys
import warnings

import pouf_client

warnings.warn("The package `client` is now called `pouf_client`; import that.", DeprecationWarning, stacklevel=2)

for module in pkgutil.iter_modules(pouf_client.__path__):
    sys.modules[f"{__name__}.{module.name}"] = importlib.import_module(f"pouf_client.{module.name}")
sys.modules[__name__] = pouf_client
