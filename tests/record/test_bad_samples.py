"""What a folder says of its samples, whoever wrote it."""

from __future__ import annotations

import pytest

from igmsweep.record.bad_samples import BadSamples, read_bad, told_of_data


def test_what_is_written_is_read_back() -> None:
    bad = BadSamples("val", 2410, {"short": 3}, {"missing": 1849})
    assert read_bad(bad.as_dict()) == bad
    assert (
        bad.words()
        == "val: of 2,410 samples, 3 are left out (3 short) and 1,849 have silence or grey in a file's place (1,849 missing)"
    )
    assert bad.share == 1852 / 2410
    assert BadSamples("val", 0, {}, {}).share == 0


@pytest.mark.parametrize("value", [None, "x", [], {}, {"part": "train", "samples": "x", "left_out": {}, "filled": {}}])
def test_what_is_damaged_says_nothing(value: object) -> None:
    assert read_bad(value) is None
    assert told_of_data({"bad": [value], "departures": "x"}) == []
    assert told_of_data(value) == []


def test_a_list_of_an_earlier_version_is_summed() -> None:
    data = {"train": 29, "val": 5, "skipped": ["a:b: missing", "c: missing"], "replaced": ["d: silent"]}
    assert told_of_data(data) == [
        "train and val: of 36 samples, 2 are left out (2 missing) and 1 has silence or grey in a file's place (1 silent)"
    ]
