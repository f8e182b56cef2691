"""Sound: reading files and the spectrograms that the field feeds to its encoders."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igmsweep.data import video
from igmsweep.data.files import BadFile, reason, refuse_pointer
from igmsweep.data.limits import SAMPLES, SECONDS, refuse_sound

SILENCE = 1e-4
"""A sound whose largest sample is smaller is silent (-80 dB of full scale)."""
CONTAINERS = (".mp4", ".m4v", ".mov", ".flv", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".wmv")
WHOLE = 60.0
"""Seconds of a sound that are read at least, where it has them: all of most sounds, however little of it is used."""
SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".opus")


def read_sound(path: Path, rate: int, seconds: float = SECONDS) -> NDArray[np.float32]:
    """One channel in [-1, 1] at `rate` Hz, from a sound file or a video's first sound track.

    Args:
        seconds: what is used of it; what lies behind that, and behind the first `WHOLE` seconds, need not be read.

    Raises:
        BadFile: the file is missing, holds no sound, no samples, or more than `igmsweep.data.limits` allow.
    """
    if path.suffix.lower() in CONTAINERS:
        wave, found = video.read_track(path, max(WHOLE, seconds + 1))
        return resample(wave, found, rate)
    return read_wav(path, rate, seconds)


def read_wav(path: Path, rate: int, seconds: float = SECONDS) -> NDArray[np.float32]:
    """One channel in [-1, 1] at `rate` Hz; channels are averaged, other rates resampled.

    Args:
        seconds: as for `read_sound`.

    Raises:
        BadFile: the file is missing, is not sound, ends early, holds no samples, such as are no numbers, or more than
            `igmsweep.data.limits` allow.
    """
    with opened(path) as file:
        found = int(file.samplerate)
        count = min(file.frames, math.ceil(max(WHOLE, seconds + 1) * found))
        if count * file.channels > SAMPLES:
            size = f"{count / found:,.0f} s of {file.channels} channels at {found:,} Hz"
            raise BadFile("unreadable", path, f"holds {size}, expected at most {SAMPLES:,} samples")
        try:
            wave = file.read(count, dtype="float32", always_2d=True)
        except Exception as error:
            raise BadFile("unreadable", path, f"not readable as sound ({reason(error)})") from None
    if len(wave) == 0:
        raise BadFile("empty", path, "holds no samples")
    if not np.isfinite(wave).all():
        raise BadFile("unreadable", path, "holds NaN or infinity")
    lacking = missing_bytes(path)
    if lacking:
        raise BadFile("truncated", path, f"is truncated: {lacking} bytes fewer than its header says")
    return resample(wave.mean(axis=1), found, rate)


def header(path: Path) -> tuple[int, float]:
    """Rate in Hz and length in seconds of a sound file, or of a video's sound, as the header says.

    Raises:
        BadFile: the file is missing, holds no sound, or does not say.
    """
    if path.suffix.lower() in CONTAINERS:
        return video.sound_header(path)
    with opened(path) as file:
        return int(file.samplerate), file.frames / file.samplerate


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A sound file of soundfile's. Raises BadFile for a file that is missing, no sound, or beyond `igmsweep.data.limits`."""
    import soundfile

    refuse_pointer(path)
    try:
        file = soundfile.SoundFile(path)
    except Exception as error:
        raise BadFile("unreadable", path, f"not readable as sound ({reason(error)})") from None
    with file:
        refuse_sound(path, file.samplerate, file.channels, file.frames / max(1, file.samplerate))
        yield file


def resample(wave: NDArray[np.float32], found: int, rate: int) -> NDArray[np.float32]:
    """At another rate, by soxr's HQ recipe and cut or padded to ceil(n * rate / found) samples, as librosa does."""
    if found == rate:
        return np.asarray(wave, dtype=np.float32)
    import soxr

    out = np.asarray(soxr.resample(wave, found, rate, quality="HQ"), dtype=np.float32)
    length = math.ceil(len(wave) * rate / found)
    return out[:length] if len(out) >= length else np.pad(out, (0, length - len(out)))


def refuse_silence(wave: NDArray[np.float32], path: Path) -> None:
    """Raise BadFile of kind `silent` for a sound without any."""
    peak = float(np.abs(wave).max())
    if peak < SILENCE:
        raise BadFile("silent", path, f"is silent (largest sample {peak:.1g})")


def missing_bytes(path: Path) -> int:
    """How many bytes of a WAV file's data chunk are not there; 0 for other formats and for streamed headers."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
            return 0
        size = path.stat().st_size
        while len(header := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", header)
            if name == b"data":
                return 0 if length >= 0xFFFFFF00 else max(0, length - (size - file.tell()))
            file.seek(length + length % 2, 1)
    return 0


def fit_length(wave: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Repeat a sound that is too short, cut one that is too long."""
    return np.resize(wave, samples)


def stft_magnitude(wave: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float32]:
    """Magnitudes, (n_fft / 2 + 1, frames), of centred frames under a periodic Hann window."""
    padded = np.pad(wave.astype(np.float64), n_fft // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    return np.abs(np.fft.rfft(frames * window, axis=1)).T.astype(np.float32)


def mel_filters(rate: int, n_fft: int, bands: int) -> NDArray[np.float32]:
    """Triangular filters, (bands, n_fft / 2 + 1), evenly spaced on the mel scale 2595 log10(1 + f / 700)."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


def log_mel(wave: NDArray[np.float32], rate: int, n_fft: int, hop: int, bands: int) -> NDArray[np.float32]:
    """log(mel power + 1e-6), (bands, frames)."""
    power = stft_magnitude(wave, n_fft, hop) ** 2
    return np.log(mel_filters(rate, n_fft, bands) @ power + 1e-6).astype(np.float32)
