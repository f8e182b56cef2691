"""Augmentation of batches: what torchvision does to one picture, reproducible by its generator."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.transforms import functional as tv

from igmsweep.data import augment
from igmsweep.data.cremad import CREMAD
from igmsweep.data.kinetics_sounds import KINETICS_SOUNDS


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp(n: int = 1, size: int = 64) -> torch.Tensor:
    """Pictures whose value says where a pixel was: column + row * size."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return (columns + rows * size).float().expand(n, 1, size, size).clone()


def test_a_box_is_cut_and_enlarged_as_torchvision_does() -> None:
    x = ramp(size=64)
    for seed in range(20):
        found = augment.random_crop_and_flip(x, 32, generator(seed), flip=False, scale=(0.3, 0.3))
        columns, rows = found[0, 0, 16, :] % 64, found[0, 0, :, 16] // 64
        width, height = 32 * float(columns[17] - columns[16]), 32 * float(rows.diff().mean())
        assert 0.25 * 64**2 < width * height < 0.35 * 64**2
        assert 0.7 < width / height < 1.4
    whole = augment.random_crop_and_flip(x, 32, generator(), flip=False, scale=(1.0, 1.0))
    assert whole.shape == (1, 1, 32, 32)


def test_equal_generators_draw_equally_and_clips_differ_from_one_another() -> None:
    x = torch.rand(6, 3, 48, 48) * 255
    one, same, other = (augment.random_crop_and_flip(x, 32, generator(s), per_clip=2) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    alike = augment.random_crop_and_flip(ramp(6), 32, generator(1), per_clip=2)
    assert torch.equal(alike[0], alike[1])  # frames of a clip share the box
    assert not torch.equal(alike[0], alike[2])


def test_half_of_the_pictures_are_mirrored() -> None:
    found = augment.random_crop_and_flip(ramp(400), 16, generator())
    mirrored = (found[:, 0, 8, 1] > found[:, 0, 8, 14]).float().mean()
    assert 0.4 < float(mirrored) < 0.6


def test_evaluation_resizes_and_normalises_as_torchvision_does() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 3, 256, 256), dtype=np.uint8)
    found = CREMAD.transform({"video": torch.from_numpy(picture)}, False, generator())["video"]
    expected = tv.resize(torch.from_numpy(picture[0, 0]).float() / 255, [224, 224], antialias=True)
    expected = tv.normalize(expected, *map(list, augment.IMAGENET))
    assert found.shape == (1, 3, 224, 224)
    torch.testing.assert_close(found[0], expected, atol=1e-4, rtol=1e-4)


def test_training_draws_by_seed_and_evaluation_does_not_draw() -> None:
    dataset = KINETICS_SOUNDS.with_options(
        {"frame_policy": "random", "frames": 2, "frame_pool": 5, "crop": 16, "size": 24}
    )
    frames = torch.arange(4 * 5).view(4, 5, 1, 1, 1).expand(4, 5, 3, 24, 24).to(torch.uint8)
    inputs = {"video": frames, "audio": torch.zeros(4, 257, 1003)}
    one, same, other = (dataset.transform(inputs, True, generator(s)) for s in (1, 1, 2))
    assert one["video"].shape == (4, *dataset.modalities["video"].shape) == (4, 3, 2, 16, 16)
    assert one["audio"].shape == (4, *dataset.modalities["audio"].shape)
    assert torch.equal(one["video"], same["video"])
    assert not torch.equal(one["video"], other["video"])
    assert (one["video"][:, 0, 0] < one["video"][:, 0, 1]).all()  # different frames, in their order
    plain = [dataset.transform(inputs, False, generator(s))["video"] for s in (1, 2)]
    assert torch.equal(plain[0], plain[1])


def test_grey_pictures_take_the_mean_of_three_colours_numbers():
    x = torch.full((1, 1, 2, 2), 255.0)
    mean, std = sum(augment.IMAGENET[0]) / 3, sum(augment.IMAGENET[1]) / 3
    torch.testing.assert_close(augment.normalise(x, *augment.IMAGENET), torch.full_like(x, (1 - mean) / std))


def test_a_shift_moves_whole_rows_and_columns_within_bounds_and_repeats_the_edge():
    x = ramp(200, 8)
    moved = augment.shift(x, (1, 3), generator())
    middle = moved[:, 0, 4, 4] - x[:, 0, 4, 4]
    rows, columns = (middle / 8).round(), middle - 8 * (middle / 8).round()
    assert set(rows.tolist()) == {-1, 0, 1} and set(columns.tolist()) == {-3, -2, -1, 0, 1, 2, 3}
    assert moved.min() >= x.min() and moved.max() <= x.max()
    assert torch.equal(augment.shift(x, (0, 0), generator()), x)
