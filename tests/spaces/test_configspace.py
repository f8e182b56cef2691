"""`configspace.json`: what it holds, and that ConfigSpace, where it is installed, takes exactly what the space takes."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from igmsweep.spaces.configspace import LEAST, configspace
from igmsweep.spaces.expand import TunedData
from igmsweep.spaces.shipped import space_names
from igmsweep.spaces.space import SearchSpace, canonical

SCOPE = {"type": "categorical", "choices": ["none", "head", 0.3]}
TAU = {"type": "float", "low": 1e-3, "high": 100.0, "log": True}
SAM = {"type": "categorical", "choices": [True, False]}
RATE = {"type": "float", "low": 0.0, "high": 0.3, "step": 0.1}
WIDTH = {"type": "int", "low": 2, "high": 9}

SPACES: dict[str, dict[str, Any]] = {
    "plain": {"params": {"tau": TAU, "width": WIDTH, "rate": RATE, "scope": SCOPE}},
    "equal": {"params": {"sam": SAM, "tau": TAU | {"when": {"sam": True}}}},
    "not": {"params": {"scope": SCOPE, "tau": TAU | {"when": {"scope": {"not": "none"}}}}},
    "not, of numbers": {"params": {"width": WIDTH, "tau": TAU | {"when": {"width": {"not": [3, 4]}}}}},
    "in, of numbers": {"params": {"width": WIDTH, "tau": TAU | {"when": {"width": {"in": [3, 4]}}}}},
    "between": {"params": {"width": WIDTH, "tau": TAU | {"when": {"width": {"gt": 3.5, "lt": 6}}}}},
    "above a step": {"params": {"rate": RATE, "tau": TAU | {"when": {"rate": {"gt": 0.1}}}}},
    "both": {"params": {"sam": SAM, "scope": SCOPE, "tau": TAU | {"when": {"sam": True, "scope": {"in": ["head", 0.3]}}}}},
    "always, where it acts": {
        "params": {"sam": SAM, "width": WIDTH | {"when": {"sam": True}}, "tau": TAU | {"when": {"width": {"gt": 1}}}}
    },
    "always": {"params": {"width": WIDTH, "tau": TAU | {"when": {"width": {"lt": 50}}}}},
    "never": {
        "params": {"width": WIDTH, "tau": TAU | {"when": {"width": {"gt": 9}}}, "rate": RATE | {"when": {"tau": {"lt": 1}}}},
        "forbid": [{"tau": {"gt": 1}}],
    },
    "forbidden choice": {"params": {"sam": SAM, "scope": SCOPE}, "forbid": [{"sam": True, "scope": {"not": "none"}}]},
    "forbidden range": {"params": {"tau": TAU, "rate": RATE}, "forbid": [{"tau": {"gt": 1.0}, "rate": {"lt": 0.2}}]},
    "forbidden but one": {"params": {"width": WIDTH, "sam": SAM}, "forbid": [{"width": {"not": 5}, "sam": True}]},
    "forbidden wherever it acts": {
        "params": {"sam": SAM, "tau": TAU | {"when": {"sam": True}}, "scope": SCOPE},
        "forbid": [{"tau": {"gt": 0}, "scope": "none"}],
    },
    "forbidden corner": {"params": {"width": WIDTH, "tau": TAU}, "forbid": [{"width": {"lt": 4}, "tau": {"lt": 0.1}}]},
}  # fmt: skip


def space_of(name: str) -> SearchSpace:
    if name in SPACES:
        return SearchSpace.from_dict(SPACES[name])
    return SearchSpace.load(name, TunedData.named("avdigits"))


def test_what_a_space_becomes():
    space = SearchSpace.from_dict(
        {
            "params": {"scope": SCOPE, "tau": TAU | {"when": {"scope": {"not": "none"}}}, "rate": RATE},
            "forbid": [{"scope": "head", "tau": {"gt": 1.0}}],
        },
        "mine.yaml",
    )
    assert configspace(space, [{"scope": "head", "tau": 0.4, "rate": 0.2}]) == {
        "name": "mine.yaml",
        "hyperparameters": [
            {
                "name": "scope",
                "meta": None,
                "type": "categorical",
                "choices": ["none", "head", 0.3],
                "weights": None,
                "default_value": "head",
            },
            {
                "name": "tau",
                "meta": None,
                "type": "uniform_float",
                "lower": 1e-3,
                "upper": 100.0,
                "default_value": 0.4,
                "log": True,
            },
            {"name": "rate", "meta": None, "type": "ordinal", "sequence": [0.0, 0.1, 0.2, 0.3], "default_value": 0.2},
        ],
        "conditions": [{"type": "IN", "child": "tau", "parent": "scope", "values": ["head", 0.3]}],
        "forbiddens": [
            {
                "type": "AND",
                "clauses": [
                    {"type": "EQUALS", "name": "scope", "value": "head"},
                    {"type": "CLAUSE_GT", "name": "tau", "value": 1.0},
                ],
            }
        ],
        "format_version": 0.4,
    }


@pytest.mark.parametrize("name", [*SPACES, *space_names()])
def test_configspace_takes_what_the_space_takes_and_no_more(name: str, tmp_path):
    package = pytest.importorskip("ConfigSpace")
    space = space_of(name)
    path = tmp_path / "configspace.json"
    path.write_text(json.dumps(configspace(space)))
    read = package.ConfigurationSpace.from_json(path)
    read.seed(0)
    for values in map(dict, read.sample_configuration(50)):
        values = {key: value.item() if hasattr(value, "item") else value for key, value in values.items()}
        assert canonical(space.admit(values, name)) == canonical(values)
        assert not space.forbidden(values)

    small = {param.path for param in space.params if param.log and param.low < LEAST}
    draws, taken = random.Random(0), 0
    for _ in range(100):
        drawn = space.at([draws.random() for _ in space.params])
        values = {path: max(value, LEAST) if path in small else value for path, value in drawn.items()}
        if space.forbidden(values):
            with pytest.raises(package.exceptions.ForbiddenValueError):
                package.Configuration(read, values=values)
        else:
            package.Configuration(read, values=values).check_valid_configuration()
            taken += 1
    assert taken
