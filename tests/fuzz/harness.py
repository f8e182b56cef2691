"""Runs cases in forked processes, and judges what became of each: refused in one line is fine, a stack trace is not."""

from __future__ import annotations

import faulthandler
import io
import logging
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import igmsweep
from igmsweep.errors import UserError

HANG = 10.0
"""Seconds of work, or of waiting for nothing, after which a case hangs."""
MEMORY = 2**30
"""Bytes that a case may need beside what it began with."""
CEILING = 4 * 2**30
"""Bytes of address space that a case is given, for the machine's sake."""
MESSAGE = 500
"""Characters of a message."""
CODES = (0, 1, 2, 3, 4, 5)
"""Exit codes of the README's table that a command comes to by itself."""
BATCH = 400
"""Cases of one process."""
FINE, REFUSED = "fine", "refused"
PACKAGE = f"{Path(igmsweep.__file__).resolve().parent}{os.sep}"


class Kind(Protocol):
    """A module that makes and runs cases of one kind. Inputs are what JSON can hold."""

    def load(self, ground: Path) -> None: ...
    def make(self, rng: Any) -> Any: ...
    def run(self, given: Any, place: Path) -> int | None: ...


@dataclass(frozen=True)
class Outcome:
    """`what` is `fine`, `refused`, or a fault: trace, hang, memory, died, message, exit code, ran, wrote."""

    what: str
    where: str = ""
    """Of a fault: the exception and the innermost function of igmsweep. Faults that agree in both are one."""
    text: str = ""

    @property
    def fault(self) -> str:
        """What distinct faults are told apart by; empty where there is none."""
        return "" if self.what in (FINE, REFUSED) else f"{self.what}: {self.where}"


class Fault(BaseException):
    """A fault that is no exception of the program's own, found while a case runs. Not one that the program may catch."""

    def __init__(self, what: str, where: str, text: str) -> None:
        super().__init__(text)
        self.outcome = Outcome(what, where, text)


def judged(
    kind: Kind, givens: Iterable[Any], ground: Path, begin: Callable[[Path], None]
) -> Iterator[tuple[Any, Outcome]]:
    """Each input with its outcome, in order. `begin` is called in each new process before its first case."""
    waiting = list(givens)
    while waiting:
        for given, outcome in _batch(kind, waiting[:BATCH], ground, begin):
            del waiting[0]
            yield given, outcome


def _batch(kind: Kind, givens: list[Any], ground: Path, begin: Callable[[Path], None]) -> Iterator[tuple[Any, Outcome]]:
    """As many of these as one process lives to see; a case that hangs or kills it is its last."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    stacks = ground / "stacks"
    child = context.Process(target=_serve, args=(kind, givens, ground, begin, theirs, stacks), daemon=True)
    child.start()
    theirs.close()
    try:
        ours.recv()  # it has begun
        for given in givens:
            outcome = _answer(ours, child, stacks)
            yield given, outcome
            if outcome.what in ("hang", "died", "memory"):
                return
    finally:
        child.kill()
        child.join()


def _answer(pipe: Any, child: Any, stacks: Path) -> Outcome:
    began, used = time.monotonic(), _cpu(child.pid)
    while not pipe.poll(HANG):
        spent, waited = _cpu(child.pid) - used, time.monotonic() - began
        if spent >= HANG or (spent < 0.02 * waited and waited >= HANG):  # a machine with much else to do is no hang
            os.kill(child.pid, signal.SIGUSR1)
            time.sleep(0.5)
            return Outcome("hang", _innermost(stacks), f"no answer in {waited:.0f} s")
    try:
        outcome: Outcome = pipe.recv()
    except EOFError:
        child.join()
        return Outcome("died", f"exit {child.exitcode}", "its process ended without an answer")
    return outcome


def _cpu(pid: int) -> float:
    """Seconds of work of a process; where /proc does not tell, time itself."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _innermost(stacks: Path) -> str:
    """The innermost function of igmsweep in what faulthandler has written."""
    text = stacks.read_text() if stacks.exists() else ""
    mine = [text.rpartition("Current thread")[2], text]  # the main thread's first
    for lines in mine:
        for path, name in re.findall(r'File "([^"]+)", line \d+ in (\S+)', lines):
            if path.startswith(PACKAGE):
                return f"{path.removeprefix(PACKAGE)}:{name}"
    return "?"


def _serve(kind: Kind, givens: list[Any], ground: Path, begin: Callable[[Path], None], pipe: Any, stacks: Path) -> None:
    """The process of a batch."""
    with stacks.open("w") as file:
        faulthandler.register(signal.SIGUSR1, file, all_threads=True)
        begin(ground)
        size = _status("VmSize")
        if size:
            resource.setrlimit(resource.RLIMIT_AS, (size + CEILING, size + CEILING))
        pipe.send(True)
        for given in givens:
            pipe.send(judge(kind, given, ground))


def judge(kind: Kind, given: Any, ground: Path) -> Outcome:
    """Run a case in this process, in an empty folder of its own."""
    place, outside = ground / "work", ground / "outside"
    os.chdir(ground)
    if place.exists():
        shutil.rmtree(place)
    place.mkdir()
    os.chdir(place)
    before, most = _status("VmRSS"), _peak()
    kept = _files(outside)
    outcome = _run(kind, given, place)
    grown = _peak() - before
    if not outcome.fault and before and _peak() > most and grown > MEMORY:
        outcome = Outcome("memory", "", f"{grown >> 20} MiB")
    now = _files(outside)
    if now != kept:
        shutil.rmtree(outside)
        outside.mkdir()
        for name, content in kept.items():
            (outside / name).write_bytes(content)
        changed = sorted(name for name in {*now, *kept} if now.get(name) != kept.get(name))
        outcome = Outcome("ran" if "ran" in changed else "wrote", str(changed), outcome.text)
    return outcome


def _files(folder: Path) -> dict[str, bytes]:
    """Names and contents; those of folders are empty."""
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


def _run(kind: Kind, given: Any, place: Path) -> Outcome:
    try:
        code = kind.run(given, place)
    except UserError as error:
        return told(error, str(error)) or Outcome(REFUSED, text=str(error))
    except Fault as fault:
        return fault.outcome
    except MemoryError as error:
        return Outcome("memory", frame(error), "MemoryError")
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        where = f"{type(error).__name__} in {frame(error)}"
        return Outcome("trace", where, "".join(traceback.format_exception_only(error))[:MESSAGE])
    return Outcome(REFUSED if code else FINE)


def told(error: BaseException, message: str) -> Outcome | None:
    """What is wrong with a message for a person, if anything."""
    wrong = ""
    if len(message) > MESSAGE:
        wrong = f"more than {MESSAGE} characters"
    elif "\n" in message or "\r" in message:
        wrong = "more than one line"
    elif controls(message):
        wrong = "control characters"
    elif not message.strip():
        wrong = "empty"
    return Outcome("message", f"{wrong} in {frame(error)}", message[:MESSAGE]) if wrong else None


def controls(text: str) -> str:
    """The characters of a text that a terminal obeys, and those that cannot be written at all."""
    return "".join(each for each in text if unicodedata.category(each) in ("Cc", "Cs") and each not in "\n\t")


def frame(error: BaseException) -> str:
    """The innermost function of igmsweep that an exception came through."""
    inner = "?"
    while error is not None:
        for each in traceback.extract_tb(error.__traceback__):
            if each.filename.startswith(PACKAGE):
                inner = f"{each.filename.removeprefix(PACKAGE)}:{each.name}"
        if inner != "?" or error.__cause__ is None:
            break
        error = error.__cause__
    return inner


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def command(arguments: list[str]) -> int:
    """Run `igmsweep ARGUMENTS` in this process, and return its exit code.

    Raises:
        Fault: an exit code that the README does not have, or that says nothing; a message that is too long, of several lines
            or with control characters. Whatever the command line lets through comes through here, too.
    """
    from igmsweep.cli import main

    streams = {
        name: io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors)
        for name, errors in (("stdout", "strict"), ("stderr", "backslashreplace"))
    }
    records, logger = _Records(), logging.getLogger("igmsweep")
    kept = sys.argv, sys.stdout, sys.stderr
    logger.addHandler(records)
    try:
        sys.argv = ["igmsweep", *arguments]
        sys.stdout, sys.stderr = streams["stdout"], streams["stderr"]
        main()
        code: Any = 0
    except SystemExit as left:
        code = left.code or 0
    finally:
        sys.argv, sys.stdout, sys.stderr = kept
        logger.removeHandler(records)
    out, err = (_content(streams[name]) for name in ("stdout", "stderr"))
    _judge_command(code, out, err, records.records)
    return int(code)


def _content(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]


def _judge_command(code: Any, out: str, err: str, records: list[logging.LogRecord]) -> None:
    errors = [record for record in records if record.levelno >= logging.ERROR]
    if code not in CODES:
        raise Fault("exit code", repr(code), err[-MESSAGE:])
    if "Traceback (most recent" in err:
        raise Fault("trace", "printed", err[-MESSAGE:])
    for record in records:
        message = record.getMessage()
        cause = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if getattr(record, "bare", False):
            message = message.replace("\n", " ")[:MESSAGE] or "-"
        wrong = told(cause if isinstance(cause, BaseException) else Exception(), message)
        if wrong is not None:
            where = wrong.where.replace(" in ?", f" in {record.pathname.removeprefix(PACKAGE)}:{record.funcName}")
            raise Fault("message", where, wrong.text)
    if errors and code == 0:
        raise Fault("exit code", "0 after an error", errors[0].getMessage()[:MESSAGE])
    if code and not out.strip() and not err.strip():
        raise Fault("exit code", f"{code} without a word", "")
    for name, text in (("stdout", out), ("stderr", err)):
        if controls(text):
            raise Fault("message", f"control characters on {name}", repr(controls(text)[:50]))


def _status(field: str) -> int:
    """A size of this process, in bytes; 0 where /proc does not tell."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(text.split(f"{field}:")[1].split()[0]) * 1024


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
