"""avdigits: the embedded data set, real handwritten digits and the same digit spoken, in CREMA-D's layout on disk.

The pictures are the 1,797 handwritten digits that scikit-learn ships (UCI, CC BY 4.0), enlarged, moved about, made faint
and covered with noise; the sound comes from `igmsweep.data.synthesiser`. The sound is learnt fast and the pictures
slowly, so that joint training starves the pictures: the imbalance that IGM and its competitors address. In some clips
the word is lost, so that the sound alone cannot win. Splits are fixed: contiguous for the digits, which is nearest to
unseen writers, and unseen speakers in validation and test. A digit may be shown in two clips of its part.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from igmsweep.data import audio, augment, cremad_layout, frames
from igmsweep.data.base import PARTS, DataSet, Modality, Part, Sample
from igmsweep.data.synthesiser import RATE, Voice, coloured_noise, say
from igmsweep.errors import DataError
from igmsweep.late import torch
from igmsweep.record.json_files import read_object

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COUNTS = (1000, 540, 540)
"""Clips in train, validation and test."""
DIGITS = (897, 450, 450)
"""Handwritten digits in each part; where a part has more clips, its first digits come again, drawn anew."""
SPEAKERS = (24, 24, 24)
SIZE = 28
SECONDS = 0.9
SNR_DB = (-1.0, 9.0)
"""Range of the word's level over the noise, in dB."""
UNHEARD = 0.12
"""Share of the clips in which the word is lost and noise alone is heard."""
CONTRAST = (0.4, 1.0)
"""Range of the brightest value that a digit can have; the canvas is 0."""
PIXEL_NOISE = 0.25
"""Standard deviation of the noise over a picture."""
N_FFT, HOP, BANDS = 512, 256, 40
FRAMES = 29
MARKER = "avdigits.json"
LOG_MEL_MEAN, LOG_MEL_STD = 0.0, 1.3
PIXEL_MEAN, PIXEL_STD = 0.21, 0.26
SHIFT = 2
"""Training moves pictures and spectrograms by up to this many pixels."""

log = logging.getLogger(__name__)


class AVDigits(DataSet):
    """`audio` is a log-mel spectrogram, `image` a grey picture."""

    name = "avdigits"
    classes = CLASSES
    metrics = ("acc", "map")
    fold_group = "speaker"
    modalities = {
        "audio": Modality("audio", "audio", (1, BANDS, FRAMES), "resnet_mini"),
        "image": Modality("image", "image", (1, SIZE, SIZE), "resnet_mini"),
    }

    def defaults(self, method: str) -> dict[str, Any]:
        """Nine epochs of each modality for every method, with the paper's optimiser (Sec. 4.2).

        The stages are far shorter than the paper's, so the learning rate is 2.5 times its 0.01, and divided by 10 in each
        stage's last epoch instead of at a plateau, which could not show.
        """
        return {
            "model": {"head": [256, 64]},
            "optim": {"name": "sgd", "lr": 0.025, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 32}
            | {"schedule": "step", "step_size": 2},
            "stages": {"cycles": 3, "epochs": 3},
            "channels_last": True,  # a third faster for these encoders on a CPU
        }

    def index(self, root: Path, part: Part) -> list[Sample]:
        return cremad_layout.index(root, part, CLASSES, "audio", "image", lambda name: name.split("_")[0])

    def validation(self, root: Path) -> str:
        return "official"

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        wave = audio.fit_length(audio.read_wav(sample.files["audio"], RATE), round(SECONDS * RATE))
        return {
            "audio": audio.log_mel(wave, RATE, N_FFT, HOP, BANDS),
            "image": frames.read_picture(frames.frame_files(sample.files["image"])[0], (SIZE, SIZE), channels=1),
        }

    def recipe(self) -> dict[str, Any]:
        front_end = {"rate": RATE, "n_fft": N_FFT, "hop": HOP, "bands": BANDS, "seconds": SECONDS, "size": SIZE}
        return front_end | {"made_with": settings()}

    def transform(
        self, inputs: dict[str, torch.Tensor], training: bool, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        batch = {}
        for name, x in inputs.items():
            if name == "audio":
                x = ((x.float() - LOG_MEL_MEAN) / LOG_MEL_STD).unsqueeze(1)
            else:
                x = (x.float() / 255 - PIXEL_MEAN) / PIXEL_STD
            batch[name] = augment.shift(x, (SHIFT, SHIFT), generator) if training else x
        return batch

    def ensure(self, root: Path) -> None:
        """Make the data set when its folder is missing or empty.

        Raises:
            DataError: the folder holds something else, or avdigits as another version of igmsweep makes it.
        """
        if root.exists() and not root.is_dir():
            raise DataError(f"{root}: found a file, expected avdigits' folder, or a place for it")
        if (root / MARKER).exists():
            found = read_object(root / MARKER) or {}
            if found.get("settings") != settings():
                raise DataError(
                    f"{root}: was made by another version of igmsweep with other settings; delete it to make it again"
                )
            return
        if root.is_dir() and any(root.iterdir()):
            raise DataError(f"{root}: is not avdigits (no {MARKER}); name an empty folder, or delete this one")
        make(root)


AVDIGITS = AVDigits()


def settings() -> dict[str, Any]:
    """What the written files depend on besides seed and counts."""
    parts = {"digits": list(DIGITS), "speakers": list(SPEAKERS)}
    sound = {"snr_db": list(SNR_DB), "unheard": UNHEARD}
    picture = {"size": SIZE, "contrast": list(CONTRAST), "pixel_noise": PIXEL_NOISE}
    return {"version": 2, **parts, **sound, **picture}


def make(root: Path, counts: tuple[int, int, int] = COUNTS, seed: int = 0) -> None:
    """Write the data set; equal seeds and counts write equal bytes.

    Args:
        root: folder to create; it appears only when it is whole.
        counts: clips in train, validation and test.
        seed: of every voice, position and noise.

    Raises:
        DataError: the folder cannot be written.
    """
    import soundfile
    from PIL import Image
    from sklearn.datasets import load_digits

    started = time.monotonic()
    log.info("making avdigits (%d clips) in %s", sum(counts), root)
    digits = load_digits()
    voices = [Voice.draw(np.random.default_rng([seed, 1, number])) for number in range(sum(SPEAKERS))]
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    except OSError as error:
        raise DataError(f"{root}: cannot be written ({error.strerror})") from None
    try:
        for folder in ("AudioWAV", "Image-01-FPS", "annotations"):
            (partial / folder).mkdir()
        first_digit = first_speaker = 0
        for row, (part, count, own, speakers) in enumerate(zip(PARTS, counts, DIGITS, SPEAKERS, strict=True)):
            rows = []
            for clip in range(count):
                rng = np.random.default_rng([seed, 2, row, clip])
                number = first_digit + clip % own
                # a digit that comes again keeps its speaker, so that folds by speaker part no digit
                speaker = first_speaker + int(np.random.default_rng([seed, 3, number]).integers(speakers))
                label = int(digits.target[number])
                name = f"S{speaker:03d}_{label}_{number:04d}_{clip:04d}"
                sound = np.round(spoken(CLASSES[label], voices[speaker], rng) * 32767).astype(np.int16)
                soundfile.write(partial / "AudioWAV" / f"{name}.wav", sound, RATE, subtype="PCM_16")
                (partial / "Image-01-FPS" / name).mkdir()
                picture = Image.fromarray(drawn(digits.images[number], rng))
                picture.save(partial / "Image-01-FPS" / name / "00000.png")
                rows.append(f"{name},{CLASSES[label]}\n")
            (partial / "annotations" / cremad_layout.LISTS[part]).write_text("".join(rows), encoding="utf-8")
            first_digit += own
            first_speaker += speakers
        marker = {"settings": settings(), "seed": seed, "counts": list(counts)}
        (partial / MARKER).write_text(json.dumps(marker, indent=1), encoding="utf-8")
        partial.chmod(0o755)
        try:
            os.rename(partial, root)  # replaces an empty folder
        except OSError:
            if not (root / MARKER).exists():  # else another process was first
                raise
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise DataError(f"{root}: cannot be written ({error.strerror})") from None
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    log.info("made in %.0f s", time.monotonic() - started)


def spoken(word: str, voice: Voice, rng: np.random.Generator) -> np.ndarray:
    """0.9 s of coloured noise with the word at a random onset, or without it (`UNHEARD`); peak at most 1."""
    samples = round(SECONDS * RATE)
    clean = say(word, voice, rng)[:samples]
    level = np.sqrt(np.mean(clean**2) / 10 ** (rng.uniform(*SNR_DB) / 10))
    wave = level * coloured_noise(samples, rng)
    onset = int(rng.integers(samples - len(clean) + 1))
    if rng.uniform() >= UNHEARD:
        wave[onset : onset + len(clean)] += clean
    return wave * (rng.uniform(0.5, 0.95) / np.abs(wave).max())


def drawn(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An 8 x 8 digit enlarged 2.2 to 3 times, at a random place in 28 x 28, faint or strong, under noise; uint8."""
    from PIL import Image

    side = round(8 * rng.uniform(2.2, 3.0))
    enlarged = Image.fromarray((digit * (255 / 16)).astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
    canvas = np.zeros((SIZE, SIZE))
    top, left = rng.integers(SIZE - side + 1, size=2)
    canvas[top : top + side, left : left + side] = np.asarray(enlarged) / 255 * rng.uniform(*CONTRAST)
    canvas += rng.normal(0, PIXEL_NOISE, canvas.shape)
    return np.round(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
