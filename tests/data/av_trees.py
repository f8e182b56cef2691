"""Small data sets in the layouts that users have, written by real encoders: WAV at 16 kHz, JPEG, FLV, MP4, CSV with a BOM.

A label can be told from the sound (a tone of its own) and from the picture (a brightness of its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image

from igmsweep.data.cremad import CLASSES
from igmsweep.data.kinetics_sounds import CLASSES as KINETICS_SOUNDS_CLASSES

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 80000\n"
SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")


def tone(label: int, seconds: float = 1.5, rate: int = 16000, seed: int = 0) -> np.ndarray:
    """A sine of the label's own pitch in noise, (samples,) float32."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng([seed, label]).normal(0, 0.02, len(t))
    return (0.4 * np.sin(2 * np.pi * (300 + 250 * label) * t) + noise).astype(np.float32)


def picture(label: int, size: tuple[int, int] = (48, 36), seed: int = 0) -> np.ndarray:
    """A noisy picture of the label's own brightness, (height, width, 3) uint8."""
    rng = np.random.default_rng([seed, label, 1])
    return np.clip(20 + 35 * label + rng.normal(0, 12, (size[1], size[0], 3)), 0, 255).astype(np.uint8)


def wav(path: Path, wave: np.ndarray, rate: int = 16000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, subtype="PCM_16")


def jpegs(folder: Path, label: int, names: Sequence[str], seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(picture(label, seed=seed * 100 + number)).save(folder / name, quality=95)


def video(
    path: Path,
    label: int,
    seconds: float,
    fps: str,
    codec: str,
    sound: str | None,
    seed: int = 0,
    size: tuple[int, int] = (48, 36),
) -> None:
    """A video of pictures and, unless `sound` is None, a tone, by PyAV's encoders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        track = None
        if sound is not None:
            track = container.add_stream(sound, rate=44100)
            track.layout = "mono"
        for number in range(round(seconds * Fraction(fps))):
            frame = av.VideoFrame.from_ndarray(picture(label, size, seed * 1000 + number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track is not None:
            wave = av.AudioFrame.from_ndarray(tone(label, seconds, 44100, seed)[None], format="fltp", layout="mono")
            wave.sample_rate = 44100
            size_ = track.codec_context.frame_size or 1024
            fit = av.AudioResampler(track.codec_context.format.name, "mono", 44100, size_)
            for block in fit.resample(wave) + fit.resample(None):
                container.mux(track.encode(block))
            container.mux(track.encode(None))


def cremad_names(actors: int, sentences: int) -> list[tuple[str, str]]:
    """Names and labels of clips: every actor says every sentence in every emotion."""
    return [
        (f"{1001 + actor}_{sentence}_{emotion}_XX", emotion)
        for actor in range(actors)
        for sentence in SENTENCES[:sentences]
        for emotion in CLASSES
    ]


def cremad_prepared(root: Path, actors: int = 3, sentences: int = 3) -> Path:
    """annotations/{train,test}.csv with a BOM, AudioWAV/, Image-01-FPS/; the last sentence is the test part."""
    names = cremad_names(actors, sentences)
    for seed, (name, emotion) in enumerate(names):
        label = CLASSES.index(emotion)
        wav(root / "AudioWAV" / f"{name}.wav", tone(label, seed=seed))
        jpegs(root / "Image-01-FPS" / name, label, ["00029.jpg", "00000.jpg", "00058.jpg"], seed)
    (root / "annotations").mkdir()
    last = SENTENCES[sentences - 1]
    for part in ("train", "test"):
        rows = [f"{name},{label}\r\n" for name, label in names if (last in name) == (part == "test")]
        (root / "annotations" / f"{part}.csv").write_bytes(b"\xef\xbb\xbf" + "".join(rows).encode())
    return root


def cremad_raw(root: Path, actors: int = 2, sentences: int = 3) -> Path:
    """AudioWAV/ and VideoFlash/ as distributed, and nothing else."""
    for seed, (name, emotion) in enumerate(cremad_names(actors, sentences)):
        label = CLASSES.index(emotion)
        wav(root / "AudioWAV" / f"{name}.wav", tone(label, seed=seed))
        video(root / "VideoFlash" / f"{name}.flv", label, 1.5, "30000/1001", "flv1", "libmp3lame", seed)
    return root


KINETICS = ("playing guitar", "blowing nose", "tapping pen")
"""Classes of the small trees, not in the order of their numbers."""


def kinetics_ids(count: int) -> list[str]:
    """YouTube ids, some with a leading `-` or `_`."""
    return [f"{'-_ab'[number % 4]}{number:04d}x-Y_z{number % 10}" for number in range(count)]


def kinetics_prepared(root: Path, counts: dict[str, int]) -> Path:
    """annotations/{train,valid,test}.csv with a header, {part}_wav/ and {part}_img/Image-01-FPS/."""
    (root / "annotations").mkdir(parents=True)
    ids = iter(kinetics_ids(sum(counts.values())))
    for seed, (part, count) in enumerate(counts.items()):
        rows = []
        for number in range(count):
            name, label = next(ids), KINETICS[number % 3]
            wav(root / f"{part}_wav" / f"{name}.wav", tone(number % 3, 2.0, seed=1000 * seed + number))
            frames = [f"frame_{index:05d}.jpg" for index in range(1, 10)]
            jpegs(root / f"{part}_img" / "Image-01-FPS" / name, number % 3, frames, 1000 * seed + number)
            rows.append(f"{name},{label}\n")
        (root / "annotations" / f"{part}.csv").write_text("youtube_id,label\n" + "".join(rows), encoding="utf-8")
    return root


def kinetics_400(root: Path, counts: dict[str, int]) -> Path:
    """{train,val,test}.csv of Kinetics-400 with rows of other classes, and the clips' MP4 files."""
    root.mkdir(parents=True, exist_ok=True)
    ids = iter(kinetics_ids(sum(counts.values())))
    for seed, (part, count) in enumerate(counts.items()):
        rows = [f"testifying,---QUuC4vJs,84,94,{part}\n"]
        for number in range(count):
            name, label = next(ids), KINETICS[number % 3]
            video(root / part / f"{name}_000010_000020.mp4", number % 3, 5, "4", "libx264", "aac", 1000 * seed + number)
            rows.append(f"{label},{name},10,20,{part}\n")
        (root / f"{part}.csv").write_text("label,youtube_id,time_start,time_end,split\n" + "".join(rows))
    return root


def kinetics_ogm(root: Path, counts: dict[str, int]) -> Path:
    """OGM-GE's my_{train,test}.txt: names with both times in train and with the first in test, labels by number; media as
    the folders of Kinetics-400 name them."""
    (root / "annotations").mkdir(parents=True)
    ids = iter(kinetics_ids(sum(counts.values())))
    for seed, (part, count) in enumerate(counts.items()):
        rows = []
        for number in range(count):
            name, label = next(ids), sorted(KINETICS_SOUNDS_CLASSES).index(KINETICS[number % 3])
            wav(root / f"{part}_wav" / f"{name}_000058_000068.wav", tone(number % 3, 2.0, seed=1000 * seed + number))
            frames = [f"frame_{index:05d}.jpg" for index in range(1, 10)]
            jpegs(root / f"{part}_img" / "Image-01-FPS" / name, number % 3, frames, 1000 * seed + number)
            rows.append(f"{name}_{'000058_000068' if part == 'train' else '58'},10,{label}\n")
        (root / "annotations" / f"my_{part}.txt").write_text("".join(rows), encoding="utf-8")
    return root


def kinetics_folders(root: Path, counts: dict[str, int]) -> Path:
    """{train,test}/playing_guitar/*.mp4, and no list."""
    ids = iter(kinetics_ids(sum(counts.values())))
    for seed, (part, count) in enumerate(counts.items()):
        for number in range(count):
            folder = root / part / KINETICS[number % 3].replace(" ", "_")
            video(folder / f"{next(ids)}.mp4", number % 3, 5, "4", "libx264", "aac", 1000 * seed + number)
    return root
