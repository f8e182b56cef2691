"""Runs commands in a terminal of their own and keeps what it shows, with the times, as an asciicast (version 2, text).

    python docs/recording/record.py docs/recording/first-sweep.cast --commands docs/recording/first-sweep.sh

Every line of the file of commands is typed at a prompt and run, whatever it exits with. https://docs.asciinema.org/manual/asciicast/v2
"""

from __future__ import annotations

import argparse
import codecs
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path

PROMPT = "\x1b[1;32m$\x1b[0m "
TYPING_S = 0.04
"""Between two letters that are typed."""
READING_S = 2.0
"""What a reader has after each command."""


def run(command: str, columns: int, rows: int, tick: float) -> Iterator[tuple[float, str]]:
    """Seconds since the start, and what `command` wrote to a terminal of this size, joined over `tick` seconds."""
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    started = time.monotonic()
    process = subprocess.Popen(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(rows)},
    )
    os.close(slave)
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    held, since = "", 0.0
    while True:
        ready, _, _ = select.select([master], [], [], tick)
        now = time.monotonic() - started
        if ready:
            try:
                read = decode(os.read(master, 65536))
            except OSError:  # the last writer has closed the terminal
                break
            held, since = held + read, since if held else now
        if held and now - since >= tick:
            yield now, held
            held = ""
    if held:
        yield time.monotonic() - started, held
    process.wait()
    os.close(master)


def record(commands: list[str], columns: int, rows: int, tick: float) -> Iterator[tuple[float, str]]:
    """All events of a recording: typing, and each command's output."""
    clock = 0.5
    for command in commands:
        yield clock, PROMPT
        for letter in command:
            clock += TYPING_S
            yield clock, letter
        clock += 0.3
        yield clock, "\r\n"
        last = 0.0
        for seconds, text in run(command, columns, rows, tick):
            last = seconds
            yield clock + seconds, text
        clock += last + READING_S
    yield clock, PROMPT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cast", type=Path)
    parser.add_argument("--commands", type=Path, required=True, help="a command a line")
    parser.add_argument("--columns", type=int, default=124)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--tick", type=float, default=0.5, help="seconds of output that are one event")
    parser.add_argument("--idle", type=float, default=1.0, help="the longest pause that a player keeps, in seconds")
    given = parser.parse_args()
    commands = [line for line in given.commands.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    header = {"version": 2, "width": given.columns, "height": given.rows, "idle_time_limit": given.idle}
    with given.cast.open("w", encoding="utf-8") as file:
        file.write(json.dumps(header) + "\n")
        for seconds, text in record(commands, given.columns, given.rows, given.tick):
            file.write(json.dumps([round(seconds, 2), "o", text], ensure_ascii=False) + "\n")
            sys.stderr.write(text)


if __name__ == "__main__":
    main()
