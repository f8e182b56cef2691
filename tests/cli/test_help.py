"""Help as a person reads it: panels, choices, examples that run, one line for what the parser cannot take."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from igmsweep.cli import main
from igmsweep.cli.app import app
from igmsweep.cli.examples import EXAMPLES
from igmsweep.cli.layout import FEW, OTHER, PANELS

WIDE = {"COLUMNS": "160", "NO_COLOR": "1"}


def commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """A group and every command in it with the words that call it."""
    yield name, group
    for word, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{name} {word}".strip())


ALL = dict(commands(typer.main.get_command(app)))


def shown(command: str) -> str:
    done = CliRunner().invoke(app, [*command.split(), "--help"], env=WIDE)
    assert done.exit_code == 0, done.output
    return done.output


def test_wherever_a_data_set_is_named_its_folder_can_be_too():
    named = {
        name
        for name, command in ALL.items()
        for param in command.params
        if param.name in ("data", "dataset") or (name.startswith("data ") and param.name == "name")
    }
    assert {"tune", "train", "study", "space show", "space validate", "data check", "data sample"} <= named
    rooted = {name for name, command in ALL.items() if any("--root" in param.opts for param in command.params)}
    assert named <= rooted
    assert {"resume", "evaluate", "ablate"} <= rooted  # which take the data set from a sweep's folder


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_explained_in_a_panel(name: str):
    text, panels = shown(name), []
    options = [each for each in ALL[name].get_params(typer.Context(ALL[name])) if each.param_type_name == "option"]
    for option in options:
        assert option.help and all(each in text for each in option.opts)
        panels.append(option.rich_help_panel)
    if len(options) > FEW:
        assert set(panels) <= set(PANELS) and OTHER in panels
        assert [each for each in PANELS if each in panels] == list(dict.fromkeys(panels))
    else:
        assert set(panels) == {None}
    assert "<bool>" not in text


def test_the_panels_of_tune_and_what_may_be_chosen():
    text = shown("tune")
    titles = [line.split("─")[1].strip() for line in text.splitlines() if line.startswith("╭")]
    assert titles == ["Arguments", "Search", "Training", "Budget", "Resources", "Data", "Output", "Other"]
    for choices in ("tpe, random, sobol, sobol+tpe, grid, gp or cmaes", "none, asha or median", "best, all or none"):
        assert choices in text


def test_every_command_ends_with_examples():
    assert set(EXAMPLES) == set(ALL)
    for name, lines in EXAMPLES.items():
        for _, line in lines:
            assert line.startswith("igmsweep ") and len(line) < 80
        assert any(line.startswith(f"igmsweep {name}") for _, line in lines)
        assert lines[-1][1] in shown(name)


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for _, line in lines])
def test_every_example_is_taken_by_the_parser(line: str):
    _, *words = shlex.split(line.partition(" > ")[0])
    name = max((path for path in ALL if words[: len(path.split())] == path.split()), key=len)
    if "--help" not in words:
        ALL[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tune", "avdigits", "--trials", "many"], "--trials: found 'many', expected a valid integer"),
        (["tune", "avdigits", "--num-samples", "many"], "--trials: found 'many', expected a valid integer"),
        (["train", "avdigits", "--seed", "-1"], "--seed: found '-1', expected greater than or equal to 0"),
        (["tune", "avdigits", "--tirals", "3"], "--trials"),
        (["tune"], "Missing argument 'DATASET'; see `igmsweep tune --help`"),
        (["tunee"], "Did you mean 'tune'?"),
        (["data", "chek"], "Did you mean 'check'"),
        (["tune", "avdigits", "--folds"], "--folds"),
        (["tune", "avdigits", "--scheduler", "ashaa"], "did you mean 'asha'?"),
        (["tune", "avdigits", "--keep-checkpoints", "bets"], "did you mean 'best'?"),
        (["evaluate", "nowhere", "--train-on", "tarin"], "did you mean 'train'?"),
        (["ablate", "nowhere", "--order", "greed"], "did you mean 'greedy'?"),
        (["tune", "avdigits", "--verbose"], "--verbose: it lists what --dry-run leaves out"),
        (["tune", "avdigits", "--preset", "paper", "--set", "method.preset=released"], "--preset: found paper, and "),
        (["tune", "avdigits", "--preset", "relased", "--dry-run"], "did you mean 'released'?"),
    ],
)
def test_what_the_parser_cannot_take_is_one_line(monkeypatch, capfd, arguments, words):
    monkeypatch.setattr(sys, "argv", ["igmsweep", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert ended.value.code == 2
    assert line.startswith("igmsweep: ") and words in line


def test_without_arguments_the_commands_are_listed_and_nothing_is_refused(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["igmsweep"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr()
    assert ended.value.code == 2 and said.err == "" and "analyze" in said.out


def test_a_pipe_gets_no_colours_and_80_columns():
    done = subprocess.run([sys.executable, "-m", "igmsweep", "tune", "--help"], capture_output=True, text=True)
    assert "\x1b" not in done.stdout and done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) == 80
    assert "…" not in done.stdout  # nothing is cut
