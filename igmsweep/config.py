"""TrainConfig: everything that one training needs, validated, in and out of YAML.

A value comes from the first of: what the user wrote, the method's preset, the data set's defaults (its paper's), the
field's default. After construction nothing is implicit: per-modality values are spelt out for every modality, so that
the configuration a trial saves is the configuration it ran.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from igmsweep.errors import UserError, nearest

if TYPE_CHECKING:
    from igmsweep.data.base import DataSet

PER_MODALITY = (
    "model.encoder",
    "model.weights",
    "model.frozen",
    "optim.lr",
    "stages.epochs",
)  # a method adds its own, see MethodParams
SHARED = "shared"  # optim.lr.shared: the learning rate of parameters that belong to no single modality


class Section(BaseModel):
    """One frozen part of a configuration; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(Section):
    """Which data set, where it lies, and how validation data is kept apart from training data."""

    name: str
    root: Path | None = None
    """Folder of the data set; None: `$IGMSWEEP_DATA/<name>`, else the user's cache folder."""
    cache: Path | None = None
    """Folder of the decoded arrays that all trials of a node share; None: `$IGMSWEEP_CACHE`, else the user's cache."""
    group: str = "none"
    """What stands on one side of a split only: `none`, or the data set's own word, such as `speaker`, `image`, `video`."""
    folds: int | None = Field(None, ge=2)
    fold: int | None = Field(None, ge=0)
    val_fraction: float | None = Field(None, gt=0, lt=1)
    """Carve this share of train for validation; None: the data set's own validation list where it has one."""
    split_seed: int = Field(0, ge=0)
    bad_files: Literal["error", "skip", "blank"] = "error"
    """Samples with a file that cannot be used: `error` refuses to train and names them, `skip` leaves them out, `blank`
    puts silence or a grey picture in the file's place."""
    store: Literal["raw", "jpeg"] = "raw"
    """How the cache keeps pictures: as they are, or as JPEG (quality 95), a sixth of the size, decoded in every epoch."""
    silent_files: Literal["keep", "skip"] = "keep"
    """Samples whose sound is nothing but silence."""
    options: dict[str, Any] = {}
    """The data set's own settings, such as `data.options.frontend`; spelt out in full after construction."""

    @field_serializer("root", "cache")
    def _path_as_text(self, path: Path | None) -> str | None:
        return None if path is None else str(path)


class ModelConfig(Section):
    """Encoders, and the head of Sec. 4.2: FC(d, 256), ReLU, FC(256, 64), FC(64, classes)."""

    encoder: dict[str, str]
    width: int = Field(16, ge=4, le=512)
    """Channels of the first block of the small encoders; ignored by encoders of a fixed size."""
    head: tuple[int, ...] = (256, 64)
    """Hidden sizes of each head, shallow to deep; () is a single linear layer."""
    weights: dict[str, str]
    """Each encoder's start: `none` (random), `pretrained` (its usual weights, if they are on this machine), a path, or a
    name in the user's Hugging Face cache. Nothing is ever downloaded."""
    frozen: dict[str, bool]
    """Encoders that are not trained: they run once a sample, without augmentation, and their features are cached."""
    project: int | None = Field(None, ge=1)
    """Size of the features that enter the heads; an encoder of another size gets a linear layer to it."""


class OptimConfig(Section):
    """The optimiser, which starts anew at every stage, with a learning rate per modality."""

    name: Literal["sgd", "adam"] = "sgd"
    lr: dict[str, float]
    momentum: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, gt=0, lt=1)
    """Adam's decay of the squared gradients; `momentum` is SGD's alone."""
    weight_decay: float = Field(1e-4, ge=0)
    batch_size: int = Field(32, ge=1)
    schedule: Literal["plateau", "step", "none"] = "plateau"
    """`plateau`: times `factor` when the training loss has not improved for `patience` epochs (Sec. 4.2)."""
    factor: float = Field(0.1, gt=0, lt=1)
    patience: int = Field(5, ge=0)
    step_size: int = Field(40, ge=1)
    """Epochs between two steps of `schedule: step`."""

    @field_validator("lr")
    @classmethod
    def _positive(cls, lr: dict[str, float]) -> dict[str, float]:
        return _each(lr, lambda value: value > 0, "greater than 0")


class StagesConfig(Section):
    """`rounds` outer iterations (Out_Iters of Algorithm 1), `epochs` of each modality in each of them."""

    rounds: int = Field(1, ge=1)
    epochs: dict[str, int]
    handover: Literal["last", "best_val"] = "last"
    """Which weights a stage hands to the next, and the last stage to the result: its last epoch's, or those of the
    epoch with the best validation accuracy of what the stage trained."""

    @field_validator("epochs")
    @classmethod
    def _positive(cls, epochs: dict[str, int]) -> dict[str, int]:
        return _each(epochs, lambda value: value >= 1, "at least 1")


class MethodParams(Section):
    """Base of every method's parameters. Subclasses add typed fields with the paper's defaults."""

    per_modality: ClassVar[tuple[str, ...]] = ()
    """Names of the fields that hold one value per modality."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}}
    """Named settings: dotted configuration paths and their values."""

    name: str
    preset: str = "paper"

    @classmethod
    def defaults(cls, kinds: Mapping[str, str]) -> dict[str, Any]:
        """Defaults that depend on the data; `kinds` maps a modality's name to its kind (`audio`, `image`, ...)."""
        return {}

    def check(self, modalities: Sequence[str]) -> None:
        """Raise UserError for values that do not fit the data set's modalities."""


class TrainConfig(Section):
    """Everything one training needs.

    >>> config = TrainConfig(data="avdigits")
    >>> config.override({"method.tau": 0.1, "optim.lr.audio": 0.003}).get("optim.lr.audio")
    0.003

    Raises:
        UserError: an unknown key, a wrong type or an impossible value; one line that names the key.
    """

    data: DataConfig
    model: ModelConfig
    method: SerializeAsAny[MethodParams]
    optim: OptimConfig
    stages: StagesConfig
    seed: int = Field(0, ge=0, lt=2**31)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    precision: Literal["fp32", "bf16"] = "fp32"
    """`bf16`: forward and backward passes under autocast; weights, gradients and evaluation stay float32."""
    compile: bool = False
    """Compile the encoders with torch.compile: minutes at the start, faster steps after."""
    channels_last: bool = False

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise UserError(one_line(error, values)) from None

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        from igmsweep import data as datasets
        from igmsweep import methods

        if not isinstance(values, Mapping):
            raise UserError(f"a configuration must be a mapping of keys to values, found {type(values).__name__}")
        given = _plain(values)
        _known(given, cls.model_fields, "")
        data = _named(given, "data", None)
        method = _named(given, "method", "igm")
        options = data.get("options") or {}
        if not isinstance(options, Mapping):
            raise UserError(f"data.options: expected a mapping of keys to values, found {options!r}")
        dataset = datasets.get(data["name"]).with_options(options)
        modalities = {name: modality.kind for name, modality in dataset.modalities.items()}
        params = methods.get(method["name"]).Params
        preset = method.get("preset", "paper")
        if preset not in params.presets:
            raise UserError(
                f"method.preset: found {preset!r}, expected one of {', '.join(params.presets)}"
                f"{nearest(str(preset), params.presets)}"
            )
        filled: dict[str, Any] = {
            "data": {},
            "model": {
                "encoder": {name: modality.encoder for name, modality in dataset.modalities.items()},
                "weights": "none",
                "frozen": False,
            },
            "optim": {"lr": 0.01},
            "stages": {"epochs": 1},
            "method": params.defaults(modalities),
        }
        _merge(filled, dataset.defaults(method["name"]), modalities, params)
        for path, value in _preset(params, dataset, method["name"], preset).items():
            _merge(filled, _nest(path, value), modalities, params)
        _merge(filled, given | {"data": data, "method": method}, modalities, params)
        for section, fields in (("model", ModelConfig), ("optim", OptimConfig), ("stages", StagesConfig)):
            _known(filled[section], fields.model_fields, section)
        _known(filled["data"], DataConfig.model_fields, "data")
        filled["data"]["options"] = dataset.options.model_dump(mode="json")
        group = filled["data"].get("group", "none")
        if group not in ("none", dataset.grouping):
            raise UserError(
                f"data.group: found {group!r}, expected none or {dataset.grouping}"
                f"{nearest(str(group), ['none', dataset.grouping])}"
            )
        _known(filled["method"], params.model_fields, "method")
        try:
            filled["method"] = params(**filled["method"])
        except ValidationError as error:
            raise UserError(one_line(error, filled["method"], "method")) from None
        filled["method"].check(list(modalities))
        return filled

    @property
    def modalities(self) -> tuple[str, ...]:
        """The data set's modalities in training order."""
        return tuple(self.model.encoder)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionary of strings, numbers, booleans, lists and None."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """YAML that `from_yaml` reads back to an equal configuration."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    @classmethod
    def from_yaml(cls, path: Path | str) -> TrainConfig:
        """Read a configuration; keys that the file leaves out get their defaults.

        Raises:
            UserError: the file is missing, is not YAML, or holds a bad key or value.
        """
        return cls(**read_yaml(path))

    def hash(self) -> str:
        """12 hexadecimal digits of the canonical JSON form without places on disk, so equal trainings share it."""
        plain = self.to_dict()
        plain["data"] = {key: value for key, value in plain["data"].items() if key not in ("root", "cache")}
        plain.pop("device")
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]

    def paths(self) -> dict[str, Any]:
        """Every dotted leaf path and its value, such as `method.rho.audio: 1e-10`."""
        return dict(_leaves(self.to_dict(), ""))

    def get(self, path: str) -> Any:
        """The value at a dotted path. Raises UserError with the nearest path when there is none."""
        paths = self.paths()
        if path not in paths:
            raise UserError(f"unknown key '{path}'{nearest(path, paths)}")
        return paths[path]

    def override(self, values: Mapping[str, Any]) -> TrainConfig:
        """A new configuration with some dotted paths replaced.

        A path to a per-modality value without the modality, such as `optim.lr`, sets all modalities. A new
        `method.preset` is applied first, the other values over it.

        Raises:
            UserError: an unknown path (the nearest one is named) or an impossible value.
        """
        known = self.paths()
        per_modality = [*PER_MODALITY, *(f"method.{name}" for name in type(self.method).per_modality)]
        plain = self.to_dict()
        for path in values:
            if path not in known and path not in per_modality and path != f"optim.lr.{SHARED}":
                raise UserError(f"unknown key '{path}'{nearest(path, [*known, *per_modality])}")
            if path in ("data.name", "method.name") and values[path] != known[path]:
                raise UserError(f"{path}: cannot be overridden (found {values[path]!r}); choose it when the run starts")
        layers: list[Mapping[str, Any]] = [values]
        preset = values.get("method.preset")
        if preset is not None and preset != self.method.preset:
            from igmsweep import data as datasets

            layers.insert(0, _preset(type(self.method), datasets.get(self.data.name), self.method.name, preset))
        modalities = dict.fromkeys(self.modalities, "")
        for layer in layers:
            for path, value in sorted(layer.items(), key=lambda item: item[0].count(".")):
                _merge(plain, _nest(path, _plain(value)), modalities, type(self.method))
        return TrainConfig(**plain)


def with_absolute_paths(config: TrainConfig) -> TrainConfig:
    """The same configuration with every path on disk absolute, for processes that run in another folder.

    Names that are no path, such as `bert-base-uncased`, stay as they are.
    """
    changes: dict[str, Any] = {}
    for path, value in config.paths().items():
        if not isinstance(value, str):
            continue
        if path in ("data.root", "data.cache") or (
            path.startswith(("model.weights.", "data.options.")) and Path(value).expanduser().exists()
        ):
            changes[path] = str(Path(value).expanduser().resolve())
        elif path.startswith("model.encoder.") and ":" in value:
            kind, _, variant = value.partition(":")
            if Path(variant).expanduser().exists():
                changes[path] = f"{kind}:{Path(variant).expanduser().resolve()}"
    return config.override(changes) if changes else config


def presets(method: str, data: str | None = None) -> dict[str, dict[str, Any]]:
    """The presets of a method as dotted paths.

    With `data`, each is complete: every path of the configuration that the preset gives on that data set. Without it,
    only what the preset itself sets.
    """
    from igmsweep import methods

    params = methods.get(method).Params
    if data is None:
        return {name: dict(values) for name, values in params.presets.items()}
    return {name: TrainConfig(data=data, method={"name": method, "preset": name}).paths() for name in params.presets}


def preset(method: str, name: str, data: str) -> dict[str, Any]:
    """What a preset of a method sets on a data set, as dotted paths; nothing for a name that is none."""
    from igmsweep import data as datasets
    from igmsweep import methods

    return _preset(methods.get(method).Params, datasets.get(data), method, name)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """A YAML mapping from a file, or a UserError of one line."""
    path = Path(path)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected a mapping of keys to values, found {type(values).__name__}")
    return values


class Loader(yaml.SafeLoader):
    """YAML 1.1 reads `1e-4` as a string and `no` as false; this safe loader reads both as they are meant."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":float"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf)$|^\.(?:nan|NaN)$"
    ),
    list("-+0123456789."),
)


def _preset(params: type[MethodParams], dataset: DataSet, method: str, name: str) -> dict[str, Any]:
    """A method's preset, and what the data set adds to it; nothing for a name that is none."""
    return {**params.presets.get(name, {}), **dataset.presets.get(f"{method}.{name}", {})}


def _each(values: dict[str, Any], holds: Any, expected: str) -> dict[str, Any]:
    for name, value in values.items():
        if not holds(value):
            raise ValueError(f"{name}: expected a value {expected}, found {value!r}")
    return values


def _plain(value: Any) -> Any:
    """Mappings, sections, paths and tuples as plain data."""
    if isinstance(value, BaseModel):
        return _plain(value.model_dump())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _known(values: Any, fields: Iterable[str], section: str) -> None:
    if not isinstance(values, Mapping):
        raise UserError(f"{section}: expected a mapping of keys to values, found {values!r}")
    for key in values:
        if key not in fields:
            dotted = f"{section}.{key}" if section else key
            options = [f"{section}.{name}" if section else name for name in fields]
            raise UserError(f"unknown key '{dotted}'{nearest(dotted, options)}")


def _named(values: dict[str, Any], section: str, default: str | None) -> dict[str, Any]:
    """The `data` or `method` section, which may be given as a bare name."""
    found = values.get(section, default)
    if isinstance(found, str):
        return {"name": found}
    if not isinstance(found, dict) or not isinstance(found.get("name", default), str):
        raise UserError(f"{section}.name: expected a name, found {found!r}")
    return {"name": found.get("name", default), **found}


def _nest(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)


def _merge(
    base: dict[str, Any], update: Mapping[str, Any], modalities: Mapping[str, str], params: type[MethodParams]
) -> None:
    """Lay `update` over `base`, spelling per-modality values out for every modality."""
    per_modality = [*PER_MODALITY, *(f"method.{name}" for name in params.per_modality)]
    for section, values in update.items():
        if not isinstance(values, Mapping) or not isinstance(base.get(section, {}), dict):
            base[section] = values
            continue
        target = base.setdefault(section, {})
        for key, value in values.items():
            dotted = f"{section}.{key}"
            if dotted == "data.options" and isinstance(value, Mapping):
                target[key] = {**target.get(key, {}), **value}
            elif dotted not in per_modality:
                target[key] = value
            elif not isinstance(value, Mapping):
                target[key] = dict.fromkeys(modalities, value)
            else:
                allowed = [*modalities, SHARED] if dotted == "optim.lr" else list(modalities)
                for name in value:
                    if name not in allowed:
                        raise UserError(
                            f"unknown modality '{dotted}.{name}', expected one of {', '.join(allowed)}"
                            f"{nearest(name, allowed)}"
                        )
                before = target.get(key, {})
                merged = (before if isinstance(before, dict) else dict.fromkeys(modalities, before)) | dict(value)
                target[key] = {name: merged[name] for name in allowed if name in merged}
    for dotted in per_modality:  # a bare default, such as optim.lr: 0.01, is spelt out too
        section, key = dotted.split(".")
        found = base.get(section)
        value = found.get(key) if isinstance(found, dict) else None
        if value is not None and not isinstance(value, dict):
            base[section][key] = dict.fromkeys(modalities, value)


def _leaves(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else key)
    else:
        yield path, value


def one_line(error: ValidationError, values: Any, section: str = "") -> str:
    """The first of pydantic's findings as one line that names the dotted key."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part not in ("function-after",)]
    dotted = ".".join([section, *where] if section else where)
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    found = first.get("input")
    if first["type"] == "missing":
        return f"{dotted}: missing, expected a value"
    if first["type"] == "extra_forbidden":
        return f"unknown key '{dotted}'"
    if first["type"] == "value_error":
        return f"{dotted}.{message}" if re.match(r"^\w+: expected", message) else f"{dotted}: {message}"
    return f"{dotted}: found {found!r}, expected {message}"
