"""The audio front ends by name: from a waveform to the spectrogram that an encoder sees.

mel       log-mel bands of any rate and length, 25 to 50 ms windows, half of one from frame to frame, padded with silence or
          cut (a CSV file's default)
stft22k   22,050 Hz, repeated to 3 s, STFT n_fft 512 hop 353, log(|.| + 1e-7): 257 x 188 (OGM-GE and IGM on CREMA-D)
stft35k   35,400 Hz, repeated to 10 s, the same STFT: 257 x 1003 (IGM on Kinetics-Sounds)
stft16k   16,000 Hz, repeated to 5 s, STFT n_fft 256 hop 128: 129 x 626 (MLA, which takes a random 5 s of 10)
mel8k      8,000 Hz, repeated or cut to 0.6 s, 40 log-mel bands, n_fft 512 hop 256: 40 x 19 (single words, small encoders)
fbank128  16,000 Hz, Kaldi's 128 log-mel energies every 10 ms, padded or cut to 1024: 128 x 1024 (MLA, BalanceMM)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from igmsweep.data import audio
from igmsweep.errors import UserError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FrontEnd:
    """`bands` is None for an STFT, which keeps its n_fft / 2 + 1 bins.

    `mean` and `std` are what the field normalises by, 0 and 1 where it does not; None: each spectrogram by its own.
    `repeats`: a sound that is too short is said again and again, as the field's loaders do; else silence follows it.
    """

    kind: Literal["stft", "fbank", "mel"]
    rate: int
    seconds: float
    n_fft: int
    hop: int
    bands: int | None = None
    mean: float | None = 0.0
    std: float = 1.0
    repeats: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """(bins, frames) of a spectrogram."""
        if self.kind == "fbank":
            return self.bands or 0, max(1, round(self.seconds * 100))
        return self.bands or self.n_fft // 2 + 1, 1 + self._samples // self.hop

    @property
    def _samples(self) -> int:
        return max(1, round(self.seconds * self.rate))

    def __call__(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """The spectrogram of a waveform in [-1, 1] at `rate` Hz, of any length of at least one sample."""
        bins, frames = self.shape
        if self.kind == "fbank":
            return _fit_frames(fbank(wave, self.rate, bins), frames)
        if not self.repeats:
            wave = np.pad(wave[: self._samples], (0, max(0, self._samples - len(wave))))
        wave = np.clip(audio.fit_length(wave, self._samples), -1, 1)
        if self.kind == "mel":
            return audio.log_mel(wave, self.rate, self.n_fft, self.hop, bins)
        return log_stft(wave, self.n_fft, self.hop)

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        """(n, bins, frames) spectrograms as (n, 1, bins, frames) floats, less the mean and over the deviation."""
        x = x.float().unsqueeze(1)
        if self.mean is not None:
            return (x - self.mean) / self.std
        rest = x - x.mean(dim=(2, 3), keepdim=True)
        return rest / rest.square().mean(dim=(2, 3), keepdim=True).sqrt().clamp(min=1e-3)

    def recipe(self) -> dict[str, Any]:
        """What the result depends on, libraries and their versions among it."""
        import soundfile
        import soxr

        return {
            "kind": self.kind,
            "rate": self.rate,
            "seconds": self.seconds,
            "n_fft": self.n_fft,
            "hop": self.hop,
            "shape": list(self.shape),
            **({} if self.repeats else {"repeats": False}),
            "backend": {
                "decoder": f"soundfile {soundfile.__version__}, libsndfile {soundfile.__libsndfile_version__}",
                "resampler": f"soxr {soxr.__version__} HQ",
                "fft": f"numpy {np.__version__} float64",
            },
        }


FRONT_ENDS = {
    "stft22k": FrontEnd("stft", 22050, 3.0, 512, 353),
    "stft35k": FrontEnd("stft", 35400, 10.0, 512, 353),
    "stft16k": FrontEnd("stft", 16000, 5.0, 256, 128),
    "mel8k": FrontEnd("mel", 8000, 0.6, 512, 256, 40, 0.0, 1.3),
    "fbank128": FrontEnd("fbank", 16000, 10.24, 400, 160, 128, -4.503877, 2 * 5.141276),
}
MEL = "mel"


@lru_cache(maxsize=32)
def front_end(name: str, rate: int, seconds: float, bands: int | None) -> FrontEnd:
    """The front end called `name`, `mel` or one of FRONT_ENDS, at another rate, length and number of bands.

    Raises:
        UserError: bands for an STFT, or none for mel bands.
    """
    base = FRONT_ENDS.get(name, FrontEnd("mel", rate, seconds, 0, 0, bands, mean=None, repeats=False))
    if (base.kind == "stft") != (bands is None):
        expected = "null, as an STFT keeps all its bins" if base.kind == "stft" else "a number"
        raise UserError(f"data.options.bands: found {bands or 'null'} with the front end {name}, expected {expected}")
    found = replace(base, rate=rate, seconds=seconds, bands=bands)
    if base.kind == "fbank":
        return replace(found, n_fft=rate * 25 // 1000, hop=rate // 100)
    if base.kind == "mel" and bands is not None:
        n_fft = base.n_fft or 1 << (rate // 40 - 1).bit_length()  # 25 ms or more
        while n_fft < 2**15 and not audio.mel_filters(rate, n_fft, bands).any(axis=1).all():
            n_fft *= 2  # bands narrower than a bin would hear nothing
        return replace(found, n_fft=n_fft, hop=base.hop or n_fft // 2)
    return found


def log_stft(wave: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float32]:
    """log(|STFT| + 1e-7), (n_fft / 2 + 1, frames)."""
    return np.log(audio.stft_magnitude(wave, n_fft, hop) + np.float32(1e-7)).astype(np.float32)


def fbank(wave: NDArray[np.float32], rate: int, bands: int) -> NDArray[np.float32]:
    """Kaldi's log-mel energies, (bands, frames): 25 ms Hann frames every 10 ms, no dither, no energy, from 20 Hz up.

    As `torchaudio.compliance.kaldi.fbank(htk_compat=True, use_energy=False, window_type="hanning", dither=0.0,
    num_mel_bins=bands, frame_shift=10)` of the waveform less its mean, which is what MLA, BalanceMM and OGM-GE call.
    """
    size, hop = rate * 25 // 1000, rate // 100
    centred = np.asarray(wave, np.float64) - np.mean(wave, dtype=np.float64)
    if len(centred) < size:
        centred = np.pad(centred, (0, size - len(centred)))
    frames = np.lib.stride_tricks.sliding_window_view(centred, size)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    n_fft = 1 << (size - 1).bit_length()
    power = np.abs(np.fft.rfft(frames * np.hanning(size), n_fft, axis=1)) ** 2
    energies = power[:, :-1] @ _kaldi_filters(rate, n_fft, bands).T
    return np.log(np.maximum(energies, np.finfo(np.float32).eps)).T.astype(np.float32)


@lru_cache(maxsize=4)
def _kaldi_filters(rate: int, n_fft: int, bands: int) -> NDArray[np.float64]:
    """Triangles on Kaldi's mel scale 1127 ln(1 + f / 700), (bands, n_fft / 2): the last bin is left out, as there."""

    def mel(frequency: Any) -> Any:
        return 1127.0 * np.log(1.0 + np.asarray(frequency, np.float64) / 700.0)

    edges = np.linspace(mel(20.0), mel(rate / 2), bands + 2)
    bins = mel(np.arange(n_fft // 2) * rate / n_fft)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0.0, np.minimum(rising, falling))


def _fit_frames(spectrogram: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Cut, or padded with zeros at the end, as the field's loaders do."""
    lacking = frames - spectrogram.shape[1]
    return spectrogram[:, :frames] if lacking <= 0 else np.pad(spectrogram, ((0, 0), (0, lacking)))
