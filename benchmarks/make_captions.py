"""A small data set of texts and pictures as a CSV file: handwritten digits in colour, and a sentence that names the digit.

    python benchmarks/make_captions.py --out captions
    igmsweep tune captions/samples.csv

Pictures are scikit-learn's 1,797 handwritten digits (UCI, CC BY 4.0), enlarged to 32 x 32, in a random colour on another,
with noise. Sentences name the digit and another one that it is not, in several spellings and orders, so that a bag of words
does not do; one in eight names none. The last 300 digits are the test part, the 300 before them validation.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 32
NOISE = 45.0
"""Standard deviation of the noise, of 255."""
UNSAID = 1 / 8
HELD = 300
SPELLINGS = (
    ("no", "zero"), ("one", "a single"), ("two", "a pair of"), ("three", "a trio of"), ("four", "two pairs of"),
    ("five", "a handful of"), ("six", "half a dozen"), ("seven", "a week's worth of"), ("eight", "two times four"),
    ("nine", "three times three"),
)  # fmt: skip
THINGS = ("birds", "letters", "apples", "cars", "stones", "songs", "stamps", "coins", "boats", "chairs")
SENTENCES = (
    "I counted {right} {things}, not {wrong}.",
    "Not {wrong} but {right} {things} were left on the table.",
    "She said {wrong}, but there were {right} {things}.",
    "There were {right} {things}; he had expected {wrong}.",
)
VAGUE = ("I counted some {things}.", "There were {things} on the table.", "Nobody knows how many {things} there were.")


def build(out: Path, seed: int = 0) -> int:
    """Write `samples.csv` and the pictures; equal seeds write equal bytes. Returns the number of rows."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    count = len(digits.target)
    with (out / "samples.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "caption", "picture", "label", "split"])
        for number, (drawn, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            rng = np.random.default_rng([seed, number])
            name = f"{number:04d}"
            Image.fromarray(_picture(drawn, rng)).save(out / "pictures" / f"{name}.png")
            part = "test" if number >= count - HELD else "val" if number >= count - 2 * HELD else "train"
            writer.writerow([name, _sentence(int(label), rng), f"pictures/{name}.png", label, part])
    return count


def _picture(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(32, 32, 3) uint8: ink on paper, both of a random colour, under noise."""
    ink = Image.fromarray((digit * (255 / 16)).astype(np.uint8)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    share = np.asarray(ink, np.float64)[..., None] / 255
    paper, pen = rng.uniform(0, 150, 3), rng.uniform(105, 255, 3)
    return np.clip(paper * (1 - share) + pen * share + rng.normal(0, NOISE, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def _sentence(label: int, rng: np.random.Generator) -> str:
    things = str(rng.choice(THINGS))
    if rng.uniform() < UNSAID:
        return str(rng.choice(VAGUE)).format(things=things)
    wrong = int((label + rng.integers(1, 10)) % 10)
    words = {name: str(rng.choice(SPELLINGS[number])) for name, number in (("right", label), ("wrong", wrong))}
    return str(rng.choice(SENTENCES)).format(things=things, **words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("captions"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(f"{given.out / 'samples.csv'}: {build(given.out, given.seed)} rows")


if __name__ == "__main__":
    main()
