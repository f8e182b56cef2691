"""What the command line shows of what the library logs."""

from __future__ import annotations

import logging
import os
import sys

import pytest

from igmsweep.cli.data import data_list
from igmsweep.cli.terminal import Terminal, install, quieten, tell
from igmsweep.lines import BARE, CLOSING
from igmsweep.record.training import output_to

logger = logging.getLogger("igmsweep.sweep.announce")


@pytest.fixture(autouse=True)
def _installed():
    install()
    yield
    root = logging.getLogger("igmsweep")
    for handler in list(root.handlers):
        if isinstance(handler, Terminal):
            root.removeHandler(handler)
    root.setLevel(logging.NOTSET)


def test_lines_bear_the_programs_name_and_tables_do_not(capsys):
    install()  # a second time changes nothing
    logger.info("%d trials", 3)
    logger.info("a  b", extra=BARE)
    logger.debug("nobody wants to know")
    assert capsys.readouterr() == ("", "igmsweep: 3 trials\na  b\n")


def test_quiet_leaves_warnings_and_closing_lines(capsys):
    quieten(True)
    logger.info("on the way")
    logger.warning("a warning")
    logger.log(CLOSING, "the end")
    assert capsys.readouterr().err == "igmsweep: a warning\nigmsweep: the end\n"


def test_a_training_in_this_process_leaves_the_terminal_to_the_driver(capsys, tmp_path):
    with output_to(tmp_path):
        logging.getLogger("igmsweep.methods.igm").info("a note of the training")
        logger.warning("stopping")
        print("printed", file=sys.stderr)
    assert capsys.readouterr().err == "igmsweep: stopping\n"


@pytest.mark.parametrize("width", [40, 80])
def test_a_terminal_gets_long_lines_broken_between_words_and_a_pipe_gets_them_whole(monkeypatch, capsys, width):
    line = f"see {'a ' * 30}/a/folder/whose-name-nobody-wants-broken/anywhere-in-the-middle {'b ' * 20}end"
    logger.info(line)
    assert capsys.readouterr().err == f"igmsweep: {line}\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2)
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((width, 24)))
    logger.info(line)
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith("igmsweep: see a") and all(each.startswith("  ") for each in rest)
    assert " ".join([first, *map(str.strip, rest)]) == f"igmsweep: {line}"
    assert all(len(each) <= width or " " not in each.strip() for each in (first, *rest))


def test_rows_of_a_table_that_are_too_long_for_a_terminal_go_on_below_their_own_indent(monkeypatch, capsys):
    row = f"  method.alpha = 1.0    {'number > 0 ' * 3}    searched: 0.1 to 5 on a log scale"
    tell([row, "sounds/\x1b[2J.wav is silent"])
    whole, named = capsys.readouterr().out.splitlines()
    assert whole == row
    assert "\x1b" not in named
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1)
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((80, 24)))
    tell([row])
    first, *rest = capsys.readouterr().out.splitlines()
    assert row.startswith(first) and all(each.startswith("    ") for each in rest)


def test_the_list_of_data_sets_fits_a_terminal_of_80_columns_where_none_was_found(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("IGMSWEEP_CACHE", str(tmp_path))
    data_list()
    shown = capsys.readouterr()
    heads, *rows = shown.out.splitlines()
    assert heads.split() == ["data", "set", "modalities", "classes", "train/val/test", "measures", "folder"]
    assert max(len(row.rstrip()) for row in rows if row.endswith("not found")) <= 80
    assert "igmsweep data check NAME --root DIR" in shown.err
