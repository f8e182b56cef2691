"""Lines for the person at the terminal. The library logs under the name `igmsweep`; who shows that, and how, is the command
line's business, or that of the program that uses the library.
"""

from __future__ import annotations

import logging

CLOSING = logging.INFO + 5
"""The level of what a command came to: above that of the lines on its way, which `--quiet` leaves out."""

BARE = {"bare": True}
"""`extra` of a line that is part of a table or list, and shown without the program's name before it."""
