"""Encoders: they compute what their originals compute on the same weights, and weights load or are refused in a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision

from igmsweep.errors import UserError
from igmsweep.models.encoders import encoder, feature_size
from igmsweep.models.i3d import I3D, pad_same


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def resnets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torchvision's own state dicts, saved as torchvision publishes them."""
    folder = tmp_path_factory.mktemp("resnets")
    for name in ("resnet18", "resnet50"):
        torch.manual_seed(0)
        model = getattr(torchvision.models, name)(weights=None)
        for module in model.modules():  # statistics that differ from their start
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
        torch.save(model.state_dict(), folder / f"{name}.pth")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "features", "parameters"), [("resnet18", 512, 11_176_512), ("resnet50", 2048, 23_508_032)]
)
def test_a_resnet_gives_torchvisions_features_on_torchvisions_weights(resnets, name, features, parameters):
    ours = encoder(name, (3, 64, 64), weights=str(resnets / f"{name}.pth")).eval()
    original = getattr(torchvision.models, name)(weights=None)
    assert count(original) - count(original.fc) == count(ours) == parameters
    original.load_state_dict(torch.load(resnets / f"{name}.pth", weights_only=True))
    original.fc = torch.nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(x), original.eval()(x))
    assert feature_size(ours) == features


@pytest.mark.slow
def test_resnet50_logits_keeps_the_imagenet_classifier(resnets):
    ours = encoder("resnet50_logits", (3, 64, 64), weights=str(resnets / "resnet50.pth")).eval()
    original = torchvision.models.resnet50(weights=None)
    original.load_state_dict(torch.load(resnets / "resnet50.pth", weights_only=True))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(ours(x), original.eval()(x))
    assert feature_size(ours) == 1000
    assert count(ours) == 25_557_032


def test_colour_weights_answer_to_grey_pictures_as_to_three_equal_channels(resnets):
    path = str(resnets / "resnet18.pth")
    grey, colour = encoder("resnet18", (1, 64, 64), weights=path), encoder("resnet18", (3, 64, 64), weights=path)
    x = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.allclose(grey.eval()(x), colour.eval()(x.expand(-1, 3, -1, -1)), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_first_layer_for_other_channels_starts_as_torchvisions_does_and_changes_no_other(channels):
    torch.manual_seed(3)
    original = torchvision.models.resnet18(weights=None)
    torch.manual_seed(3)
    ours = encoder("resnet18", (channels, 32, 32)).body
    # He et al. 2015, fan-out of 64 x 7 x 7: s.d. of sqrt(2 / 3136) whatever the input
    assert ours.conv1.weight.std().item() == pytest.approx((2 / 3136) ** 0.5, rel=0.05)
    assert ours.conv1.weight.std().item() == pytest.approx(original.conv1.weight.std().item(), rel=0.05)
    assert abs(ours.conv1.weight.mean().item()) < 0.001
    own, theirs = ours.state_dict(), original.state_dict()
    assert all(torch.equal(own[name], theirs[name]) for name in own if name != "conv1.weight")
    # what is drawn next is what followed a layer with PyTorch's own initialisation
    after = torch.rand(4)
    torch.manual_seed(3)
    torchvision.models.resnet18(weights=None)
    torch.nn.Conv2d(channels, 64, 7, bias=False)
    assert torch.equal(after, torch.rand(4))


def test_a_resnet_of_three_channels_is_torchvisions_bit_for_bit():
    torch.manual_seed(3)
    original = torchvision.models.resnet18(weights=None)
    torch.manual_seed(3)
    ours = encoder("resnet18", (3, 32, 32)).body
    theirs = original.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.state_dict().items())


@pytest.mark.parametrize("name", ["resnet_mini", "resnet18"])
def test_frames_are_encoded_one_by_one_and_averaged(name):
    torch.manual_seed(0)
    model = encoder(name, (3, 4, 32, 32)).eval()
    clip = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        single = torch.stack([model(clip[:, :, frame]) for frame in range(4)]).mean(0)
        assert torch.allclose(model(clip), single, atol=1e-5)


def test_pretrained_is_taken_from_torch_hubs_folder_and_never_downloaded(resnets, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *a, **k: pytest.fail("downloads"))
    with pytest.raises(
        UserError, match=r"model\.weights\.video: .*resnet18-f37072fd\.pth does not exist; put .*'none'"
    ):
        encoder("resnet18", (3, 32, 32), weights="pretrained", modality="video")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "resnet18-f37072fd.pth").write_bytes((resnets / "resnet18.pth").read_bytes())
    encoder("resnet18", (3, 32, 32), weights="pretrained", modality="video")


@pytest.mark.slow
def test_bad_weights_are_one_line_that_names_the_key(resnets, tmp_path):
    def refused(match: str, path: Path, name: str = "resnet18", shape: tuple[int, ...] = (3, 32, 32)) -> None:
        with pytest.raises(UserError, match=match) as caught:
            encoder(name, shape, weights=str(path), modality="image")
        assert str(caught.value).startswith("model.weights.image: ")
        assert "\n" not in str(caught.value)

    refused("no such file", tmp_path / "nothing.pth")
    (tmp_path / "text.pth").write_text("hello")
    refused("cannot be read as a state dict", tmp_path / "text.pth")
    (tmp_path / "lfs.pth").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    refused("Git-LFS pointer", tmp_path / "lfs.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    refused("holds no state dict", tmp_path / "list.pth")
    torch.save(Path("code"), tmp_path / "code.pth")  # a class that only an unsafe load would make
    refused("cannot be read", tmp_path / "code.pth")
    refused("has shape", resnets / "resnet18.pth", "resnet50")
    refused("has shape", resnets / "resnet18.pth", "resnet18", (2, 32, 32))
    state = torch.load(resnets / "resnet18.pth", weights_only=True)
    torch.save(
        {("layer1.0.conv1.wait" if k == "layer1.0.conv1.weight" else k): v for k, v in state.items()}, tmp_path / "a"
    )
    refused(r"has no 'layer1\.0\.conv1\.weight' \(did you mean 'layer1\.0\.conv1\.wait'\?\)", tmp_path / "a")
    torch.save({**state, "extra.weight": torch.zeros(1)}, tmp_path / "b")
    refused(r"unknown 'extra\.weight'", tmp_path / "b")
    refused("resnet_mini has no pretrained weights", resnets / "resnet18.pth", "resnet_mini")


def test_wrapped_state_dicts_and_safetensors_load(resnets, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    state = torch.load(resnets / "resnet18.pth", weights_only=True)
    torch.save(
        {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "w.pth"
    )
    safetensors.save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        loaded = encoder("resnet18", (3, 32, 32), weights=str(tmp_path / name))
        assert torch.equal(loaded.body.conv1.weight, state["conv1.weight"])


def test_an_unknown_encoder_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"model\.encoder\.audio: unknown encoder 'resnet81'.*'resnet18'"):
        encoder("resnet81", (1, 8, 8), modality="audio")
    with pytest.raises(UserError, match="has no variants"):
        encoder("resnet18:v2", (1, 8, 8))


# The names of the weights in circulation, written out by hand rather than asked of our module.
UNITS = ["Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"] + [
    f"Mixed_{block}.{branch}"
    for block in ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c")
    for branch in ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")
]


def published(channels: int, counter: bool) -> dict[str, torch.Tensor]:
    """A state dict with the published names: units of `conv3d` and `bn`, and the 400-class `logits`."""
    generator = torch.Generator().manual_seed(channels)
    shapes = {name: parameter.shape for name, parameter in I3D(channels).state_dict().items()}
    state = {}
    for unit in UNITS:
        for leaf in ("conv3d.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"):
            state[f"{unit}.{leaf}"] = torch.rand(shapes[f"{unit}.{leaf}"], generator=generator) * 0.1
        if counter:
            state[f"{unit}.bn.num_batches_tracked"] = torch.tensor(7)
    state["logits.conv3d.weight"] = torch.zeros(400, 1024, 1, 1, 1)
    state["logits.conv3d.bias"] = torch.zeros(400)
    return state


def test_i3d_has_the_published_number_of_parameters():
    classifier = 1024 * 400 + 400
    rgb, flow = I3D(3), I3D(2)
    assert count(rgb) == 12_287_264
    # Carreira and Zisserman 2017, Table 1: 25 million for both streams
    assert round((count(rgb) + count(flow) + 2 * classifier) / 1e6) == 25
    # the original network, whose batch normalisation has no scale, is listed with 12.69 million
    scales = sum(parameter.numel() for name, parameter in rgb.named_parameters() if name.endswith("bn.weight"))
    assert count(rgb) - scales + classifier == 12_689_984


@pytest.mark.slow
@pytest.mark.parametrize("counter", [True, False], ids=["with-counters", "older-file"])
def test_i3d_loads_a_state_dict_with_the_published_names(tmp_path, counter):
    state = published(3, counter)
    torch.save(state, tmp_path / "rgb_imagenet.pt")
    loaded = encoder("i3d", (3, 16, 32, 32), weights=str(tmp_path / "rgb_imagenet.pt"))
    own = loaded.state_dict()
    assert all(torch.equal(own[name], value) for name, value in state.items() if not name.startswith("logits."))
    depth = encoder("i3d", (1, 16, 32, 32), weights=str(tmp_path / "rgb_imagenet.pt")).eval()
    clip = torch.randn(1, 1, 16, 32, 32)
    with torch.no_grad():
        assert torch.allclose(depth(clip), loaded.eval()(clip.expand(-1, 3, -1, -1, -1)), rtol=1e-3, atol=1e-4)
    with pytest.raises(
        UserError, match=r"Conv3d_1a_7x7\.conv3d\.weight' has shape \(64, 3, 7, 7, 7\), expected \(64, 2,"
    ):
        encoder("i3d", (2, 16, 32, 32), weights=str(tmp_path / "rgb_imagenet.pt"), modality="flow")


def test_i3d_pads_so_that_every_stride_gives_the_ceiling():
    model = I3D(2).eval()
    seen = {}
    for name, module in model.named_children():
        module.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, tuple(out.shape[1:])))
    with torch.no_grad():
        assert model(torch.randn(1, 2, 16, 64, 64)).shape == (1, 1024)
    # Carreira and Zisserman 2017, Fig. 3: 1/2 in time and space, twice space alone, then both twice more
    assert seen["Conv3d_1a_7x7"] == (64, 8, 32, 32)
    assert seen["MaxPool3d_3a_3x3"] == (192, 8, 8, 8)
    assert seen["Mixed_3c"] == (480, 8, 8, 8)
    assert seen["Mixed_4f"] == (832, 4, 4, 4)
    assert seen["Mixed_5c"] == (1024, 2, 2, 2)
    x = torch.arange(10.0).reshape(1, 1, 10, 1, 1)
    padded = pad_same(x, (3, 1, 1), (2, 1, 1))  # one in all, behind
    assert padded.flatten().tolist() == [*range(10), 0]
    odd = pad_same(x[:, :, :9], (3, 1, 1), (2, 1, 1))  # two in all, one on each side
    assert odd.flatten().tolist() == [0, *range(9), 0]


@pytest.mark.slow
def test_the_trainer_imports_without_transformers():
    code = (
        "import sys, igmsweep.train, igmsweep.models.text, igmsweep.models.clip; print('transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_text_mini_sees_order_and_nothing_that_is_not_attended_to():
    torch.manual_seed(0)
    module = encoder("text_mini:50", (3, 8)).eval()
    assert (count(module), feature_size(module), module.vocabulary) == (50 * 64 + 24_704, 64, 50)
    text = torch.zeros(4, 3, 8, dtype=torch.int32)
    text[0, 0, :3], text[1, 0, :3] = torch.tensor([5, 6, 7]), torch.tensor([7, 5, 6])
    text[2], text[3] = text[0], text[0]
    text[:, 1, :3] = 1
    text[2, 0, 3:] = 9  # past the end
    text[3, 1] = 0  # no word at all
    with torch.no_grad():
        first, other, padded, empty = module(text)
        short = module(text[:1, :, :4])[0]
    assert torch.equal(first, padded) and torch.allclose(first, short, atol=1e-6)
    assert not torch.allclose(first, other) and not empty.any()
    with pytest.raises(UserError, match=r"model\.weights\.note: found 'pretrained', but text_mini has no"):
        encoder("text_mini:50", (3, 8), weights="pretrained", modality="note")
    with pytest.raises(UserError, match="expected a number of token ids"):
        encoder("text_mini:many", (3, 8))
