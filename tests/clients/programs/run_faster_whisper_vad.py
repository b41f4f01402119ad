# SPDX-License-Identifier: Apache-2.0
"""Find speech in a recording, by the voice activity detector of faster-whisper."""

import json

import numpy as np
from faster_whisper.vad import get_vad_model

# Something that is not silence: three vowels' worth of harmonics, with pauses between.
time = np.arange(512 * 60) / 16000
voice = sum(np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 20)) * (np.sin(2 * np.pi * 1.5 * time) > 0)
noise = np.random.default_rng(0).standard_normal(len(time)) * 0.01
print(json.dumps(get_vad_model()((voice * 0.2 + noise).astype(np.float32)).ravel().tolist()))
