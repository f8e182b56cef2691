"""`igmsweep methods`: the methods, the works behind them, what they cost and what can be tuned."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from igmsweep.cli import complete
from igmsweep.cli.options import AsJson
from igmsweep.cli.terminal import tell
from igmsweep.lines import aligned


def methods(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            autocompletion=complete.methods,
            help="Methods to tell all of: names, or path/to/file.py:CLASS; default: a table.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the methods: work, year, cost of an epoch against joint training, fusion, and parameters with their ranges."""
    from igmsweep.methods import names as built_in
    from igmsweep.spaces.catalogue import described

    found = [described(name) for name in names or built_in()]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    rows = [("method", "year", "cost", "modalities", "fusion", "source")]
    for each in found:
        cost = "-" if each["cost"] is None else f"{each['cost']:.1f}"
        rows.append(
            (
                each["name"],
                str(each["year"] or "-"),
                cost,
                f"{each['modalities']} or more",
                each["fusion"] or "-",
                each["source"] or "-",
            )
        )
    tell(aligned(rows))
    tell(["", "cost: time of a training over that of joint training with as many epochs; -: not measured"])
    for each in found:
        tell(["", *_parameters(each, meanings=bool(names))])
    if not names:
        tell(["", "`igmsweep methods NAME` tells what each parameter means, and what the presets set"])


def _parameters(each: dict[str, Any], meanings: bool) -> list[str]:
    """A method's own parameters, a line each: default, what is allowed, where it is searched; under it what it means."""
    from igmsweep.record.wording import word
    from igmsweep.spaces.catalogue import searched

    lines = [f"{each['name']}: {each['title'] or each['summary']}"]
    lines.append(f"  presets: {', '.join(each['presets'])}")
    if meanings:
        lines += [f"  {name}: {_settings(told)}" for name, told in each["presets"].items() if told]
    rows = [
        (f"  method.{key} = {word(field['default'])}", field["allowed"], _searched(searched(field["searched"])))
        for key, field in each["parameters"].items()
    ]
    if not meanings:
        return lines + aligned(rows)
    for line, field in zip(aligned(rows), each["parameters"].values(), strict=True):
        lines += [line, f"    {field['meaning']}"] if field["meaning"] else [line]
    return lines


def _settings(preset: dict[str, Any]) -> str:
    """What a preset sets, as on a command line."""
    from igmsweep.record.wording import word

    return ", ".join(f"{path}={word(value)}" for path, value in preset.items())


def _searched(text: str) -> str:
    return f"searched: {text}" if text else "not searched"
