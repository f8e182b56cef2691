"""Sound: reading WAV files and the spectrograms that the field feeds to its encoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igmsweep.data.files import refuse_pointer
from igmsweep.errors import DataError


def read_wav(path: Path, rate: int) -> NDArray[np.float32]:
    """One channel in [-1, 1] at `rate` Hz; channels are averaged, other rates resampled.

    Raises:
        DataError: the file is missing, is not sound, or holds no samples.
    """
    import soundfile

    refuse_pointer(path)
    try:
        wave, found = soundfile.read(path, dtype="float32", always_2d=True)
    except Exception as error:
        raise DataError(f"{path}: not readable as sound ({' '.join(str(error).split())})") from None
    mono = wave.mean(axis=1)
    if len(mono) == 0:
        raise DataError(f"{path}: holds no samples")
    if found != rate:
        import soxr

        mono = soxr.resample(mono, found, rate)
    return np.asarray(mono, dtype=np.float32)


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
