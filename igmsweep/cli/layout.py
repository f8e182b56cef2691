"""How the help of a command is laid out: its options in named panels, always in the same order, and examples at the end."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

SEARCH, BUDGET, RESOURCES, DATA = "Search", "Budget", "Resources", "Data"
TRAINING, PAGE, OUTPUT, TRUST, OTHER = "Training", "Page", "Output", "Trust", "Other"
PANELS = (SEARCH, TRAINING, BUDGET, RESOURCES, DATA, PAGE, OUTPUT, TRUST, OTHER)

FEW = 6
"""Options that a person reads at a glance: a command with no more of them, `--help` counted, has one panel."""

RUN, RESULTS, PARTS = "Search and train", "What came out", "Data, methods, spaces, this machine"
"""The panels of the commands themselves."""


class Command(TyperCommand):
    """A command whose options are sorted by panel; one without a panel, such as `--help`, stands under `Other`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Arguments in their order, then the options, panel by panel."""
        return _laid_out(super().get_params(ctx))


class Group(TyperGroup):
    """A group of commands, its own options laid out likewise."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As a command's."""
        return _laid_out(super().get_params(ctx))


def _laid_out(params: list[Any]) -> list[Any]:
    options = [each for each in params if each.param_type_name == "option"]
    for option in options:
        option.rich_help_panel = None if len(options) <= FEW else option.rich_help_panel or OTHER
        if option.is_flag:
            option.metavar = ""  # it takes no value, and the help names no type of one
    order = {name: place for place, name in enumerate((None, *PANELS))}
    arguments = [each for each in params if each.param_type_name != "option"]
    for argument in arguments:
        argument.display_type_rich = lambda ctx: None  # `<list[Path]>` says less than its name does
    return arguments + sorted(options, key=lambda each: order[each.rich_help_panel])
