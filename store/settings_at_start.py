"""The settings of a process that begins, or a line for each that is wrong."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from store.setting_names import MistypedSetting, variable_of
from store.settings import Settings, get_settings


class WrongSettings(ValueError):
    """The settings make no sense; the message has a line for each."""


def read_settings() -> Settings:
    """Return the process's settings.

    Raises:
        WrongSettings: a value makes no sense, or a variable's name is nearly one of a setting.
    """
    try:
        return get_settings()
    except ValidationError as error:
        lines = [f"{variable_of(str(wrong['loc'][0]))}: {wrong['msg']}" for wrong in error.errors()]
        raise WrongSettings("\n".join(lines)) from error
    except MistypedSetting as error:
        raise WrongSettings(str(error)) from error


def settings_or_exit() -> Settings:
    """Return the process's settings, or end it with what is wrong with them."""
    try:
        return read_settings()
    except WrongSettings as error:
        sys.exit(str(error))
