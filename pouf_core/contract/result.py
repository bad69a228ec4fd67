"""The words for what came of an adaptation; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

Verdict = Literal["improved", "uncertain", "harmful"]
Fallback = Literal["zero_shot"]
