"""Where a data set is found: --root, IGMSWEEP_DATA, what was remembered; and data sets of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from igmsweep import data
from igmsweep.data import places
from igmsweep.errors import UserError
from igmsweep.schema.sections import DataConfig

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "my_data.py"


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("IGMSWEEP_DATA", str(tmp_path / "data"))


def test_a_named_root_wins_then_the_environment_then_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.remember("cremad", tmp_path / "remembered")
    assert not places.remember("cremad", tmp_path / "remembered")  # no news
    assert data.root_of(DataConfig(name="cremad")) == tmp_path / "remembered"
    (tmp_path / "data" / "CREMA-D").mkdir(parents=True)
    assert data.root_of(DataConfig(name="cremad")) == tmp_path / "data" / "CREMA-D"
    (tmp_path / "data" / "cremad").mkdir()
    assert data.root_of(DataConfig(name="cremad")) == tmp_path / "data" / "cremad"
    assert data.root_of(DataConfig(name="cremad", root=tmp_path / "named")) == tmp_path / "named"
    monkeypatch.delenv("IGMSWEEP_DATA")
    assert data.root_of(DataConfig(name="cremad")) == tmp_path / "remembered"


def test_a_damaged_memory_is_one_line(tmp_path: Path) -> None:
    places.remember("cremad", tmp_path)
    (tmp_path / "config" / "igmsweep" / "roots.json").write_text("{")
    with pytest.raises(UserError, match=r"roots\.json"):
        places.remembered()


def test_a_file_with_one_data_set_needs_no_name() -> None:
    assert data.get(str(EXAMPLE)).name == "two_views"


def test_a_package_s_entry_point_is_a_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = EntryPoint("speech_faces", "igmsweep.data.avdigits:AVDIGITS", data.ENTRY_POINTS)
    wrong = EntryPoint("wrong", "json:dumps", data.ENTRY_POINTS)
    monkeypatch.setattr(data, "_offered", lambda: [offered, wrong])
    assert "speech_faces" in data.names()
    assert data.get("speech_faces").name == "avdigits"
    with pytest.raises(UserError, match="not a DataSet"):
        data.get("wrong")
    with pytest.raises(UserError, match="did you mean 'speech_faces'"):
        data.get("speech_face")
    data._loaded.pop("speech_faces")
