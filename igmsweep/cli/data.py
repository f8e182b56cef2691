"""`igmsweep data`: list data sets, check and prepare one, look after the cache. Heavy modules load inside the commands."""

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igmsweep.cli import complete
from igmsweep.cli.examples import epilog
from igmsweep.cli.layout import Command, Group
from igmsweep.cli.options import AsJson, DataSet, parse_overrides
from igmsweep.cli.terminal import quiet_libraries, say, tell
from igmsweep.errors import UserError
from igmsweep.gate.paths import full
from igmsweep.legible import clean, on_one_line
from igmsweep.lines import aligned

if TYPE_CHECKING:
    from igmsweep.config import TrainConfig
    from igmsweep.data.cache import Entry
    from igmsweep.schema.sections import DataConfig

data_app = typer.Typer(
    cls=Group,
    help="Data sets: list, check, look at and prepare them; the cache.",
    epilog=epilog("data"),
    no_args_is_help=True,
)
cache_app = typer.Typer(
    cls=Group, help="Decoded copies: what there is, and removing it.", epilog=epilog("data cache"), no_args_is_help=True
)
data_app.add_typer(cache_app, name="cache")

Root = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the data set; remembered when it is one.")]
Jobs = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Threads that decode; default: the cores there are.")
]
All = Annotated[bool, typer.Option("--all", help="A line a remark, where else many of one kind and folder are summed.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Such as data.options.frames=3.")]
CacheDir = Annotated[
    Path | None, typer.Option("--cache", metavar="DIR", help="The cache folder; default: $IGMSWEEP_CACHE.")
]


@data_app.command("list", cls=Command, epilog=epilog("data list"))
def data_list() -> None:
    """List the data sets, and where each was found."""
    from igmsweep import data
    from igmsweep.schema.sections import DataConfig

    rows = [("data set", "modalities", "classes", "train/val/test", "measures", "folder")]
    for name in data.names():
        found = data.get(name)
        counts = "/".join(str(found.expected.get(part, "-")) for part in data.PARTS) if found.expected else "-"
        root = data.root_of(DataConfig(name=name))
        place = str(root) if root.is_dir() else "made on first use" if name == "avdigits" else "not found"
        rows.append(
            (name, ", ".join(found.modalities), str(len(found.classes)), counts, ", ".join(found.metrics), place)
        )
    tell(aligned(rows))
    if any(row[-1] == "not found" for row in rows):
        say("a folder is remembered: igmsweep data check NAME --root DIR")


@data_app.command("check", cls=Command, epilog=epilog("data check"))
def data_check(
    name: DataSet,
    root: Root = None,
    decode: Annotated[bool, typer.Option("--decode", help="Read every file to its end, not its header alone.")] = False,
    jobs: Jobs = None,
    set_: Set = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """Tell which files are missing, unreadable, silent or there twice, and what differs from the published set; exit 1 if so."""
    from igmsweep import data
    from igmsweep.data.check import check

    with quiet_libraries():
        config = _config(name, root, set_).data
        report = check(*data.at_hand(config), decode, jobs, config.bad_files, config.silent_files)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        tell(report.lines(every))
    unfit = report.unfit(config.bad_share)
    if unfit is None:
        _remember(name, root)
    elif root is not None:
        say(f"igmsweep: {root} is not remembered as {name}'s folder: {unfit}")
    raise typer.Exit(0 if report.clean else 1)


@data_app.command("prepare", cls=Command, epilog=epilog("data prepare"))
def data_prepare(
    name: DataSet,
    root: Root = None,
    test: Annotated[bool, typer.Option("--test", help="The test part too, which a search never opens.")] = False,
    jobs: Jobs = None,
    set_: Set = None,
    every: All = False,
) -> None:
    """Decode a data set into the cache that all trials share. Ctrl-C keeps what is done; the same command goes on."""
    from igmsweep import data
    from igmsweep.data import cache, policies, published, remarks

    parts = [part for part in data.PARTS if part != "test" or test]
    with quiet_libraries():
        config = _told(name, root, set_)
        (dataset, folder), kept = data.at_hand(config), data.cache_of(config)
        listed = {part: dataset.index(folder, part) for part in parts}
        policies.refuse_missing(dataset, listed, folder, config)
        found = {
            part: cache.decoded(dataset, folder, part, kept, jobs, config.store)
            for part, samples in listed.items()
            if samples or part != "val"
        }
    for part, whole in found.items():
        folders = remarks.folders_of(listed[part], folder)
        for line in remarks.told(part, whole.replaced, folders, folder, every):
            say(line)
    used = policies.under_policies(found, config)
    _remember(name, root)
    for part, each in used.items():
        say(policies.bad_samples(part, each).words())
    for line in published.departures(
        dataset, folder, {part: [each.id for each in some] for part, some in listed.items()}
    ):
        say(line)
    typer.echo(clean(str(kept)))


@data_app.command("sample", cls=Command, epilog=epilog("data sample"))
def data_sample(
    name: DataSet,
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the data set, where it is elsewhere.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .png, .svg or .pdf file; default: NAME-samples.png here.")
    ] = None,
    each: Annotated[int, typer.Option(min=1, max=12, metavar="N", help="Samples of a class.")] = 3,
    classes: Annotated[int, typer.Option(min=1, max=100, metavar="N", help="Classes at most.")] = 12,
    training: Annotated[bool, typer.Option("--training", help="As in training, with random crops and flips.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, metavar="N", help="Of what is random in training.")] = 0,
    set_: Set = None,
) -> None:
    """Draw a few samples of every class as the model sees them: spectrograms, pictures, frames, texts."""
    from igmsweep import data
    from igmsweep.data.sheet import write_sheet

    with quiet_libraries():
        dataset, folder = data.at_hand(_told(name, root, set_))
        dataset.check()
        path = out or Path(f"{dataset.name}-samples.png")
        write_sheet(dataset, folder, path, each, classes, training, seed)
    typer.echo(clean(str(path)))


@data_app.command("make", cls=Command, epilog=epilog("data make"))
def data_make(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            autocompletion=lambda: ["avdigits"],
            help="Only the embedded data set, avdigits, can be made.",
        ),
    ],
    root: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to write; default: the user's cache folder.")
    ] = None,
) -> None:
    """Write the embedded data set: WAV, PNG and CSV files in CREMA-D's layout."""
    from igmsweep import data
    from igmsweep.schema.sections import DataConfig

    typer.echo(on_one_line(str(data.ensure(DataConfig(name=name, root=root)))))


@cache_app.command("list", cls=Command, epilog=epilog("data cache list"))
def cache_list(cache: CacheDir = None, as_json: AsJson = False) -> None:
    """List the decoded copies: data set, part, samples, size, last use."""
    from igmsweep.data.cache import entries

    folder = _cache(cache)
    held = entries(folder)
    if as_json:
        typer.echo(json.dumps([vars(entry) | {"path": str(entry.path)} for entry in held]))
        return
    tell(aligned([_cached(entry) for entry in held]))
    free = f", {shutil.disk_usage(folder).free / 2**30:.0f} GiB free" if folder.is_dir() else ""
    say(f"{folder}: {len(held)} caches, {sum(entry.bytes for entry in held) / 2**30:.2f} GiB{free}")


def _cached(entry: Entry) -> tuple[str, ...]:
    used = datetime.datetime.fromtimestamp(entry.used).strftime("%Y-%m-%d %H:%M")
    state = f"{entry.samples} samples" if entry.whole else "unfinished"
    return entry.path.name, f"{entry.dataset} {entry.part}", state, f"{entry.bytes / 2**20:.0f} MiB", used


@cache_app.command("remove", cls=Command, epilog=epilog("data cache remove"))
def cache_remove(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            autocompletion=complete.data_sets,
            help="Data sets, or folder names from `cache list`.",
        ),
    ],
    cache: CacheDir = None,
) -> None:
    """Delete decoded copies; they are built again when they are wanted."""
    from igmsweep.data.cache import remove

    gone = remove(_cache(cache), names)
    for entry in gone:
        typer.echo(clean(entry.path.name))
    say(f"removed {len(gone)} caches, {sum(entry.bytes for entry in gone) / 2**20:.0f} MiB")


def _config(name: str, root: Path | None, pairs: list[str] | None) -> TrainConfig:
    from igmsweep.config import TrainConfig

    overrides: dict[str, Any] = parse_overrides(pairs, root)
    for key in overrides:
        if not key.startswith("data."):
            raise UserError(f"--set: found '{key}', expected a key of data, such as data.bad_files")
    return TrainConfig.new(name, "igm", overrides)


def _told(name: str, root: Path | None, pairs: list[str] | None) -> DataConfig:
    """The data's configuration, after a line of what was derived from the data."""
    from igmsweep.config import reading

    config = _config(name, root, pairs)
    derived = reading(config)
    if derived is not None:
        say(f"igmsweep: {derived}")
    return config.data


def _cache(cache: Path | None) -> Path:
    from igmsweep import data
    from igmsweep.schema.sections import DataConfig

    return data.cache_of(DataConfig(name="avdigits", cache=cache))


def _remember(name: str, root: Path | None) -> None:
    from igmsweep import data
    from igmsweep.data import places

    if root is not None and name in data.names() and places.remember(name, full(root, "--root")):
        say(f"igmsweep: remembered where {name} is; later commands need no --root")
