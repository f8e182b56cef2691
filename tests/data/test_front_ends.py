"""The spectrograms of the field, against the libraries that the field computes them with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from igmsweep.data import audio
from igmsweep.data.base import Sample
from igmsweep.data.cremad import CREMAD
from igmsweep.data.front_ends import FRONT_ENDS, fbank, front_end
from igmsweep.errors import DataError


def speech(seconds: float, rate: int = 16000) -> np.ndarray:
    """Voiced-like sound: harmonics under a moving envelope, with pauses and breath, 16 bits deep."""
    rng = np.random.default_rng(3)
    t = np.arange(round(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 2 * t)) / rate
    voice = sum(np.sin(k * pitch) / k for k in range(1, 30)) * np.clip(np.sin(2 * np.pi * 1.7 * t), 0, 1)
    return np.round((0.2 * voice + 0.003 * rng.normal(size=len(t))) * 32767).astype(np.int16)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.27, 2.54, 5.01])
def test_cremad_spectrogram_agrees_with_librosa(tmp_path: Path, seconds: float) -> None:
    librosa = pytest.importorskip("librosa")
    path = tmp_path / "1001_IEO_NEU_XX.wav"
    soundfile.write(path, speech(seconds), 16000, subtype="PCM_16")
    wave, _ = librosa.load(path, sr=22050)
    wave = np.clip(np.tile(wave, 3)[: 22050 * 3], -1, 1)
    reference = np.abs(librosa.stft(wave, n_fft=512, hop_length=353))

    ours = CREMAD.read_modality(Sample("1001_IEO_NEU_XX", 0, {"audio": path}), "audio")
    assert ours.shape == reference.shape == (257, 188)
    assert ours.dtype == np.float32
    magnitude = np.exp(ours.astype(np.float64)) - 1e-7
    np.testing.assert_allclose(magnitude, reference, atol=1e-5, rtol=1e-5)
    above = reference > 1e-4
    assert np.abs(ours - np.log(reference + 1e-7))[above].max() < 1e-3
    assert np.array_equal(FRONT_ENDS["stft22k"](audio.read_wav(path, 22050)), ours)


def test_the_stft_is_its_definition() -> None:
    wave = speech(0.5).astype(np.float32) / 32768
    found = audio.stft_magnitude(wave, 64, 48)
    padded = np.pad(wave.astype(np.float64), 32)
    n = np.arange(64)
    for frame in (0, 7, found.shape[1] - 1):
        piece = padded[frame * 48 : frame * 48 + 64] * (0.5 - 0.5 * np.cos(2 * np.pi * n / 64))
        direct = [abs(np.sum(piece * np.exp(-2j * np.pi * k * n / 64))) for k in range(33)]
        np.testing.assert_allclose(found[:, frame], direct, atol=1e-6)


def test_kaldi_fbank_agrees_with_transformers() -> None:
    audio_utils = pytest.importorskip("transformers.audio_utils")
    wave = speech(2.5).astype(np.float32) / 32768
    filters = audio_utils.mel_filter_bank(
        257, 128, 20, 8000, 16000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True
    )
    reference = audio_utils.spectrogram(
        wave - wave.mean(),
        np.hanning(400),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=1.192092955078125e-07,
        remove_dc_offset=True,
    )
    found = fbank(wave, 16000, 128)
    assert found.shape == reference.shape
    np.testing.assert_allclose(found, reference, atol=2e-3)


@pytest.mark.parametrize("name", list(FRONT_ENDS))
@pytest.mark.parametrize("samples", [1, 300, 16000, 400_000])
def test_every_front_end_has_its_shape_for_any_length(name: str, samples: int) -> None:
    front_end = FRONT_ENDS[name]
    found = front_end(np.full(samples, 0.1, np.float32))
    assert found.shape == front_end.shape
    assert np.isfinite(found).all()
    assert front_end.recipe()["backend"]["resampler"].startswith("soxr ")


def test_a_silent_sound_and_a_cut_one_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(16000, np.int16), 16000)
    with pytest.raises(DataError, match="silent"):
        CREMAD.read_modality(Sample("a", 0, {"audio": path}), "audio")
    soundfile.write(path, speech(1), 16000, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(DataError, match=r"a\.wav: is truncated: \d+ bytes"):
        audio.read_wav(path, 16000)


@pytest.mark.parametrize(
    ("rate", "seconds", "bands"), [(8000, 0.7, 40), (16000, 10.0, 64), (22050, 1.3, 128), (1000, 0.1, 40)]
)
def test_mel_bands_of_any_rate_and_length_all_hear_something(rate: int, seconds: float, bands: int) -> None:
    found = front_end("mel", rate, seconds, bands)
    assert found.shape[0] == bands
    assert audio.mel_filters(rate, found.n_fft, bands).any(axis=1).all()
    assert found.n_fft >= rate // 40 and found.hop == found.n_fft // 2
    assert found(np.full(77, 0.1, np.float32)).shape == found.shape


def test_a_preset_keeps_its_frames_at_another_length_and_normalises_as_it_says() -> None:
    assert front_end("stft22k", 22050, 3.0, None) == FRONT_ENDS["stft22k"]
    assert front_end("mel8k", 8000, 0.6, 40) == FRONT_ENDS["mel8k"]
    assert front_end("fbank128", 16000, 10.24, 128) == FRONT_ENDS["fbank128"]
    assert front_end("stft16k", 16000, 1.0, None).shape == (129, 126)
    x = torch.randn(3, 40, 19)
    torch.testing.assert_close(FRONT_ENDS["mel8k"].normalised(x), x.unsqueeze(1) / 1.3)
    own = front_end("mel", 8000, 0.7, 40).normalised(5 + 3 * x)
    torch.testing.assert_close(own.mean(dim=(1, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(own.square().mean(dim=(1, 2, 3)), torch.ones(3))
    assert not front_end("mel", 8000, 0.7, 40).normalised(torch.zeros(1, 40, 19)).any()  # silence


def test_a_short_sound_is_followed_by_silence_and_by_itself_where_the_field_repeats_it() -> None:
    wave = np.full(800, 0.5, np.float32) * np.sin(np.arange(800)).astype(np.float32)
    padded, repeated = front_end("mel", 8000, 0.7, 40)(wave), front_end("mel8k", 8000, 0.7, 40)(wave)
    assert np.allclose(padded[:, 10:], np.log(1e-6)) and padded[:, :5].max() > -5
    assert repeated[:, -3:].max() > -5
