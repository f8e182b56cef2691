"""What the command line shows of what the library logs."""

from __future__ import annotations

import logging
import sys

import pytest

from igmsweep.cli.terminal import Terminal, install, quieten
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
