"""Headers that several routes take."""

from typing import Annotated

from fastapi import Header

PreferHeader = Annotated[str | None, Header(description="`wait=N` answers when the state is final, N up to 30.")]
