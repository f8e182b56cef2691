"""`igmsweep data check` on trees of all five data sets in the formats that users have: milliseconds a sample.

The trees are written by real encoders at the real sizes: WAV, FLV1 with MP3, H.264 with AAC in MP4, H.264 in AVI, JPEG. One
line a tree; `--before CHECKOUT` measures another checkout of igmsweep too, on smaller trees of the same files. Files are
warm in the page cache; threads are the cores there are; processor time tells where the machine is shared.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from PIL import Image

from igmsweep import data
from igmsweep.data.check import check

CANVAS = np.asarray(
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((1024, 768))
)
"""What all pictures are cut from."""
DISTINCT = 21
"""Contents that are encoded; files of one content differ in a stamp of four bytes."""
GESTURES = {"train": (1, 2, 3, 4, 6, 7, 11, 12, 15, 16, 17, 18), "test": (5, 8, 9, 13, 14, 20)}
"""NVGesture's subjects."""


def frames(count: int, size: tuple[int, int], seed: int) -> list[np.ndarray]:
    """Pictures (height, width, 3) that move over the canvas, with noise of their own."""
    rng = np.random.default_rng(seed)
    width, height = size
    left, top = rng.integers(0, 1024 - width - count), rng.integers(0, 768 - height)
    noise = rng.normal(0, 4, (height, width, 1))
    return [
        np.clip(CANVAS[top : top + height, left + step : left + step + width] + noise, 0, 255).astype(np.uint8)
        for step in range(count)
    ]


@lru_cache(maxsize=4 * DISTINCT)
def encoded(ending: str, seconds: float, rate: str, size: tuple[int, int], codec: str, sound: str, seed: int) -> bytes:
    """A video of the seconds, with a track of noise where `sound` names an encoder."""
    file = io.BytesIO()
    with av.open(file, "w", format=ending) as container:
        stream = container.add_stream(codec, rate=Fraction(rate))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"preset": "ultrafast"} if codec == "libx264" else {}
        track = None
        if sound:
            track = container.add_stream(sound, rate=44100)
            track.layout = "mono"
        count = round(seconds * Fraction(rate))
        for picture in frames(count, size, seed):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
        if track is not None:
            wave = np.random.default_rng(seed).normal(0, 0.1, (1, round(seconds * 44100))).astype(np.float32)
            whole = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            whole.sample_rate = 44100
            cut = av.AudioResampler(track.codec_context.format.name, "mono", 44100, track.codec_context.frame_size)
            for block in cut.resample(whole) + cut.resample(None):
                container.mux(track.encode(block))
            container.mux(track.encode(None))
    return file.getvalue()


@lru_cache(maxsize=16 * DISTINCT)
def jpeg(size: tuple[int, int], seed: int) -> bytes:
    """A picture."""
    file = io.BytesIO()
    Image.fromarray(frames(1, size, seed)[0]).save(file, "JPEG", quality=90)
    return file.getvalue()


@lru_cache(maxsize=2)
def noise(samples: int, channels: int) -> np.ndarray:
    """16-bit noise, (samples, channels)."""
    return np.random.default_rng(0).integers(-3000, 3000, (samples, channels), dtype=np.int16)


def video(path: Path, number: int, seconds: float, rate: str, size: tuple[int, int], codec: str, sound: str) -> None:
    """A video; its stamp stands in the place of the writer's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = encoded(path.suffix[1:], seconds, rate, size, codec, sound, number % DISTINCT)
    path.write_bytes(content.replace(b"Lavf", f"{number:04x}".encode()))


def pictures(folder: Path, names: list[str], size: tuple[int, int], number: int) -> None:
    """JPEG files; the stamp is a comment."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        content = jpeg(size, (number + place) % DISTINCT)
        stamp = f"{number:06d}{place:02d}".encode()
        (folder / name).write_bytes(content[:2] + b"\xff\xfe\x00\x0a" + stamp + content[2:])


def wav(path: Path, number: int, seconds: float, rate: int, channels: int) -> None:
    """Noise that begins elsewhere in each file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path, np.roll(noise(round(seconds * rate), channels), 7 * number + 1, axis=0), rate, subtype="PCM_16"
    )


def at_once(work: Callable[[int], None], count: int) -> None:
    """`work(0)` to `work(count - 1)`, on all cores."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(work, range(count)))


def cremad(root: Path, count: int, distributed: bool) -> None:
    """AudioWAV/ with VideoFlash/, or with Image-01-FPS/, and the field's lists."""
    emotions = ("NEU", "HAP", "SAD", "FEA", "DIS", "ANG")
    names = [f"{1001 + number // 6:04d}_IEO_{emotions[number % 6]}_XX" for number in range(count)]

    def one(number: int) -> None:
        seconds = 1.5 + number % DISTINCT / 10
        wav(root / "AudioWAV" / f"{names[number]}.wav", number, seconds, 16000, 1)
        if distributed:
            path = root / "VideoFlash" / f"{names[number]}.flv"
            video(path, number, seconds, "30000/1001", (480, 360), "flv1", "libmp3lame")
        else:
            pictures(root / "Image-01-FPS" / names[number], ["00000.jpg", "00029.jpg", "00058.jpg"], (480, 360), number)

    at_once(one, count)
    (root / "annotations").mkdir()
    for part, rows in (("train", names[: count * 9 // 10]), ("test", names[count * 9 // 10 :])):
        lines = [f"{name},{name.split('_')[2]}\n" for name in rows]
        (root / "annotations" / f"{part}.csv").write_text("".join(lines), encoding="utf-8")


def kinetics(root: Path, count: int, distributed: bool) -> None:
    """Kinetics-400's MP4 and CSV files, or WAV files and JPEG frames with lists."""
    from igmsweep.data.kinetics_sounds import CLASSES

    parts = ("train",) * 8 + ("val", "test")
    rows: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number in range(count):
        label = CLASSES[number // 10 % 31]
        times = ",10,20" if distributed else ""
        rows[parts[number % 10]].append(f"{label},id-{number:08d}{times}\n")

    def one(number: int) -> None:
        name, part = f"id-{number:08d}", parts[number % 10]
        if distributed:
            video(root / part / f"{name}_000010_000020.mp4", number, 10, "25", (340, 256), "libx264", "aac")
            return
        wav(root / f"{part}_wav" / f"{name}.wav", number, 10, 44100, 2)
        names = [f"frame_{index:05d}.jpg" for index in range(1, 11)]
        pictures(root / f"{part}_img" / "Image-01-FPS" / name, names, (340, 256), number)

    at_once(one, count)
    (root / "annotations").mkdir()
    columns = "label,youtube_id" + (",time_start,time_end" if distributed else "")
    for part, lines in rows.items():
        (root / "annotations" / f"{part}.csv").write_text(f"{columns}\n{''.join(lines)}", encoding="utf-8")


def twitter2015(root: Path, count: int) -> None:
    """TomBERT's lists and a picture a row."""
    root.mkdir(parents=True)
    at_once(lambda number: pictures(root / "twitter2015_images", [f"{number}.jpg"], (640, 480), number), count)
    for part, first, last in (("train", 0, 6), ("dev", 6, 8), ("test", 8, 10)):
        lines = ["index\t#1 Label\t#2 ImageID\t#3 String\t#3 String"]
        for number in range(count * first // 10, count * last // 10):
            lines.append(f"{number}\t{number % 3}\t{number}.jpg\tRT @ user : $T$ plays number {number} # day\tSomebody")
        (root / f"{part}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def sarcasm(root: Path, count: int) -> None:
    """Cai's lists and a picture a post."""
    (root / "text").mkdir(parents=True)
    first = 910308516510011393
    folder = root / "dataset_image"
    at_once(lambda number: pictures(folder, [f"{first + number}.jpg"], (600, 450), number), count)
    for stem, low, high in (("train", 0, 8), ("valid2", 8, 9), ("test2", 9, 10)):
        rows = range(count * low // 10, count * high // 10)
        labels = 1 if stem == "train" else 2
        lines = [repr([str(first + row), f"such a day number {row}", *[row % 2] * labels]) for row in rows]
        (root / "text" / f"{stem}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def nvgesture(root: Path, count: int) -> None:
    """Colour and depth of 240 frames, and the lists with stretches of 80."""
    root.mkdir(parents=True)
    lines: dict[str, list[str]] = {"train": [], "test": []}
    clips = []
    for number in range(count):
        kind = "test" if number % 3 == 2 else "train"
        subject = GESTURES[kind][number // 3 % len(GESTURES[kind])]
        clips.append(f"Video_data/class_{number % 25 + 1:02d}/subject{subject}_r{number}")
        lines[kind].append(
            f"path:./{clips[-1]} depth:sk_depth:90:170 color:sk_color:90:170 duo_left:duo_left:105:198 label:{number % 25 + 1} "
        )

    def one(number: int) -> None:
        for sensor in ("sk_color", "sk_depth"):
            path = root / clips[number] / f"{sensor}.avi"
            video(path, 2 * number + (sensor == "sk_depth"), 8, "30", (320, 240), "libx264", "")

    at_once(one, count)
    for kind, rows in lines.items():
        name = root / f"nvgesture_{kind}_correct_cvpr2016_v2.lst"
        name.write_text("\n".join(rows) + "\n", encoding="utf-8")


TREES: dict[str, tuple[str, int, Callable[[Path, int], None]]] = {
    "CREMA-D, WAV + FLV": ("cremad", 2000, lambda root, count: cremad(root, count, True)),
    "CREMA-D, WAV + JPEG": ("cremad", 2000, lambda root, count: cremad(root, count, False)),
    "Kinetics-Sounds, MP4": ("kinetics_sounds", 620, lambda root, count: kinetics(root, count, True)),
    "Kinetics-Sounds, WAV + JPEG": ("kinetics_sounds", 620, lambda root, count: kinetics(root, count, False)),
    "Twitter2015": ("twitter2015", 3000, twitter2015),
    "Sarcasm": ("sarcasm", 3000, sarcasm),
    "NVGesture, AVI": ("nvgesture", 300, nvgesture),
}
SMALLER = 10
"""The tree on which another checkout is measured is so many times smaller, as decoding takes its time."""


def measure(root: Path, name: str, tokens: str) -> tuple[int, float, float]:
    """Samples, wall and processor seconds of one check."""
    dataset = data.get(name)
    if "tokenizer" in dataset.Options.model_fields:
        dataset = dataset.with_options({"tokenizer": tokens})
    wall, processor = time.perf_counter(), time.process_time()
    report = check(dataset.at(root), root)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    if report.unusable or report.duplicates:
        raise SystemExit(f"{root}: a sound tree is found fault with: {report.lines()[-8:]}")
    return sum(part.samples for part in report.parts.values()), wall, processor


def elsewhere(checkout: Path, root: Path, name: str, tokens: Path) -> tuple[int, float, float]:
    """The same in a process with the code of a checkout."""
    command = [sys.executable, __file__, "--measure", str(root), name, str(tokens)]
    found = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(checkout)}, capture_output=True, text=True)
    if found.returncode:
        raise SystemExit(found.stderr)
    count, wall, processor = json.loads(found.stdout)
    return count, wall, processor


def main() -> None:
    """Write the trees, measure them, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, metavar="CHECKOUT", help="another checkout of igmsweep to measure too")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of samples")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        root, name, tokens = given.measure
        print(json.dumps(measure(Path(root), name, tokens)))
        return
    here = Path(__file__).resolve().parents[1]
    before = " samples before | ms before | CPU ms before |" if given.before else ""
    print(
        f"| tree | samples | ms a sample | CPU ms |{before}\n|---|---|---|---|{'---|---|---|' if given.before else ''}"
    )
    for title, (name, count, make) in TREES.items():
        with tempfile.TemporaryDirectory() as scratch:
            tokens = Path(scratch) / "vocab.txt"
            letters = [f"{prefix}{chr(code)}" for code in range(ord("a"), ord("z") + 1) for prefix in ("", "##")]
            vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
            tokens.write_text("\n".join(vocabulary) + "\n", encoding="utf-8")

            def line(checkout: Path, samples: int, name: str = name, tokens: Path = tokens, make: Any = make) -> str:
                root = tokens.parent / str(samples)
                make(root, samples)
                found, wall, processor = elsewhere(checkout, root, name, tokens)
                return f" {found} | {1000 * wall / found:.2f} | {1000 * processor / found:.2f} |"

            size = round(count * given.scale)
            print(f"| {title} |" + line(here, size), end="")
            print(line(given.before.resolve(), size // SMALLER) if given.before else "", flush=True)


if __name__ == "__main__":
    main()
