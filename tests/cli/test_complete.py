"""The Tab key, in the shells themselves where they are installed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BASH = """
{source}
COMP_WORDS=({words} "{last}"); COMP_CWORD={place}
_igmsweep_completion igmsweep
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
compdef() {{ }}
_files() {{ print -r -- FILES }}
_arguments() {{ print -r -- "${{@[-1]}}" }}
{source}
words=({words} "{last}"); CURRENT=$(( {place} + 1 ))
_igmsweep_completion
"""
HEAVY = ("torch", "ray", "optuna", "pandas", "sklearn", "plotly", "scipy")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with two sweeps and a study, and the command on the path."""
    for name, file in (("a", "sweep.yaml"), ("b", "trials.jsonl"), ("table2-x", "study.yaml"), ("c", "notes.txt")):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / file).touch()
    (tmp_path / "other" / "d").mkdir(parents=True)
    (tmp_path / "other" / "d" / "sweep.yaml").touch()
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "igmsweep"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m igmsweep "$@"\n')
    command.chmod(0o755)
    return tmp_path


def asked(shell: str, line: str, here: Path) -> set[str]:
    """What a shell offers for a line whose last word is being typed."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    environment = os.environ | {"PATH": f"{here / 'bin'}:{os.environ['PATH']}"}
    source = subprocess.run(
        ["igmsweep"], env=environment | {"_IGMSWEEP_COMPLETE": f"source_{shell}"}, capture_output=True, text=True
    ).stdout
    *words, last = line.split(" ")
    script = (BASH if shell == "bash" else ZSH).format(
        source=source, words=" ".join(words), last=last, place=len(words)
    )
    done = subprocess.run([shell, "-c", script], env=environment, cwd=here, capture_output=True, text=True)
    assert done.stderr == ""
    if shell == "zsh" and "FILES" not in done.stdout:  # *: :(("a":"help" "b"))
        return set(re.findall(r'[( ]"([^"]+)"', done.stdout))
    return set(done.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("igmsweep tune k", {"kinetics_sounds"}),
        pytest.param("igmsweep tune cremad --method mm", {"mmpareto"}, marks=pytest.mark.slow),
        pytest.param("igmsweep tune cremad --space d", {"default", "demo", "domfn"}, marks=pytest.mark.slow),
        pytest.param("igmsweep train cremad --method ogm --preset ", {"paper", "released"}, marks=pytest.mark.slow),
        pytest.param("igmsweep tune cremad --sampler sobol", {"sobol", "sobol+tpe"}, marks=pytest.mark.slow),
        pytest.param("igmsweep status ", {"results/a", "results/b"}, marks=pytest.mark.slow),
        ("igmsweep analyze other/", {"other/d"}),
        pytest.param("igmsweep study fig5", {"fig5a", "fig5b", "fig5c"}, marks=pytest.mark.slow),
        pytest.param("igmsweep study resume res", {"results/table2-x"}, marks=pytest.mark.slow),
        pytest.param("igmsweep data cache ", {"list", "remove"}, marks=pytest.mark.slow),
    ],
)
def test_a_shell_offers_names(shell: str, line: str, offered: set[str], here: Path):
    assert asked(shell, line, here) == offered


def test_files_are_left_to_the_shell(here: Path):
    assert asked("bash", "igmsweep tune ./sam", here) == set()
    assert asked("zsh", "igmsweep tune ./sam", here) == {"FILES"}


@pytest.mark.parametrize("words", ["igmsweep tune ", "igmsweep tune cremad --space ", "igmsweep study "])
def test_the_tab_key_loads_nothing_heavy(words: str):
    code = (
        "import sys, runpy\nsys.argv = ['igmsweep']\n"
        "try:\n    runpy.run_module('igmsweep', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    ask = {"_IGMSWEEP_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()))}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | ask, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout.split()
