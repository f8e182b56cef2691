"""Sound: reading files and the spectrograms that the field feeds to its encoders."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igmsweep.data import video
from igmsweep.data.files import BadFile, reason, refuse_pointer

SILENCE = 1e-4
"""A sound whose largest sample is smaller is silent (-80 dB of full scale)."""
CONTAINERS = (".mp4", ".m4v", ".mov", ".flv", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".wmv")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".opus")


def read_sound(path: Path, rate: int) -> NDArray[np.float32]:
    """One channel in [-1, 1] at `rate` Hz, from a sound file or a video's first sound track.

    Raises:
        BadFile: the file is missing, holds no sound, or no samples.
    """
    if path.suffix.lower() in CONTAINERS:
        wave, found = video.read_track(path)
        return resample(wave, found, rate)
    return read_wav(path, rate)


def read_wav(path: Path, rate: int) -> NDArray[np.float32]:
    """One channel in [-1, 1] at `rate` Hz; channels are averaged, other rates resampled.

    Raises:
        BadFile: the file is missing, is not sound, ends early, or holds no samples or such as are no numbers.
    """
    import soundfile

    refuse_pointer(path)
    try:
        wave, found = soundfile.read(path, dtype="float32", always_2d=True)
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
    import soundfile

    refuse_pointer(path)
    try:
        found = soundfile.info(path)
    except Exception as error:
        raise BadFile("unreadable", path, f"not readable as sound ({reason(error)})") from None
    return int(found.samplerate), float(found.duration)


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
