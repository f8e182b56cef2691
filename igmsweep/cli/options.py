"""Options that several commands share, each written once, and what their text means."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igmsweep.cli import complete
from igmsweep.cli.layout import BUDGET, DATA, OTHER, OUTPUT, PAGE, RESOURCES, SEARCH, TRAINING, TRUST
from igmsweep.cli.terminal import quieten
from igmsweep.errors import UserError
from igmsweep.gate.paths import full
from igmsweep.lines import either
from igmsweep.sweep.options import Option, SweepOptions, declared

if TYPE_CHECKING:
    from igmsweep.plugin import Trust


def duration(option: str) -> Callable[[str], float]:
    """A parser of durations such as `90s`, `45m`, `1.5h` or `2h30m` into seconds; its errors name `option`."""

    def parse(text: str) -> float:
        part = r"(\d+(?:\.\d+)?)\s*([smhd])"
        parts = re.findall(part, text)
        if not parts or re.sub(part, "", text).strip():
            raise UserError(f"{option}: found '{text}', expected a duration such as 90s, 45m or 2h")
        return sum(float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for number, unit in parts)

    return parse


def share(text: str) -> float | str:
    """A share of a GPU, or `auto`."""
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise UserError(f"--gpus-per-trial: found '{text}', expected a number such as 0.25, or auto") from None


def one_of(flag: str, choices: Sequence[str], means: str, panel: str) -> Any:
    """An option that takes one of a few names: its help lists them, the parser refuses others, and Tab offers them.

    Args:
        means: what its help says before the names.
    """
    option = Option(flag, choices=tuple(choices))

    def parse(text: str) -> str:
        option.check(text)
        return text

    return typer.Option(
        flag,
        metavar="NAME",
        parser=parse,
        autocompletion=lambda: list(choices),
        rich_help_panel=panel,
        help=f"{means}: {either(choices)}.",
    )


def _declared(name: str, means: str, panel: str) -> Any:
    """An option of SweepOptions that takes one of the names that it declares."""
    option = declared()[name]
    return one_of(option.flag, option.choices, means, panel)


Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        rich_help_panel=TRAINING,
        help="Override a value of the configuration, such as optim.batch_size=16; may be given often.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", rich_help_panel=OUTPUT, help="Print JSON on stdout, for other programs.")
]
DataSet = Annotated[
    str,
    typer.Argument(
        metavar="DATASET",
        autocompletion=complete.data_sets,
        help="A name of `igmsweep data list`, a CSV file, or path/to/file.py:NAME.",
    ),
]
Method = Annotated[
    str,
    typer.Option(
        "--method",
        metavar="NAME",
        autocompletion=complete.methods,
        rich_help_panel=SEARCH,
        help="A name of `igmsweep methods`, or path/to/file.py:CLASS.",
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        autocompletion=complete.presets,
        rich_help_panel=TRAINING,
        help="The method's settings: paper (the default), or released: the authors' code as it runs.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option("--root", metavar="DIR", rich_help_panel=DATA, help="Folder of the data set, where it is elsewhere."),
]
Folder = Annotated[
    Path, typer.Argument(metavar="DIR", autocompletion=complete.sweeps, help="A sweep's folder, such as results/NAME.")
]
Folders = Annotated[
    list[Path],
    typer.Argument(metavar="DIR", autocompletion=complete.sweeps, help="Folders of sweeps, or a folder of such."),
]
Strict = Annotated[bool, typer.Option("--strict", rich_help_panel=OTHER, help="Exit 3 when any trial failed.")]
DryRun = Annotated[bool, typer.Option("--dry-run", rich_help_panel=OTHER, help="Say what would run, and leave.")]
Cpus = Annotated[
    float, typer.Option("--cpus-per-trial", metavar="N", rich_help_panel=RESOURCES, help="CPU cores of each training.")
]
Gpus = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-trial",
        metavar="SHARE",
        rich_help_panel=RESOURCES,
        help="Share of a GPU of each training; default: 1 where there is one.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="HOST:PORT", rich_help_panel=RESOURCES, help="A running Ray cluster to join (or auto)."
    ),
]
Formats = Annotated[
    str,
    typer.Option(
        "--format", metavar="LIST", rich_help_panel=PAGE, help="Comma-separated: html, csv, tex, md, svg, pdf, png."
    ),
]

NamedMethod = Annotated[
    str | None,
    typer.Option(
        "--method", metavar="FILE:CLASS", rich_help_panel=TRUST, help="A method of your own that the folder names."
    ),
]
NamedData = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="FILE:NAME", rich_help_panel=TRUST, help="A data set of your own that the folder names."
    ),
]
TrustAll = Annotated[
    bool, typer.Option("--trust", rich_help_panel=TRUST, help="Run whatever Python files the folder names.")
]

SWEEP: dict[str, Any] = {
    "trials": Annotated[
        int | None,
        typer.Option(
            "--trials",
            "-n",
            metavar="N",
            rich_help_panel=BUDGET,
            help="Trials in all (--n-trials and --num-samples are heard too).",
        ),
    ],
    "time_budget_s": Annotated[
        str | None,
        typer.Option(
            "--time-budget",
            metavar="TIME",
            parser=duration("--time-budget"),
            rich_help_panel=BUDGET,
            help="Stop after this long: 90s, 45m, 2h; unfinished trials are marked so.",
        ),
    ],
    "max_concurrent": Annotated[
        int | None,
        typer.Option(
            "--max-concurrent", metavar="N", rich_help_panel=RESOURCES, help="Trials at a time; default: what fits."
        ),
    ],
    "cpus_per_trial": Annotated[
        float | None,
        typer.Option("--cpus-per-trial", metavar="N", rich_help_panel=RESOURCES, help="CPU cores of each trial."),
    ],
    "gpus_per_trial": Annotated[
        str | None,
        typer.Option(
            "--gpus-per-trial",
            metavar="SHARE",
            parser=share,
            rich_help_panel=RESOURCES,
            help="Share of a GPU of each trial: 0.25, or auto; default: 1 where there is one.",
        ),
    ],
    "folds": Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="K",
            rich_help_panel=BUDGET,
            help="Cross-validation in each trial; its score is the mean.",
        ),
    ],
    "seeds": Annotated[
        int | None,
        typer.Option(
            "--seeds",
            metavar="N",
            rich_help_panel=BUDGET,
            help="Train the best few with so many seeds in all, at the end.",
        ),
    ],
    "repeat_top": Annotated[
        int | None,
        typer.Option(
            "--repeat-top", metavar="N", rich_help_panel=BUDGET, help="How many of the best --seeds trains again."
        ),
    ],
    "retries": Annotated[
        int | None,
        typer.Option(
            "--retries",
            metavar="N",
            rich_help_panel=RESOURCES,
            help="How often a trial whose process or node died goes on.",
        ),
    ],
    "trial_timeout_s": Annotated[
        str | None,
        typer.Option(
            "--trial-timeout",
            metavar="TIME",
            parser=duration("--trial-timeout"),
            rich_help_panel=BUDGET,
            help="A trial that takes longer has failed: 30m, 2h.",
        ),
    ],
    "keep_checkpoints": Annotated[
        str | None, _declared("keep_checkpoints", "Whose checkpoint is kept, of finished trials", OUTPUT)
    ],
    "keep_predictions": Annotated[
        str | None,
        _declared("keep_predictions", "What each trial predicts of validation samples, auto where it is small", OUTPUT),
    ],
    "loggers": Annotated[
        list[str] | None,
        typer.Option(
            "--log",
            metavar="KIND",
            autocompletion=lambda: ["tensorboard", "wandb", "mlflow"],
            rich_help_panel=OUTPUT,
            help="Also log to tensorboard, wandb[=PROJECT] or mlflow[=ADDRESS].",
        ),
    ],
    "address": Address,
    "local": Annotated[
        bool | None,
        typer.Option(
            "--local/--ray",
            rich_help_panel=RESOURCES,
            help="One trial after the other in this process, or many at a time with Ray.",
        ),
    ],
    "quiet": Annotated[
        bool | None,
        typer.Option(
            "--quiet", "-q", callback=quieten, rich_help_panel=OTHER, help="Only warnings and the closing lines."
        ),
    ],
}
"""The options of `igmsweep.sweep.options.SweepOptions` on the command line, by the same names."""


def takes(
    options: Iterable[str], defaults: Mapping[str, Any] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the command takes these of SWEEP beside its own options, as `**options`. None is one not given.

    Args:
        options: names in SWEEP.
        defaults: shown by `--help`, and what the command gets; without it, None.
    """
    defaults = defaults or {}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=SWEEP[name])
        for name in options
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        command.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        return command

    return decorate


def defaults() -> dict[str, Any]:
    """What the options of a new sweep default to."""
    return {
        each.name: each.default for each in dataclasses.fields(SweepOptions) if each.default is not dataclasses.MISSING
    }


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that `takes` has brought, as a request takes them; those that were not given are left out."""
    values = {name: value for name, value in options.items() if value is not None}
    if "loggers" in values:  # `wandb=project`; the part after the sign may be missing
        values["loggers"] = {name: target for name, _, target in (entry.partition("=") for entry in values["loggers"])}
    return values


def trusted(method: str | None, data: str | None, everything: bool) -> Trust:
    """What `--method`, `--data` and `--trust` allow a folder."""
    from igmsweep.plugin import Trust

    return Trust(method, data, everything)


def listed(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_overrides(pairs: list[str] | None, root: Path | None = None) -> dict[str, Any]:
    """`key=value` pairs with YAML values, and what `--root` says. Raises UserError."""
    from igmsweep.gate.yaml_text import NotYaml, parse_yaml

    values: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise UserError(f"--set: found '{pair}', expected KEY=VALUE, such as optim.batch_size=16")
        try:
            values[key.strip()] = parse_yaml(text)
        except NotYaml as error:
            raise UserError(f"--set {key}: cannot read the value '{text}' ({error})") from None
    if root is not None:
        values["data.root"] = str(full(root, "--root"))
    return values
