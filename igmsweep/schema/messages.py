"""What pydantic finds, as one line for a person."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from igmsweep.legible import quoted


def one_line(error: ValidationError, values: Any, section: str = "") -> str:
    """The first of pydantic's findings as one line that names the dotted key."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("function-after",)]
    dotted = ".".join([section, *where] if section else where)
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    message = message.partition(", unable to parse string")[0]
    found = first.get("input")
    if first["type"] == "missing":
        return f"{dotted}: missing, expected a value"
    if first["type"] == "extra_forbidden":
        return f"unknown key '{dotted}'"
    if first["type"] == "value_error":
        return f"{dotted}.{message}" if re.match(r"^\w+: expected", message) else f"{dotted}: {message}"
    return f"{dotted}: found {quoted(found)}, expected {message}"
