"""`igmsweep data`: every kind of bad file in the middle of a data set is named, and no trial crashes on one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from av_trees import POINTER, cremad_prepared, jpegs, kinetics_400, tone, wav

from igmsweep.data.check import check
from igmsweep.data.cremad import CREMAD
from igmsweep.data.table_memory import read_table
from igmsweep.data.twitter2015 import TWITTER2015

TINY = [
    *("stages.cycles=1", "stages.epochs=1", "model.encoder=resnet_mini", "model.width=4", "device=cpu"),
    *("data.options.size=40", "data.options.crop=32"),
]


def igmsweep(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "igmsweep", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env=os.environ | env,
    )


def sets(pairs: list[str]) -> list[str]:
    return [part for pair in pairs for part in ("--set", pair)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cremad_prepared(tmp_path_factory.mktemp("whole") / "CREMA-D")


@pytest.fixture
def broken(whole: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """One file of every kind, in train's middle, and which sample has which."""
    root = Path(shutil.copytree(whole, tmp_path / "broken"))
    ids = [sample.id for sample in CREMAD.index(root, "train")]
    kinds = dict(
        zip(
            ids[10:20],
            [
                "missing",
                "pointer",
                "empty",
                "unreadable",
                "truncated",
                "silent",
                "long",
                "duplicate",
                "truncated",
                "empty",
            ],
            strict=True,
        )
    )
    sounds, pictures = root / "AudioWAV", root / "Image-01-FPS"
    (sounds / f"{ids[10]}.wav").unlink()
    (sounds / f"{ids[11]}.wav").write_text(POINTER)
    (sounds / f"{ids[12]}.wav").write_bytes(b"")
    (sounds / f"{ids[13]}.wav").write_bytes(b"<html>404</html>")
    cut = sounds / f"{ids[14]}.wav"
    cut.write_bytes(cut.read_bytes()[:9000])
    wav(sounds / f"{ids[15]}.wav", np.zeros(32000, np.float32))
    wav(sounds / f"{ids[16]}.wav", tone(0, 61.0))
    shutil.copyfile(sounds / f"{ids[30]}.wav", sounds / f"{ids[17]}.wav")
    for picture in (pictures / ids[18]).iterdir():
        picture.write_bytes(picture.read_bytes()[:-200])
    for picture in (pictures / ids[19]).iterdir():
        picture.unlink()
    return root, kinds


@pytest.mark.parametrize("decode", [False, True])
def test_every_kind_of_bad_file_is_named(broken: tuple[Path, dict[str, str]], decode: bool) -> None:
    root, kinds = broken
    report = check(CREMAD, root, decode)
    found = {remark.sample: remark.kind for part in report.parts.values() for remark in part.remarks}
    found |= {remark.sample: "duplicate" for group in report.duplicates for remark in group if remark.sample in kinds}
    assert found == kinds
    assert report.unusable == 7
    assert not report.sound
    text = "\n".join(report.lines())
    for sample in kinds:
        assert sample in text
    assert "git lfs pull" in text
    assert "36 of 6698 published" in text


def test_a_sound_data_set_passes_and_says_what_its_test_measures(whole: Path) -> None:
    report = check(CREMAD, whole)
    assert report.sound
    assert any("3 of the 3 groups (speaker) in test are in train too" in note for note in report.notes)


@pytest.mark.parametrize(
    ("policy", "advice"),
    [
        ("error", "7 samples cannot be used; with data.bad_files=error training is refused: mend the files, or set"),
        (
            "skip",
            "7 samples cannot be used; with data.bad_files=skip such samples are left out, up to data.bad_share of a part: mend the files, or set data.bad_files=blank for grey pictures and silence",
        ),
        (
            "blank",
            "with data.bad_files=blank grey pictures and silence stand in the files' place, up to data.bad_share of a part: mend them, or set data.bad_files=skip",
        ),
    ],
)
def test_advice_fits_the_policy_in_force(broken: tuple[Path, dict[str, str]], policy: str, advice: str) -> None:
    text = "\n".join(check(CREMAD, broken[0], bad_files=policy, silent_files="skip").lines())
    assert advice in text
    assert "silent sounds are left out (data.silent_files=skip)" in text


def test_where_validation_comes_from_is_said_and_called_official_only_where_it_is(whole: Path, tmp_path: Path) -> None:
    assert "  validation: no list, carved from train" in check(CREMAD, whole).lines()
    speakers = CREMAD.with_options({"split": "speaker"})
    assert "validation: a tenth of the speakers, by name" in check(speakers, whole).notes
    root = tmp_path / "twitter"
    root.mkdir()
    for part, count in (("train", 2), ("dev", 1122), ("test", 1)):
        rows = [f"{row}\t1\t{part}{row}.jpg\ta $T$\tb" for row in range(count)]
        (root / f"{part}.tsv").write_text(
            "\n".join(["index\t#1 Label\t#2 ImageID\t#3 String\t#3 String", *rows]) + "\n"
        )
    assert TWITTER2015.validation(root) == "official"
    (root / "dev.tsv").write_text((root / "train.tsv").read_text())
    assert TWITTER2015.validation(root) == "the copy's own list"
    (root / "dev.tsv").unlink()
    report = check(TWITTER2015, root)  # needs no tokenizer
    assert (report.parts["val"].lack or "").startswith("has no validation list of Twitter2015: looked for dev.tsv")
    assert report.blank == "grey pictures"
    assert not report.sound


def test_one_picture_in_the_place_of_many_is_one_short_line(tmp_path: Path) -> None:
    """As hosts give it for pictures that are gone."""
    jpegs(tmp_path, 0, ["gone.jpg"])
    for number in range(20):
        shutil.copyfile(tmp_path / "gone.jpg", tmp_path / f"{number}.jpg")
    rows = [f"{'ab'[number % 2]},{number}.jpg" for number in range(20)]
    (tmp_path / "set.csv").write_text("\n".join(["label,picture", *rows]) + "\n")
    report = check(read_table(tmp_path / "set.csv"), tmp_path)
    (line,) = [line for line in report.lines() if line.startswith("duplicate")]
    assert (line.count(".jpg"), line.endswith(" and 17 more")) == (3, True)
    (line,) = [line for line in report.lines(every=True) if line.startswith("duplicate")]
    assert line.count(".jpg") == 20


@pytest.mark.slow
def test_libraries_remarks_are_not_shown(tmp_path: Path) -> None:
    """A picture with broken EXIF data and a file that is no MP3: what decoders print of them, Python's and C's."""
    jpegs(tmp_path, 0, ["plain.jpg"])
    content = (tmp_path / "plain.jpg").read_bytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x0f\x01\x02\0\xff\xff\0\0\xff\xff\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "odd.jpg").write_bytes(content[:2] + segment + content[2:])
    (tmp_path / "odd.mp3").write_bytes(np.random.default_rng(0).bytes(5000))
    (tmp_path / "set.csv").write_text("label,picture,sound\na,odd.jpg,odd.mp3\nb,plain.jpg,odd.mp3\n")
    found = igmsweep("data", "check", "set.csv", "--decode", cwd=tmp_path)
    assert found.returncode == 1
    assert found.stderr == ""
    assert "odd.mp3: not readable as sound" in found.stdout


@pytest.mark.slow
def test_a_sweep_over_bad_files_refuses_or_runs_as_told(broken: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    root, _ = broken
    common = ["tune", "cremad", "--root", str(root), "--local", "-n", "2", *sets(TINY)]
    refused = igmsweep(*common, "--name", "refused", cwd=tmp_path)
    assert refused.returncode == 1
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("igmsweep: cremad: train: ")]
    assert "data.bad_files=skip" in line and "data.bad_share=" in line
    assert "Traceback" not in refused.stderr
    done = igmsweep(*common, "--name", "told", *sets(["data.bad_files=skip", "data.bad_share=0.23"]), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sweep = yaml.safe_load((tmp_path / "results" / "told" / "sweep.yaml").read_text())
    assert sweep["base_config"]["data"]["bad_files"] == "skip"
    assert len(sweep["data"]["skipped"]) == 7
    told = [
        line for line in done.stderr.splitlines() if line.startswith("igmsweep: train: of 36 samples, 7 are left out (")
    ]
    assert len(told) == 1 and "1 has silence or grey in a file's place (1 silent)" in told[0]
    assert sweep["data"]["train"] + sweep["data"]["val"] == 29
    assert [entry.split(": ")[1] for entry in sweep["data"]["replaced"]] == ["silent"]


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["cremad prepared", "kinetics_sounds 400"])
def test_the_whole_way_from_a_generated_tree(layout: str, tmp_path: Path) -> None:
    """check, prepare, tune, analyze: what a user types with a new data set."""
    name = layout.split()[0]
    counts = {"train": 12, "val": 6, "test": 6}
    root = {
        "cremad prepared": lambda path: cremad_prepared(path, actors=2),
        "kinetics_sounds 400": lambda path: kinetics_400(path, counts),
    }[layout](tmp_path / "data")
    env = {"IGMSWEEP_CACHE": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    options = ["data.options.size=40", "data.options.crop=32"]
    if name == "kinetics_sounds":
        options += ["data.options.frames=1", "data.options.frontend=stft22k"]
    checked = igmsweep("data", "check", name, "--root", str(root), "--json", **env)
    assert checked.returncode == 1, checked.stderr  # it is no whole copy
    assert json.loads(checked.stdout)["sound"] is True
    prepared = igmsweep("data", "prepare", name, *sets(options), **env)  # the root is remembered
    assert prepared.returncode == 0, prepared.stderr
    tuned = igmsweep(
        *("tune", name, "--local", "-n", "4", "--name", "s", *sets([*TINY[:5], *options])), cwd=tmp_path, **env
    )
    assert tuned.returncode == 0, tuned.stderr
    assert "decoding" not in tuned.stderr
    assert "4 complete" in tuned.stderr
    analysed = igmsweep("analyze", "results/s", cwd=tmp_path, **env)
    assert analysed.returncode == 0, analysed.stderr
    assert (tmp_path / "results" / "s" / "analysis" / "report.html").exists()
    assert not list((tmp_path / "cache").glob("*-test-*"))


@pytest.mark.slow
def test_the_cache_is_listed_and_removed(whole: Path, tmp_path: Path) -> None:
    env = {"IGMSWEEP_CACHE": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    small = sets(["data.options.size=16", "data.options.crop=16"])
    assert igmsweep("data", "prepare", "cremad", "--root", str(whole), "--test", *small, **env).returncode == 0
    listed = igmsweep("data", "cache", "list", "--json", **env)
    assert {(entry["part"], entry["samples"]) for entry in json.loads(listed.stdout)} == {("train", 36), ("test", 18)}
    wrong = igmsweep("data", "cache", "remove", "cremat", **env)
    assert wrong.returncode == 2
    assert "did you mean 'cremad'" in wrong.stderr
    assert igmsweep("data", "cache", "remove", "cremad", **env).returncode == 0
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
