"""Times as the record writes them: ISO 8601 in UTC, to the second. Two of them compare as text."""

from __future__ import annotations

import time
from datetime import UTC, datetime

FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def now() -> str:
    """This moment."""
    return datetime.now(UTC).strftime(FORMAT)


def seconds_since(stamp: object) -> float:
    """Seconds from a stamp to this moment, at least 0; 0 for what is no stamp."""
    try:
        then = datetime.strptime(str(stamp), FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
    return max(0.0, time.time() - then)
