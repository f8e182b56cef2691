"""A small formant synthesiser that says the ten English digits in many voices.

Source and filter: pulses of the vocal folds (or noise, for fricatives) go through three resonators whose frequencies
glide from sound to sound. It is meant to be recognisable and varied, not pretty: the embedded data set needs speech
that a small network can learn and that differs from speaker to speaker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 8000
"""Hz."""
FRAME = 40
"""Samples per filter update, 5 ms."""


@dataclass(frozen=True)
class Phone:
    """Formants in Hz, amplitudes of voice and of noise, centre of the noise in Hz, length in ms."""

    formants: tuple[float, float, float]
    voice: float
    noise: float
    centre: float
    length: float


PHONES = {
    "Z": Phone((280, 1700, 2500), 0.45, 0.25, 3600, 80),
    "IH": Phone((400, 1950, 2550), 1.0, 0.0, 0, 90),
    "R": Phone((330, 1150, 1600), 0.8, 0.0, 0, 70),
    "OW": Phone((480, 900, 2400), 1.0, 0.0, 0, 150),
    "W": Phone((300, 650, 2200), 0.7, 0.0, 0, 60),
    "AH": Phone((640, 1200, 2450), 1.0, 0.0, 0, 110),
    "N": Phone((260, 1500, 2500), 0.45, 0.0, 0, 80),
    "T": Phone((350, 1800, 2600), 0.0, 0.55, 3300, 45),
    "UW": Phone((310, 880, 2250), 1.0, 0.0, 0, 170),
    "TH": Phone((320, 1400, 2500), 0.0, 0.16, 2900, 90),
    "IY": Phone((280, 2250, 2950), 1.0, 0.0, 0, 170),
    "F": Phone((330, 1200, 2300), 0.0, 0.2, 2300, 90),
    "AO": Phone((580, 860, 2450), 1.0, 0.0, 0, 120),
    "AA": Phone((720, 1150, 2500), 1.0, 0.0, 0, 100),
    "V": Phone((300, 1150, 2300), 0.45, 0.1, 2300, 70),
    "S": Phone((320, 1700, 2600), 0.0, 0.5, 3700, 110),
    "K": Phone((350, 1900, 2400), 0.0, 0.45, 1900, 40),
    "EH": Phone((540, 1800, 2500), 1.0, 0.0, 0, 100),
    "EY": Phone((430, 2050, 2600), 1.0, 0.0, 0, 130),
    "_": Phone((400, 1500, 2500), 0.0, 0.0, 0, 35),
}

WORDS = {
    "zero": "Z IH R OW",
    "one": "W AH N",
    "two": "_ T UW",
    "three": "TH R IY",
    "four": "F AO R",
    "five": "F AA IY V",
    "six": "S IH _ K S",
    "seven": "S EH V AH N",
    "eight": "EY IY _ T",
    "nine": "N AA IY N",
}


@dataclass(frozen=True)
class Voice:
    """A speaker: `pitch` in Hz, `tract` scales the formants, `tempo` the length; the others are shares in [0, 1]."""

    pitch: float
    tract: float
    tempo: float
    breath: float
    tilt: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Voice:
        """A random speaker, 85 to 260 Hz; higher voices tend to have shorter tracts, that is higher formants."""
        height = rng.uniform()
        return cls(
            pitch=85 * (260 / 85) ** height,
            tract=0.88 + 0.26 * height + rng.normal(0, 0.03),
            tempo=rng.uniform(0.8, 1.25),
            breath=rng.uniform(0.02, 0.2),
            tilt=rng.uniform(0.7, 0.93),
        )


def say(word: str, voice: Voice, rng: np.random.Generator) -> NDArray[np.float64]:
    """The word as samples at 8 kHz with a peak of 1, 0.2 to 0.8 s long."""
    phones = [PHONES[name] for name in WORDS[word].split()]
    lengths = [max(2, round(p.length * voice.tempo * rng.uniform(0.85, 1.15) * RATE / 1000 / FRAME)) for p in phones]
    tracks = np.concatenate(
        [
            np.tile([*p.formants, p.voice, p.noise, p.centre or p.formants[1]], (count, 1))
            for p, count in zip(phones, lengths, strict=True)
        ]
    )
    tracks = _glide(tracks)
    frames = len(tracks)
    tracks[:, :3] *= voice.tract * (1 + rng.normal(0, 0.02, 3))
    contour = voice.pitch * (1 + 0.12 * np.linspace(1, -1, frames)) * rng.uniform(0.93, 1.07)
    pitch = np.repeat(contour, FRAME) * (1 + rng.normal(0, 0.01, frames * FRAME))
    phase = np.cumsum(pitch / RATE)
    pulses = (np.diff(np.floor(phase), prepend=0) > 0).astype(float)
    source = lfilter([1 - voice.tilt], [1, -voice.tilt], pulses) * 8 + voice.breath * rng.normal(0, 0.25, len(pulses))
    hiss = rng.normal(0, 1, len(pulses))
    states = [np.zeros(2) for _ in range(4)]
    sound = np.empty(frames * FRAME)
    for number, (f1, f2, f3, loud, noisy, centre) in enumerate(tracks):
        part = slice(number * FRAME, (number + 1) * FRAME)
        voiced = loud * source[part]
        for formant, (frequency, width) in enumerate(((f1, 70), (f2, 100), (f3, 150))):
            voiced, states[formant] = _resonate(voiced, frequency, width, states[formant])
        hissed, states[3] = _resonate(noisy * hiss[part], min(centre, 3800), 700, states[3])
        sound[part] = voiced + hissed
    peak = np.abs(sound).max()
    return sound / peak if peak > 0 else sound


def _glide(tracks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Neighbouring sounds colour each other: formants move over about 40 ms, loudness over 20 ms."""
    slow, quick = np.ones(9) / 9, np.ones(4) / 4
    columns = [
        np.convolve(np.pad(track, (len(kernel) // 2, len(kernel) - 1 - len(kernel) // 2), "edge"), kernel, "valid")
        for track, kernel in zip(tracks.T, (slow, slow, slow, quick, quick, quick), strict=True)
    ]
    return np.stack(columns, axis=1)


def _resonate(
    x: NDArray[np.float64], frequency: float, width: float, state: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A second-order resonator at `frequency` Hz with a bandwidth of `width` Hz, unit gain at zero frequency."""
    radius = np.exp(-np.pi * width / RATE)
    b, c = 2 * radius * np.cos(2 * np.pi * min(frequency, 0.48 * RATE) / RATE), -(radius**2)
    y, state = lfilter([1 - b - c], [1, -b, -c], x, zi=state)
    return y, state


def coloured_noise(samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of unit power whose spectrum falls at a random rate."""
    pole = rng.uniform(0.0, 0.85)
    noise = lfilter([1.0], [1.0, -pole], rng.normal(0, 1, samples))
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))
