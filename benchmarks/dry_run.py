"""How long `igmsweep tune NAME --dry-run` takes and how much it leaves in an empty cache, on trees of the published sizes.

Sounds, pictures and videos have the real lengths and sizes, but for the small pictures of posts; a few of each are written and
linked under all other names, so that a tree is made in seconds. Any number of other data sets, such as CSV files, are measured as they are.
No pretrained weights are needed. `--code` names another checkout, to set two versions side by side.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "data")]

import av  # noqa: E402
import numpy as np  # noqa: E402
import soundfile  # noqa: E402
from av_trees import SENTENCES  # noqa: E402
from PIL import Image  # noqa: E402
from text_and_gesture_trees import sarcasm, twitter2015, vocabulary  # noqa: E402

from igmsweep.data import cremad, kinetics_sounds  # noqa: E402

POOL = 24
"""Different files of a kind."""


def linked(pool: list[Path], number: int, path: Path) -> None:
    """A file of the pool under another name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(pool[number % len(pool)], path)


def sounds(folder: Path, seconds: float) -> list[Path]:
    """WAV files at 16 kHz of noise over a tone."""
    folder.mkdir(parents=True)
    t = np.arange(round(seconds * 16000)) / 16000
    rng = np.random.default_rng(0)
    for number in range(POOL):
        wave = 0.3 * np.sin(2 * np.pi * (200 + 40 * number) * t) + rng.normal(0, 0.05, len(t))
        soundfile.write(folder / f"{number}.wav", wave, 16000, subtype="PCM_16")
    return sorted(folder.iterdir())


def pictures(folder: Path, size: tuple[int, int]) -> list[Path]:
    """JPEG files that look like photographs to a codec."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(POOL):
        coarse = Image.fromarray(rng.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8))
        coarse.resize(size).save(folder / f"{number}.jpg", quality=90)
    return sorted(folder.iterdir())


def videos(folder: Path, frames: int, size: tuple[int, int]) -> list[Path]:
    """H.264 in AVI: a picture that moves."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(POOL):
        coarse = Image.fromarray(rng.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8))
        picture = np.asarray(coarse.resize(size))
        with av.open(str(folder / f"{number}.avi"), "w") as container:
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for shift in range(frames):
                frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * shift, axis=1), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return sorted(folder.iterdir())


def make_cremad(root: Path) -> list[str]:
    """6,698 and 744 clips: a sound of 2.5 s and three frames of 480 x 360."""
    heard, seen = sounds(root / "pool" / "wav", 2.5), pictures(root / "pool" / "jpg", (480, 360))
    rows: dict[str, list[str]] = {"train": [], "test": []}
    for number in range(7442):
        label = cremad.CLASSES[number % 6]
        name = f"{1001 + number // 82}_{SENTENCES[number // 6 % 12]}_{label}_"
        name += ("XX", "LO", "HI")[number % 82 // 72]
        linked(heard, number, root / "AudioWAV" / f"{name}.wav")
        for frame in range(3):
            linked(seen, number + frame, root / "Image-01-FPS" / name / f"{30 * frame:05d}.jpg")
        rows["test" if number % 10 == 9 else "train"].append(f"{name},{label}\n")
    (root / "annotations").mkdir()
    for part, lines in rows.items():
        (root / "annotations" / f"{part}.csv").write_text("".join(lines))
    return []


def make_kinetics_sounds(root: Path) -> list[str]:
    """15,000, 1,900 and 1,900 clips: a sound of 10 s and ten frames of 340 x 256."""
    heard, seen = sounds(root / "pool" / "wav", 10), pictures(root / "pool" / "jpg", (340, 256))
    (root / "annotations").mkdir()
    number = 0
    for part, count in (("train", 15_000), ("valid", 1_900), ("test", 1_900)):
        lines = ["youtube_id,label\n"]
        for _ in range(count):
            name = f"{number:011d}"
            linked(heard, number, root / f"{part}_wav" / f"{name}.wav")
            for frame in range(10):
                place = root / f"{part}_img" / "Image-01-FPS" / name / f"frame_{frame:05d}.jpg"
                linked(seen, number + frame, place)
            lines.append(f"{name},{kinetics_sounds.CLASSES[number % 31]}\n")
            number += 1
        (root / "annotations" / f"{part}.csv").write_text("".join(lines))
    return []


def make_twitter2015(root: Path) -> list[str]:
    """3,179, 1,122 and 1,037 posts."""
    twitter2015(root, {"train": 3179, "dev": 1122, "test": 1037})
    return text_settings(root)


def make_sarcasm(root: Path) -> list[str]:
    """19,816, 2,410 and 2,409 posts."""
    sarcasm(root, {"train": 19_816, "valid2": 2_410, "test2": 2_409})
    return text_settings(root)


def text_settings(root: Path) -> list[str]:
    """A small vocabulary, and encoders that start at random."""
    return ["--set", f"data.options.tokenizer={vocabulary(root / 'vocabulary')}", "--set", "model.weights=none"]


def make_nvgesture(root: Path) -> list[str]:
    """1,050 and 482 clips: two videos of 90 frames of 320 x 240, H.264."""
    pool = videos(root / "pool", 90, (320, 240))
    for kind, count, subjects in (("train", 1050, range(1, 15)), ("test", 482, range(15, 22))):
        lines = []
        for number in range(count):
            label, subject = number % 25 + 1, subjects[number // 25 % len(subjects)]
            clip = f"Video_data/class_{label:02d}/subject{subject}_r{number}"
            for sensor in ("sk_color", "sk_depth"):
                linked(pool, number, root / clip / f"{sensor}.avi")
            lines.append(f"path:./{clip} depth:sk_depth:5:85 color:sk_color:5:85 duo_left:duo_left:5:85 label:{label} ")
        (root / f"nvgesture_{kind}_correct_cvpr2016_v2.lst").write_text("\n".join(lines) + "\n")
    return ["--set", "model.weights=none"]


MAKERS: dict[str, Callable[[Path], list[str]]] = {
    "cremad": make_cremad,
    "kinetics_sounds": make_kinetics_sounds,
    "twitter2015": make_twitter2015,
    "sarcasm": make_sarcasm,
    "nvgesture": make_nvgesture,
}


def used(folder: Path) -> int:
    """Bytes on disk of all files below a folder."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def measure(name: str, extra: list[str], code: Path, limit: float, work: Path) -> str:
    """Seconds and bytes of one dry run, in words."""
    homes = {each: str(work / each) for each in ("IGMSWEEP_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR")}
    (work / "TMPDIR").mkdir(parents=True)
    command = [sys.executable, "-m", "igmsweep", "tune", name, "--dry-run", *extra]
    environment = {**os.environ, **homes, "PYTHONPATH": str(code)}
    environment.pop("IGMSWEEP_DATA", None)
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=limit)
        told = (done.stdout + done.stderr).strip().splitlines()[-6:]
    except subprocess.TimeoutExpired:
        told = [f"stopped after {limit:.0f} s"]
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return "\n".join(
        [
            f"{name}: {seconds:.0f} s ({busy:.0f} s of a core), {used(work) / 2**20:.1f} MiB written",
            *(f"    {line}" for line in told),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "data", nargs="*", default=[*MAKERS], help="built-in data sets, CSV files; default: the built-in ones"
    )
    parser.add_argument("--code", type=Path, default=ROOT, help="the checkout whose igmsweep is measured")
    parser.add_argument("--limit", type=float, default=600, help="seconds after which a run is stopped")
    arguments = parser.parse_args()
    for name in arguments.data:
        with tempfile.TemporaryDirectory(prefix="igmsweep-dry-run-") as folder:
            root = Path(folder) / "data"
            root.mkdir()
            extra = ["--root", str(root), *MAKERS[name](root)] if name in MAKERS else []
            where = name if name in MAKERS else str(Path(name).resolve())
            print(measure(where, extra, arguments.code, arguments.limit, Path(folder) / "work"), flush=True)


if __name__ == "__main__":
    main()
