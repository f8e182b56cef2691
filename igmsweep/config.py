"""TrainConfig: everything that one training needs, validated, in and out of YAML.

A value comes from the first of: what the user wrote, the method's preset, the data set's defaults (its paper's), the
field's default. After construction nothing is implicit: per-modality values are spelt out for every modality, so that
the configuration a trial saves is the configuration it ran.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from igmsweep import data as datasets
from igmsweep import methods
from igmsweep.data import places
from igmsweep.data.base import DataSet
from igmsweep.errors import UserError, nearest
from igmsweep.gate.paths import full
from igmsweep.gate.yaml_text import read_yaml
from igmsweep.legible import quoted
from igmsweep.plugin import Trust
from igmsweep.schema.messages import one_line
from igmsweep.schema.paths import RENAMED, bound, current, known, leaves, merge, nest, plain
from igmsweep.schema.sections import (
    PER_MODALITY,
    SHARED,
    DataConfig,
    MethodParams,
    ModelConfig,
    OptimConfig,
    Section,
    StagesConfig,
)


class TrainConfig(Section):
    """Everything one training needs.

    Examples:
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
        if not isinstance(values, Mapping):
            raise UserError(f"a configuration must be a mapping of keys to values, found {type(values).__name__}")
        given = current(plain(values))
        known(given, cls.model_fields, "")
        data = _named(given, "data", None)
        method = _named(given, "method", "igm")
        options = data.get("options") or {}
        if not isinstance(options, Mapping):
            raise UserError(f"data.options: expected a mapping of keys to values, found {quoted(options)}")
        dataset = datasets.get(data["name"], data.get("root"))
        method_class = methods.get(method["name"])
        params = method_class.Params
        set_by_preset = _preset(params, dataset, method["name"], _preset_of(method, params))
        dataset = dataset.with_options({**_options(set_by_preset), **options})
        modalities = {name: modality.kind for name, modality in dataset.modalities.items()}
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
        merge(filled, dataset.defaults(method["name"]), modalities, params)
        for path, value in set_by_preset.items():
            merge(filled, nest(path, value), modalities, params)
        merge(filled, given | {"data": data, "method": method}, modalities, params)
        for section, fields in (("model", ModelConfig), ("optim", OptimConfig), ("stages", StagesConfig)):
            known(filled[section], fields.model_fields, section)
        known(filled["data"], DataConfig.model_fields, "data")
        filled["data"]["options"] = dataset.options.model_dump(mode="json")
        filled["data"]["group"] = _group_of(filled["data"], dataset)
        known(filled["method"], params.model_fields, "method")
        try:
            filled["method"] = params(**filled["method"])
        except ValidationError as error:
            raise UserError(one_line(error, filled["method"], "method")) from None
        least = 1 if method_class.about is None else method_class.about.modalities
        if len(modalities) < least:
            raise UserError(
                f"method.name: {method['name']} needs {least} modalities or more, {data['name']} has {len(modalities)}"
            )
        filled["method"].check(list(modalities))
        return filled

    @classmethod
    def of_folder(cls, values: Mapping[str, Any], source: Path | str, trust: Trust) -> TrainConfig:
        """A configuration that a file holds which may be anybody's: a sweep's, a trial's, one that was sent.

        Args:
            values: nested, as the file has them.
            source: the file, for messages.
            trust: which Python files it may have run.

        Raises:
            UserError: as `places.check_places`, or it names a Python file that is not trusted.
        """
        trust.check(values, source)
        data = values.get("data")
        places.check_places(data if isinstance(data, Mapping) else {}, source, trust)
        return cls(**values)

    @classmethod
    def new(cls, data: str, method: str | Mapping[str, Any], values: Mapping[str, Any]) -> TrainConfig:
        """A configuration with some dotted paths given from the start.

        What a data set derives from its folder and options (encoders, sizes, epochs) follows the ones given here;
        `override` changes the paths it is given and no others.

        Raises:
            UserError: as `override`.
        """
        return cls(data=named_data(data, values), method=method).override(values)

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
        """12 hexadecimal digits of the canonical JSON form without what is `UNBOUND`, so equal trainings share it."""
        everything = bound(self.to_dict())
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:12]

    def paths(self) -> dict[str, Any]:
        """Every dotted leaf path and its value, such as `method.rho.audio: 1e-10`."""
        return dict(leaves(self.to_dict(), ""))

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
        values = {RENAMED.get(path, path): value for path, value in values.items()}
        present = self.paths()
        per_modality = [*PER_MODALITY, *(f"method.{name}" for name in type(self.method).per_modality)]
        everything = self.to_dict()
        for path in values:
            if path not in present and path not in per_modality and path != f"optim.lr.{SHARED}":
                raise UserError(f"unknown key '{path}'{nearest(path, [*present, *per_modality])}")
            if path in ("data.name", "method.name") and values[path] != present[path]:
                raise UserError(
                    f"{path}: cannot be overridden (found {quoted(values[path])}); choose it when the run starts"
                )
        layers: list[Mapping[str, Any]] = [values]
        preset = values.get("method.preset")
        if preset is not None and preset != self.method.preset:
            layers.insert(0, _preset(type(self.method), datasets.get(self.data.name), self.method.name, preset))
            layers.insert(0, self._without_preset(preset))
        modalities = dict.fromkeys(self.modalities, "")
        for layer in layers:
            for path, value in sorted(layer.items(), key=lambda item: item[0].count(".")):
                merge(everything, nest(path, plain(value)), modalities, type(self.method))
        return TrainConfig(**everything)

    def _without_preset(self, other: str) -> dict[str, Any]:
        """What has to change under another preset: every value that is still the present preset's own."""
        old, new = (
            TrainConfig(data=self.data.name, method={"name": self.method.name, "preset": name}).paths()
            for name in (self.method.preset, other)
        )
        present = self.paths()
        return {
            path: new[path]
            for path, value in old.items()
            if path in new and new[path] != value and present.get(path) == value and path != "method.preset"
        }


def with_absolute_paths(config: TrainConfig) -> TrainConfig:
    """The same configuration with every path on disk absolute, for processes that run in another folder.

    Names that are no path, such as `bert-base-uncased`, stay as they are.
    """
    changes: dict[str, Any] = {}
    for path, value in config.paths().items():
        if not isinstance(value, str):
            continue
        if path in ("data.root", "data.cache") or (
            path.startswith(("model.weights.", "data.options.")) and full(value, path).exists()
        ):
            changes[path] = str(full(value, path))
        elif path.startswith("model.encoder.") and ":" in value:
            kind, _, variant = value.partition(":")
            if full(variant, path).exists():
                changes[path] = f"{kind}:{full(variant, path)}"
    return config.override(changes) if changes else config


def reading(config: TrainConfig) -> str | None:
    """How the data are read, by which encoders, and for how long, in one line; None where the data set derives nothing
    from the data."""
    how = datasets.of(config.data).reading()
    if not how:
        return None
    parts = [f"{name} {words} ({config.model.encoder[name].partition(':')[0]})" for name, words in how.items()]
    stages, optim = config.stages, config.optim
    epochs, rates = ("/".join(dict.fromkeys(f"{x:g}" for x in each.values())) for each in (stages.epochs, optim.lr))
    times = f"{stages.cycles} x {epochs} epochs of each by {optim.name} at {rates}"
    return f"{config.data.name}: {'; '.join(parts)}; {times}. From the data; --set data.options.KEY=VALUE changes it"


def named_data(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The data section that a data set's name and some dotted paths stand for: where it lies, and its own options."""
    return {"name": name, "root": values.get("data.root"), "options": _options(values)}


def presets(method: str, data: str | Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    """The presets of a method as dotted paths.

    With `data`, a name or `named_data`, each is complete: every path of the configuration that the preset gives on that
    data set. Without it, only what the preset itself sets.
    """
    params = methods.get(method).Params
    if data is None:
        return {name: dict(values) for name, values in params.presets.items()}
    return {name: TrainConfig(data=data, method={"name": method, "preset": name}).paths() for name in params.presets}


def preset(method: str, name: str, data: str) -> dict[str, Any]:
    """What a preset of a method sets on a data set, as dotted paths; nothing for a name that is none."""
    return _preset(methods.get(method).Params, datasets.get(data), method, name)


def _preset(params: type[MethodParams], dataset: DataSet, method: str, name: str) -> dict[str, Any]:
    """A method's preset, and what the data set adds to it; nothing for a name that is none."""
    if not isinstance(name, str):  # whoever resolves the configuration says what is wrong
        return {}
    return {**params.presets.get(name, {}), **dataset.presets.get(f"{method}.{name}", {})}


def _named(values: dict[str, Any], section: str, default: str | None) -> dict[str, Any]:
    """The `data` or `method` section, which may be given as a bare name."""
    found = values.get(section, default)
    if isinstance(found, str):
        return {"name": found}
    if not isinstance(found, dict) or not isinstance(found.get("name", default), str):
        raise UserError(f"{section}.name: expected a name, found {quoted(found)}")
    return {"name": found.get("name", default), **found}


def _preset_of(method: Mapping[str, Any], params: type[MethodParams]) -> str:
    """The name of the preset that a `method` section asks for."""
    found = method.get("preset", "paper")
    if not isinstance(found, str) or found not in params.presets:
        raise UserError(
            f"method.preset: found {quoted(found)}, expected one of {', '.join(params.presets)}"
            f"{nearest(str(found), params.presets)}"
        )
    return found


def _group_of(data: Mapping[str, Any], dataset: DataSet) -> str:
    """What a `data` section keeps on one side of a split, in the data set's own word; `group` is understood by all of them."""
    found = data.get("group", "none")
    if found not in ("none", "group", dataset.grouping):
        raise UserError(
            f"data.group: found {quoted(found)}, expected none or {dataset.grouping}"
            f"{nearest(str(found), ['none', dataset.grouping])}"
        )
    return dataset.grouping if found == "group" else str(found)


def _options(values: Mapping[str, Any]) -> dict[str, Any]:
    """What dotted paths say of the data set's own options."""
    section = "data.options."
    return {path.removeprefix(section): value for path, value in values.items() if path.startswith(section)}
