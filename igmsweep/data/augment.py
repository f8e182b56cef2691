"""Random augmentation of whole batches, on whatever device the tensors are, drawn from the generator alone."""

from __future__ import annotations

import math

from igmsweep.late import F, torch

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
STATISTICS = {"imagenet": IMAGENET, "clip": CLIP}
"""Mean and standard deviation of red, green and blue in [0, 1], by the pretraining that they belong to."""


def normalise(x: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    """(n, C, H, W) bytes or floats in 0 to 255, less the mean and over the deviation of values in [0, 1].

    C is 3, or 1 for grey pictures, which take the mean of the three numbers.
    """
    if x.shape[1] == 1:
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    shift = torch.tensor(mean, device=x.device).view(1, -1, 1, 1)
    scale = torch.tensor(std, device=x.device).view(1, -1, 1, 1)
    return (x.float() / 255 - shift) / scale


def resize(x: torch.Tensor, size: int) -> torch.Tensor:
    """(n, C, H, W) to (n, C, size, size) floats by an antialiased bilinear filter."""
    x = x.float()
    if x.shape[-2:] == (size, size):
        return x
    return F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)


def mirror(x: torch.Tensor, generator: torch.Generator, per_clip: int = 1) -> torch.Tensor:
    """Half of the clips of a batch (n * per_clip, C, H, W), chosen by a coin for each, with left and right exchanged."""
    coins = torch.rand(x.shape[0] // per_clip, generator=generator, device=x.device) < 0.5
    return torch.where(coins.repeat_interleave(per_clip).view(-1, 1, 1, 1), x.flip(-1), x)


def random_crop_and_flip(
    x: torch.Tensor,
    size: int,
    generator: torch.Generator,
    per_clip: int = 1,
    scale: tuple[float, float] = (0.08, 1.0),
    flip: bool = True,
    aspect: float = 1.0,
) -> torch.Tensor:
    """torchvision's RandomResizedCrop and RandomHorizontalFlip for a batch: a box and a coin for each clip.

    Args:
        x: (n * per_clip, C, H, W), the frames of a clip one after the other; they share box and coin.
        size: height and width of the result.
        scale: share of the area that a box covers; its sides have a ratio of 3/4 to 4/3.
        aspect: width over height of the picture before it was squeezed into (H, W), so that boxes keep their ratio.

    Returns:
        (n * per_clip, C, size, size) floats.
    """
    clips = x.shape[0] // per_clip
    draw = torch.rand((5, clips), generator=generator, device=x.device)
    area = scale[0] + (scale[1] - scale[0]) * draw[0]
    ratio = torch.exp(math.log(3 / 4) + (math.log(4 / 3) - math.log(3 / 4)) * draw[1])
    # height and width of the box as shares of the picture's; one that does not fit is cut to the picture
    width = torch.sqrt(area * ratio / aspect).clamp(max=1)
    height = torch.sqrt(area / ratio * aspect).clamp(max=1)
    left, top = draw[2] * (1 - width), draw[3] * (1 - height)
    mirrored = torch.where(draw[4] < 0.5, -1.0, 1.0) if flip else torch.ones_like(width)
    theta = torch.zeros((clips, 2, 3), device=x.device)
    theta[:, 0, 0] = width * mirrored
    theta[:, 1, 1] = height
    theta[:, 0, 2] = 2 * left + width - 1
    theta[:, 1, 2] = 2 * top + height - 1
    theta = theta.repeat_interleave(per_clip, dim=0)
    grid = F.affine_grid(theta, [x.shape[0], x.shape[1], size, size], align_corners=False)
    return F.grid_sample(x.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def shift(x: torch.Tensor, most: tuple[int, int], generator: torch.Generator) -> torch.Tensor:
    """Each sample of (n, C, H, W) moved by up to `most` rows and columns both ways; the edge repeats."""
    n, _, height, width = x.shape
    down, right = (torch.randint(0, 2 * each + 1, (n,), generator=generator, device=x.device) for each in most)
    padded = F.pad(x, [most[1], most[1], most[0], most[0]], mode="replicate")
    rows = down[:, None] + torch.arange(height, device=x.device)
    columns = right[:, None] + torch.arange(width, device=x.device)
    sample = torch.arange(n, device=x.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


def random_frames(x: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """(n, frames, ...) to (n, count, ...): different frames of each clip, in their order."""
    draw = torch.rand(x.shape[:2], generator=generator, device=x.device)
    chosen = draw.argsort(dim=1)[:, :count].sort(dim=1).values
    return x[torch.arange(x.shape[0], device=x.device)[:, None], chosen]
