"""Configurations and search-space files as text, and values of `--set`."""

from __future__ import annotations

import random
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from .odd import WORDS, changed, garbled

TOKENS = [
    "2024-13-45",
    "2024-02-30",
    "!!int ''",
    "!!int x",
    "!!bool maybe",
    "!!timestamp foo",
    "!!float ''",
    "!!binary x",
    "!!null x",
    "!!set {a}",
    "!!python/object:os.system {}",
    "!!python/object/apply:os.system [true]",
    "!!python/name:os.system",
    "!!omap [a]",
    "!!pairs [a]",
    "!unknown x",
    "&a [*a]",
    "&b {x: *b}",
    "*missing",
    "<<: *b",
    "<<: 3",
    "<<: [1]",
    "? [a]\n: b",
    "? {a: 1}\n: 2",
    "1: 2",
    "null: 1",
    "true: 1",
    "1.5: 2",
    "[1]: 2",
    "9" * 400,
    "9" * 5000,
    "-" + "9" * 5000,
    "0x" + "f" * 5000,
    "0b1",
    "0o9",
    "1e400",
    "1e-400",
    ".inf",
    "-.inf",
    ".nan",
    "1:30:30",
    "0b",
    "0x",
    "+",
    "+_",
    "[" * 50,
    "[" * 3000,
    "{a: " * 500,
    "- " * 500,
    "\t",
    "\0",
    "\x1b[31m",
    "\xff\xfe",
    "\xef\xbb\xbf",
    "\xc3",
    "\xed\xa0\x80",
    "%YAML 9.9\n---\n",
    "---\n",
    "...\n",
    "'",
    '"',
    '"\\ud800"',
    '"\\x1b[2J"',
    '"\\0"',
    "|\n",
    ">\n",
    "&a ",
    "*a",
    "!!str ",
    "!!map ",
    "!!seq ",
    "!",
    "!!",
    "#",
    ": ",
    "x" * 3000,
    "~nosuchuser/x",
    "~",
    "null",
    "[]",
    "{}",
    "''",
    "no",
    "1e-4",
    "1_000",
    "2001-12-14t21:59:43.10-05:00",
    "2024-01-01T00:00:00+99:99",
    "=",
    "<<",
]
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
"""Billion laughs of nine levels."""


def load(ground: Path) -> None:
    bases()


@cache
def bases() -> dict[str, list[str]]:
    """Texts that are right, by what they are."""
    from igmsweep.config import TrainConfig
    from igmsweep.spaces.shipped import space_folders

    igm = TrainConfig(data="avdigits").to_yaml()
    return {
        "config": [
            igm,
            TrainConfig(data="avdigits", method="ogm").to_yaml(),
            "data: avdigits\nmethod: {name: igm, tau: 1.0}\noptim: {lr: 0.1}\n",
        ],
        "space": [path.read_text() for folder in space_folders()[:1] for path in sorted(folder.glob("*.yaml"))],
        "set": ["0.5", "[256, 64]", "{audio: 0.1}", "none", "paper"],
    }


def make(rng: random.Random) -> Any:
    what = rng.choices(["config", "space", "set"], [4, 4, 2])[0]
    text = rng.choice(bases()[what])
    if what == "set":
        key = rng.choice(
            [
                "optim.lr",
                "method.tau",
                "model.head",
                "method.preset",
                "data.root",
                "seed",
                "method.rho.audio",
                "stages.epochs",
                "device",
            ]
        )
        text = rng.choice([*TOKENS, *WORDS]) if rng.random() < 0.6 else garbled(rng, text, TOKENS, rng.randrange(1, 3))
        return {"as": what, "key": key, "text": text.encode("utf-8", "surrogatepass").decode("latin-1")}
    draw = rng.random()
    if draw < 0.005:
        text = LAUGHS + rng.choice([text, "params: *a9\n", "seed: *a9\n", "data: *a9\n", "method.tau: *a4\n"])
    elif draw < 0.5:  # a value is replaced
        lines = text.encode().decode("latin-1").split("\n")
        at = rng.randrange(len(lines))
        lines[at] = lines[at].partition(":")[0] + ": " + rng.choice(TOKENS)
        text = "\n".join(lines)
    elif draw < 0.7:
        import yaml

        tree = changed(rng, yaml.safe_load(text), rng.randrange(1, 4), beyond=False)
        text = (
            yaml.safe_dump(tree, sort_keys=False, allow_unicode=rng.random() < 0.5)
            .encode("utf-8", "surrogatepass")
            .decode("latin-1")
        )
        text = garbled(rng, text, TOKENS, rng.randrange(2))
    else:
        text = garbled(rng, text.encode().decode("latin-1"), TOKENS, rng.randrange(1, 5))
    return {"as": what, "text": text}


def run(given: Any, place: Path) -> None:
    from igmsweep.cli.options import parse_overrides
    from igmsweep.config import TrainConfig
    from igmsweep.gate.yaml_text import read_yaml
    from igmsweep.plugin import Trust
    from igmsweep.spaces import load_space

    file = place / "file.yaml"
    file.write_bytes(given["text"].encode("latin-1"))
    if given["as"] == "set":
        text = given["text"].encode("latin-1").decode("utf-8", "surrogateescape")  # as the shell hands it over
        TrainConfig(data="avdigits").override(parse_overrides([f"{given['key']}={text}"])).to_yaml()
    elif given["as"] == "config":
        Trust(data="avdigits").check(read_yaml(file), file)
        TrainConfig.from_yaml(file).to_yaml()
    else:
        config = TrainConfig(data="avdigits")
        space = load_space(file, config)
        space.check(config)
        list(islice(space.grid(3), 3))
