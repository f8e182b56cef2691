"""The command line, a file a group of commands."""

from igmsweep.cli.app import main

__all__ = ["main"]
