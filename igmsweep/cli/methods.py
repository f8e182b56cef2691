"""`igmsweep methods`: what can be tuned."""

from __future__ import annotations

import sys

import typer


def methods() -> None:
    """List the methods and what their parameters default to."""
    from igmsweep.methods import get, names

    for name in names():
        method = get(name)
        typer.echo(f"{name}: {(sys.modules[method.__module__].__doc__ or '').strip().splitlines()[0]}")
        for key, field in method.Params.model_fields.items():
            if key != "name":
                shown = "per modality" if field.is_required() else field.default
                typer.echo(f"  method.{key} = {shown}")
