"""How many samples may be bad: counted by part and kind, refused in one line that says what to write, before any is decoded."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import slow_set
from hypothesis import given
from hypothesis import strategies as st

from igmsweep import data
from igmsweep.config import TrainConfig
from igmsweep.data import cache, policies
from igmsweep.data.base import Part, Remark, Sample
from igmsweep.errors import DataError
from igmsweep.schema.sections import DataConfig


def remarks(kind: str, count: int) -> list[Remark]:
    return [Remark(kind, f"{kind}{number}", "image", f"/d/{kind}{number}.jpg: {kind}") for number in range(count)]


@given(
    count=st.integers(1, 500),
    share=st.floats(0, 1),
    policy=st.sampled_from(["skip", "blank"]),
    draw=st.data(),
)
def test_more_than_the_share_is_refused_and_what_is_proposed_is_enough(
    count: int, share: float, policy: str, draw: st.DataObject
) -> None:
    bad = draw.draw(st.integers(0, count))
    silent = draw.draw(st.integers(0, bad))
    parts: dict[Part, tuple[int, list[Remark]]] = {
        "train": (count, remarks("missing", bad - silent) + remarks("silent", silent)),
        "val": (7, []),
    }
    config = DataConfig(name="sarcasm", bad_files=policy, bad_share=share)
    if bad / count <= share:
        policies.refuse(parts, config)
        return
    with pytest.raises(DataError) as refused:
        policies.refuse(parts, config)
    if bad == count:  # another folder is what helps
        assert str(refused.value).endswith("or name the folder that has them (--root DIR, data.root)")
        return
    (proposed,) = re.findall(r"--set data\.bad_share=([\d.]+)$", str(refused.value))
    assert float(proposed) <= bad / count + 0.01
    policies.refuse(parts, config.model_copy(update={"bad_share": float(proposed)}))


def test_the_refusal_is_one_line_of_counts_reasons_an_example_and_what_to_write() -> None:
    parts: dict[Part, tuple[int, list[Remark]]] = {
        "train": (19816, remarks("missing", 14798) + remarks("truncated", 2)),
        "val": (2410, remarks("missing", 1849)),
    }
    with pytest.raises(DataError) as refused:
        policies.refuse(parts, DataConfig(name="sarcasm", bad_files="blank"))
    assert str(refused.value) == (
        "sarcasm: train: 14,800 of 19,816 samples have a bad file (14,798 missing, 2 truncated); val: 1,849 of 2,410 samples have a "
        "bad file (1,849 missing), more than data.bad_share = 0.01 allows; the first: /d/missing0.jpg: missing (sample missing0); "
        "mend them (`igmsweep data check` lists them), or write --set data.bad_share=0.77"
    )
    with pytest.raises(DataError, match=r"write --set data\.bad_files=skip .* and --set data\.bad_share=0\.77$"):
        policies.refuse(parts, DataConfig(name="sarcasm"))


def test_under_error_one_bad_file_is_too_many_but_a_silent_one_is_not() -> None:
    config = DataConfig(name="cremad")
    policies.refuse({"train": (6698, remarks("silent", 1))}, config)
    with pytest.raises(DataError) as refused:
        policies.refuse({"train": (6698, remarks("truncated", 1))}, config)
    assert "data.bad_files=skip" in str(refused.value)
    assert "bad_share" not in str(refused.value)  # it would not be needed


def test_a_list_folder_without_media_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    root = tmp_path / "lists"
    (root / "annotations").mkdir(parents=True)
    rows = [f"{actor}_IEO_{emotion}_XX,{emotion}\n" for actor in range(1001, 1007) for emotion in ("NEU", "HAP", "SAD")]
    (root / "annotations" / "train.csv").write_text("".join(rows))
    for policy in ("error", "skip", "blank"):
        config = DataConfig(name="cremad", root=root, cache=tmp_path / "cache", bad_files=policy)
        with pytest.raises(DataError, match=r"18 of 18 .*\(18 missing\).*no such file, as there is no AudioWAV/ here"):
            data.load_search(config)
    assert not (tmp_path / "cache").exists()


def test_what_a_data_set_reads_need_be_no_path_on_disk(tmp_path: Path) -> None:
    root = slow_set.write(tmp_path / "data", 20)

    class Archive(type(slow_set.SLOW)):  # type: ignore[misc]
        def read(self, sample: Sample) -> dict[str, np.ndarray]:
            return {name: np.zeros(3, np.float32) for name in self.modalities}

    samples = [Sample(f"s{n}", 0, dict.fromkeys(slow_set.SLOW.modalities, root / f"all.zip#{n}")) for n in range(3)]
    policies.refuse_missing(Archive(), {"train": samples}, root, DataConfig(name="slow"))


def test_samples_are_counted_by_part_and_kind(small_avdigits: Path, tmp_path: Path) -> None:
    from igmsweep.data.avdigits import AVDIGITS

    for part, count in (("train", 2), ("val", 1)):
        for sample in AVDIGITS.index(small_avdigits, part)[:count]:
            sample.files["audio"].write_bytes(b"")
    at = {"name": "avdigits", "root": small_avdigits, "cache": tmp_path / "cache"}
    found = data.load_search(DataConfig(**at, bad_files="skip", bad_share=0.05))
    assert [(each.part, each.samples, each.left_out, each.filled) for each in found.bad] == [
        ("train", 60, {"empty": 2}, {}),
        ("val", 30, {"empty": 1}, {}),
    ]
    assert found.warnings == [
        "train: of 60 samples, 2 are left out (2 empty)",
        "val: of 30 samples, 1 is left out (1 empty)",
    ]
    with pytest.raises(DataError, match=r"train: 2 of 60 .*; val: 1 of 30 .*--set data\.bad_share=0\.04$"):
        data.load_search(DataConfig(**at, bad_files="skip", bad_share=0.03))
    whole = cache.decoded(AVDIGITS, small_avdigits, "train", tmp_path / "cache")
    assert len(whole) == 60  # the policy is the reader's, and not in the cache's key


def test_the_share_is_recorded_and_makes_no_training_another() -> None:
    config = TrainConfig(data="avdigits")
    allowed = config.override({"data.bad_share": 0.3})
    assert allowed.to_dict()["data"]["bad_share"] == 0.3
    assert allowed.hash() == config.hash()
