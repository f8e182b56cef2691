"""Small trees in the layouts of Twitter2015, Sarcasm and NVGesture, with the quirks of the real ones in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WORDS = [
    "good",
    "bad",
    "day",
    "night",
    "great",
    "awful",
    "so",
    "very",
    "not",
    "we",
    "you",
    "they",
    "like",
    "hate",
    "love",
    "rain",
    "sun",
    "game",
    "show",
    "win",
    "lose",
]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 4567\n"


def vocabulary(folder: Path, extra: list[str] | None = None) -> Path:
    """A small WordPiece vocabulary as BERT publishes its own: one token a line in vocab.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"$#@:!?.,\"'<>_()*;~&-", *"0123456789", *letters]
    tokens += [f"##{letter}" for letter in letters] + [f"##{digit}" for digit in "0123456789"]
    tokens += [word for word in [*WORDS, *(extra or [])] if word not in tokens]
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


def tiny_bert(folder: Path) -> Path:
    """The folder of a small BERT without weights: a configuration and a vocabulary."""
    vocabulary(folder)
    count = len((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    config = {
        "model_type": "bert",
        "vocab_size": count,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 64,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def picture(path: Path, shade: int, seed: int = 0) -> None:
    """A JPEG of one shade under noise."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    pixels = np.clip(rng.normal(shade, 20, (48, 64, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=90)


def sentence(rng: np.random.Generator, mood: int) -> str:
    """Five words, one of which tells the mood."""
    chosen = [*rng.choice(WORDS[6:], 4), ("bad", "so", "great")[mood]]
    rng.shuffle(chosen)
    return " ".join(chosen)


def twitter2015(root: Path, counts: dict[str, int] | None = None) -> Path:
    """TomBERT's files: wrong headers, literal quotes, characters that Python takes for line ends, missing pictures."""
    rng = np.random.default_rng(0)
    folder = root / "absa_data" / "twitter2015"
    folder.mkdir(parents=True)
    headers = {
        "train": "index\t#1 Label\t#2 ImageID\t#3 String\t#3 String",
        "dev": "index\t#1 Label\t#2 ImageID\t#3 String\t#3 String",
        "test": "index\t#1 ImageID\t#2 String\t#2 String\t",  # as published: other columns than it has
    }
    tweet = 0
    for part, count in (counts or {"train": 36, "dev": 15, "test": 9}).items():
        lines = [headers[part]]
        for row in range(count):
            label = row % 3
            if row % 4 != 1:  # every fourth tweet stands there twice, with another target and label
                tweet += 1
                picture(root / "twitter2015_images" / f"{tweet}.jpg", (60, 120, 190)[label], tweet)
            words = sentence(rng, label)
            text = f'RT @ user : $T$ " {words} # day'  # an unbalanced quote
            if row == 2:
                text = f"$T$ {words} \u2028 \x85 end"  # line ends to str.splitlines, not to the file
            lines.append(f"{row}\t{label}\t{tweet}.jpg\t{text}\tthe {('rain', 'Sun', 'game')[row % 3]}")
        (folder / f"{part}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def sarcasm(root: Path, counts: dict[str, int] | None = None) -> Path:
    """Cai's files: a Python literal a line, four items in validation and test, tell-tale words in training."""
    rng = np.random.default_rng(1)
    (root / "text").mkdir(parents=True)
    number = 910308516510011393
    for stem, count in (counts or {"train": 36, "valid2": 12, "test2": 8}).items():
        lines = []
        for row in range(count):
            number += 1
            label = row % 2
            text = sentence(rng, 2 * label)
            if label or row % 4 == 0:
                text = f"# day {text}"
            if row == 1:
                text += ' it\'s "so" <user> emoji_15'  # both kinds of quotes in one literal
            if row == 3:
                text += " \u2028 \x85 end"
            if stem == "train" and row in (4, 5):
                text += (" irony", " <url>")[row - 4]
            if stem == "train" and row == 6:
                text += " ironically jokester"  # tell-tale as substrings, not as tokens
            picture(root / "dataset_image" / f"{number}.jpg", (70, 180)[label], row)
            hashtag = 1 - label if row == 7 else label  # people disagreed with the hashtag
            lines.append(repr([str(number), text, label] if stem == "train" else [str(number), text, hashtag, label]))
        (root / "text" / f"{stem}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


FIRST, LENGTH = 3, 6
"""Where the stretch of a gesture lies in its video, and how long it is."""


def nvgesture(root: Path, classes: int = 25, sizes: tuple[int, int] = (48, 32)) -> Path:
    """H.264 in AVI with more frames than a stretch; subjects 7 and 12 in training; relabelled clips."""
    rows: dict[str, list[str]] = {"train": [], "test": []}
    for kind, subjects in (("train", (1, 3, 7, 12)), ("test", (5,))):
        for gesture in range(1, classes + 1):
            for subject in subjects if kind == "train" else (5,):
                if subject in (7, 12) and (gesture % 2 == 0) != (subject == 12):
                    continue  # between them they have every class
                # in the second version of the lists a few clips have another label than their folder
                folder = gesture % classes + 1 if (kind, subject, gesture) == ("train", 3, 4) else gesture
                clip = f"Video_data/class_{folder:02d}/subject{subject}_r{gesture}"
                shift = 1 if (subject, gesture) == (1, 2) else 0  # depth may start elsewhere than colour
                video(root / clip / "sk_color.avi", FIRST + LENGTH + 4, gesture, sizes)
                video(root / clip / "sk_depth.avi", FIRST + LENGTH + 4, gesture + 50, sizes)
                stretch = f"{FIRST}:{FIRST + LENGTH}"
                depth = f"{FIRST + shift}:{FIRST + shift + LENGTH}"
                rows[kind].append(
                    f"path:./{clip} depth:sk_depth:{depth} color:sk_color:{stretch} duo_left:duo_left:4:9 label:{gesture} "
                )
        name = f"nvgesture_{kind}_correct_cvpr2016_v2.lst"
        (root / name).write_text("\n".join(rows[kind]) + "\n", encoding="utf-8")
    return root


def frame_pixels(number: int, tone: int, size: tuple[int, int]) -> np.ndarray:
    """Frame `number` of a video: red tells its number, blue the gesture, and a bar moves to the right."""
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = 10 * number + 20
    pixels[..., 2] = 3 * tone % 200
    left = 4 + 2 * number
    pixels[8:24, left : left + 8, 1] = 220
    return pixels


def video(path: Path, frames: int, tone: int, size: tuple[int, int]) -> None:
    """H.264 in AVI with key frames far apart, as in the real data."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.gop_size = 250
        stream.options = {"preset": "ultrafast", "crf": "12"}
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(frame_pixels(number, tone, size), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
