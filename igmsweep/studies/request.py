"""What a person asks of a study, and the file in its folder that remembers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any

import yaml

from igmsweep import data as datasets
from igmsweep.data.places import check_places
from igmsweep.disk import write_atomically
from igmsweep.errors import UserError
from igmsweep.gate.paths import full, refuse_links
from igmsweep.gate.yaml_text import Written, read_yaml
from igmsweep.legible import quoted
from igmsweep.plugin import Trust
from igmsweep.schema.paths import UNBOUND
from igmsweep.studies.base import Setting, Study
from igmsweep.sweep.options import check_amounts, lasting

STUDY_FILE = "study.yaml"
PAPER = "paper"
"""All studies, one after the other."""


@dataclass(frozen=True)
class StudyRequest:
    """What a person asks of a study.

    Attributes:
        name: of the study, or `paper`.
        data: as in a `SweepRequest`.
        seeds: trainings of each configuration; None: the study's own number.
        overrides: values by configuration path, for all arms; a method's setting, `method.*`, for those whose method has it.
        options: other options of a `SweepRequest`, the same for all arms.
        trials: of each search.
        methods: what a study of many methods is cut to; none for all.
        confirm_test: score winners on the test split in the end, which is opened once for all arms, and counted.
    """

    name: str
    data: str
    seeds: int | None = None
    seed: int = 0
    out: Path = Path("results")
    overrides: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    trials: int = 16
    methods: tuple[str, ...] = ()
    confirm_test: bool = False

    def __post_init__(self) -> None:
        """A file is named in full: the study may be gone on with from elsewhere."""
        name, colon, attribute = self.data.partition(":")
        if Path(name).suffix or "/" in name:
            object.__setattr__(self, "data", str(full(name)) + colon + attribute)

    def trainings(self, study: Study) -> int:
        """Of each configuration: what was asked for, or the study's own number."""
        return study.seeds if self.seeds is None else self.seeds

    @property
    def folder(self) -> Path:
        """`<out>/<study>-<data>`."""
        return full(self.out, "--out") / f"{self.name}-{Path(self.data.split(':')[0]).stem}"


def setting_of(data: str, methods: tuple[str, ...] = ()) -> Setting:
    """What a study needs to know of a data set; nothing of it is read but its declaration."""
    dataset = datasets.get(data)
    kinds = {name: each.kind for name, each in dataset.modalities.items()}
    options = frozenset(type(dataset.options).model_fields)
    return Setting(data, tuple(kinds), kinds, tuple(dataset.metrics), methods, options)


def check_remembered(request: StudyRequest) -> None:
    """Raise UserError where a study's folder is of one of another kind, or has links out of it; what is `UNBOUND` may change."""
    refuse_links(request.folder)
    path = request.folder / STUDY_FILE
    if not path.is_file():
        return
    before, now = remembered(request.folder), _fixed(request)
    for key in now:
        old, new = (_lasting(each[key]) if key == "overrides" else each[key] for each in (before, now))
        if old != new:
            raise UserError(f"{path}: was made with {key} {old}, now {new}; choose another --out")


def remember(request: StudyRequest) -> None:
    """Write down what the study is, so that `resumed` finds it; what may change, such as the seeds, is written anew."""
    path = request.folder / STUDY_FILE
    request.folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in request.options.items() if name not in ("time_budget_s", "address")}
    told = {
        **_fixed(request),
        "seeds": request.seeds,
        "options": kept,
        "trials": request.trials,
        "methods": list(request.methods),
    }
    write_atomically(path, yaml.safe_dump(told, sort_keys=False))


def _fixed(request: StudyRequest) -> dict[str, Any]:
    """What makes a study another one."""
    return {"study": request.name, "data": request.data, "seed": request.seed, "overrides": dict(request.overrides)}


def _lasting(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in overrides.items() if path not in UNBOUND}


_TEXT, _NUMBER, _MAPPING = (str, "a text"), (int, "a whole number"), (dict, "a mapping of keys to values")
KINDS: dict[str, tuple[type | UnionType, str]] = {
    "study": _TEXT,
    "data": _TEXT,
    "seed": _NUMBER,
    "seeds": (int | None, "a whole number or null"),
    "trials": _NUMBER,
    "methods": (list, "a list"),
    "overrides": _MAPPING,
    "options": _MAPPING,
}
"""What `study.yaml` holds: types, and their names for messages."""


def settings_of(folder: Path) -> dict[str, Any]:
    """What `--set` asked of a study, less where things lie; empty where nothing is remembered."""
    return _lasting(remembered(folder)["overrides"]) if (folder / STUDY_FILE).is_file() else {}


def remembered(folder: Path) -> dict[str, Any]:
    """What `remember` wrote. Raises UserError where there is no study, or its file cannot be read."""
    path = folder / STUDY_FILE
    if not path.is_file():
        raise UserError(f"{folder}: no study here; expected a folder with {STUDY_FILE}")
    found = read_yaml(path, Written)
    found = {"trials": 16, "methods": [], "seeds": None, **found}
    for key, (kind, name) in KINDS.items():
        if not isinstance(found.get(key), kind) or isinstance(found[key], bool):
            raise UserError(f"{path}: {key}: found {quoted(found.get(key))}, expected {name}")
    return found


def resumed(
    folder: Path,
    seeds: int | None = None,
    options: Mapping[str, Any] | None = None,
    trust: bool = False,
    trials: int | None = None,
    root: Path | None = None,
    confirm_test: bool = False,
) -> StudyRequest:
    """The request that a study's folder was made by, to go on with it.

    Args:
        seeds, options, trials, root: in place of those of the last time.
        trust: whether a Python file may be run that the folder names as its data set.

    Raises:
        UserError: no study there, or it names a Python file and that is not trusted.
    """
    place = full(folder)
    told = remembered(place)
    Trust(everything=trust).check_links(place)
    Trust(everything=trust).check({"data": {"name": told["data"]}}, place / STUDY_FILE)
    for key in told["options"]:
        if key not in lasting():
            raise UserError(
                f"{place / STUDY_FILE}: options.{key}: is not taken from a folder, expected some of {', '.join(lasting())}"
            )
    check_amounts(told["options"], f"{place / STUDY_FILE}: options")
    overrides = {**told["overrides"], **({} if root is None else {"data.root": str(full(root, "--root"))})}
    named = {key: overrides.get(f"data.{key}") for key in ("root", "cache")}
    check_places(named, place / STUDY_FILE, Trust(everything=trust))
    request = StudyRequest(
        told["study"],
        told["data"],
        told["seeds"] if seeds is None else seeds,
        told["seed"],
        place.parent,
        overrides,
        {**dict(told["options"]), **(options or {})},
        told["trials"] if trials is None else trials,
        tuple(map(str, told["methods"])),
        confirm_test,
    )
    if request.folder != place:
        raise UserError(f"{place}: is named otherwise than {request.folder.name}, the folder that its study goes on in")
    return request
