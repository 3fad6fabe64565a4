import pytest
import segmentation_models_pytorch as smp
import timm
import torch

from weclick.errors import ConfigError
from weclick.models import weights as weights_module
from weclick.models.factory import SegmentationNetwork, make_network
from weclick.models.options import NetworkOptions
from weclick.models.weights import PACKAGED, packaged_state

CLASSES = 5
# name: encoder, stride of its logits
NETWORKS = {
    "light": ("tf_efficientnet_lite0", 4),
    "lraspp": ("mobilenet_v3_large", 8),
    "deeplabv3": ("resnet18", 8),
    "deeplabv3plus": ("resnet18", 4),
    "fpn": ("resnet18", 4),
    "linknet": ("resnet18", 1),
    "manet": ("resnet18", 1),
    "pan": ("resnet18", 4),
    "pspnet": ("resnet18", 8),
    "pspnet_shallow": ("resnet18", 8),
    "segformer": ("resnet18", 4),
    "unet": ("resnet18", 1),
    "unetplusplus": ("resnet18", 1),
    "upernet": ("resnet18", 4),
}


def make(name="light", encoder="tf_efficientnet_lite0", *, num_classes, **options):
    return make_network(NetworkOptions(name, encoder, **options), num_classes)


@pytest.fixture(scope="module")
def built():
    return {
        name: make(name, encoder, num_classes=CLASSES, weights="none").eval() for name, (encoder, _) in NETWORKS.items()
    }


def test_every_architecture_of_the_factory_is_tested():
    known = {cls.__name__.lower() for cls in smp.MODEL_ARCHITECTURES_MAPPING.values()}
    assert known - {"dpt"} == NETWORKS.keys() - {
        "light",
        "lraspp",
        "pspnet_shallow",
    }  # dpt takes only vision transformers of one size


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(128, 160), (100, 142)], ids=["multiple of 32", "odd size"])
def test_logits_of_any_size_are_finite_and_train_the_first_convolution(built, name, size):
    network, stride = built[name], NETWORKS[name][1]
    network.zero_grad()
    logits = network(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (1, CLASSES, -(-size[0] // stride), -(-size[1] // stride))
    assert logits.isfinite().all()
    logits.square().mean().backward()
    first = next(module for module in network.modules() if isinstance(module, torch.nn.Conv2d))
    assert first.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", ["light", "pspnet"])
def test_a_batch_gives_what_its_images_give_alone(built, name):
    images = torch.rand(2, 3, 64, 96)
    together = built[name](images)
    torch.testing.assert_close(together[1:], built[name](images[1:]), atol=1e-4, rtol=1e-3)


def test_padding_is_cropped_from_the_logits_again():
    network = SegmentationNetwork(torch.nn.AvgPool2d(4), ((0.0,) * 3, (1.0,) * 3))
    images = torch.rand(1, 3, 36, 52)
    torch.testing.assert_close(network(images), torch.nn.functional.avg_pool2d(images, 4))


def ramp(height, width):
    """An image whose red is the column's number, and whose green is the row's."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])[None]


@pytest.mark.parametrize("size", [(530, 530), (360, 530), (530, 480), (145, 137), (197, 179)])
@pytest.mark.parametrize("stride", [4, 8, 32])
def test_logits_of_any_size_cover_exactly_the_image(size, stride):
    # beyond the image the ramp goes on, so that the mean of any cell is the place of its centre
    body = torch.nn.Sequential(_Continued(size), torch.nn.AvgPool2d(stride))
    logits = SegmentationNetwork(body, ((0.0,) * 3, (1.0,) * 3))(ramp(*size))
    off = torch.nn.functional.interpolate(logits, size, mode="bilinear") - ramp(*size)
    # at the edges there is nothing to interpolate with, and the outermost cells are repeated
    assert off[..., 2 * stride : size[0] - stride, 2 * stride : size[1] - stride].abs().max() < 1e-2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_on_the_images_own_grid_have_finite_gradients(dtype):
    body = torch.nn.Conv2d(3, 2, 8, stride=8)
    network = SegmentationNetwork(body, ((0.0,) * 3, (1.0,) * 3)).to(dtype)
    images = torch.rand(1, 3, 37, 530, dtype=dtype).requires_grad_()
    logits = network(images)
    assert logits.shape == (1, 2, 5, 67) and logits.dtype == dtype
    logits.square().sum().backward()
    assert images.grad.isfinite().all() and body.weight.grad.abs().sum() > 0


class _Continued(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, padded):
        assert torch.equal(padded[..., : self.size[0], : self.size[1]], ramp(*self.size))
        return ramp(*padded.shape[-2:])


@pytest.mark.parametrize("size", [(36, 52), (40, 64), (72, 40)])
def test_where_the_stride_divides_the_size_logits_are_those_of_the_body(size):
    network = SegmentationNetwork(torch.nn.AvgPool2d(4), ((0.0,) * 3, (1.0,) * 3))
    padded = torch.nn.functional.pad(images := torch.rand(2, 3, *size), (0, -size[1] % 32, 0, -size[0] % 32))
    assert torch.equal(network(images), network.body(padded)[..., : size[0] // 4, : size[1] // 4])


@pytest.mark.parametrize(
    ("network", "encoder", "mean", "std"),
    [
        ("light", "tf_efficientnet_lite0", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("light", "tf_efficientnet_lite1", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("light", "mobilenetv3_small_050", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("pspnet", "resnet18", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("pspnet", "mobilenetv2_100", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("pspnet_shallow", "mobilenet_v2", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("fpn", "tu-tf_efficientnet_lite2", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_the_network_normalises_as_its_encoder_was_trained(network, encoder, mean, std):
    made = make(network, encoder, num_classes=2, weights="none")
    seen = []
    made.body.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    images = torch.rand(2, 3, 64, 64)
    made.eval()(images)
    expected = (images - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    torch.testing.assert_close(seen[0], expected)


def test_mean_and_std_are_no_weights():
    names = make(num_classes=2, weights="none").state_dict()
    assert not {"mean", "std"} & {name.split(".")[-1] for name in names if not name.startswith("body.")}


@pytest.mark.parametrize(
    ("network", "encoder"), [("light", "tf_efficientnet_lite0"), ("fpn", "tu-tf_efficientnet_lite2")]
)
def test_packaged_weights_are_loaded(network, encoder):
    made = make(network, encoder, num_classes=2)
    stem = next(module for module in made.modules() if isinstance(module, torch.nn.Conv2d))
    state = packaged_state(encoder.removeprefix("tu-"))
    name, first = next(iter(state.items()))
    assert name == "conv_stem.weight"
    assert torch.equal(stem.weight, first)
    norm = next(module for module in made.modules() if isinstance(module, torch.nn.BatchNorm2d))
    assert torch.equal(norm.running_mean, state["bn1.running_mean"])


@pytest.mark.parametrize("encoder", PACKAGED)
def test_packaged_weights_classify_nothing_but_fit_every_tensor(encoder):
    expected = timm.create_model(encoder).state_dict()
    state = packaged_state(encoder)
    assert list(state) == list(expected)
    assert all(state[name].shape == tensor.shape for name, tensor in expected.items())


def test_weights_none_leaves_the_encoder_random():
    first, second = (make(num_classes=2, weights="none") for _ in range(2))
    assert not torch.equal(*(next(net.parameters()) for net in (first, second)))


@pytest.mark.parametrize(
    ("network", "encoder", "named"),
    [
        ("nonsense", "resnet18", "nonsense"),
        ("light", "nonsense", "nonsense"),
        ("pspnet", "nonsense", "nonsense"),
        ("fpn", "nonsense", "nonsense"),
        ("fpn", "tu-nonsense", "nonsense"),
        ("pspnet", "vit_tiny_patch16_224", "dilated"),
        ("light", "vit_tiny_patch16_224", "vit_tiny_patch16_224"),
        ("dpt", "resnet18", "dpt"),
        ("lraspp", "resnet18", "resnet18"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(network, encoder, named):
    with pytest.raises(ConfigError, match=named) as refusal:
        make(network, encoder, num_classes=2, weights="none")
    assert "\n" not in str(refusal.value)


def test_without_network_the_light_encoder_is_refused_in_one_line(monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("Failed to resolve 'hub'\nno route")

    monkeypatch.setattr(weights_module.timm, "create_model", offline)
    with pytest.raises(ConfigError, match=r"'resnet18' could not be loaded.*weights: none") as refusal:
        make("light", "resnet18", num_classes=2)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("error", [ConnectionError, OSError, RuntimeError, ValueError])
def test_without_network_an_smp_encoder_is_refused_in_one_line(monkeypatch, error):
    def offline(*args, **kwargs):
        raise error("Failed to resolve 'hub'\nno route")

    monkeypatch.setattr(smp.encoders, "hf_hub_download", offline)
    with pytest.raises(ConfigError, match=r"'resnet18' could not be loaded.*weights: none") as refusal:
        make("fpn", "resnet18", num_classes=2)
    assert "\n" not in str(refusal.value)


def test_the_packaged_encoder_asks_no_hub(monkeypatch):
    def offline(*args, **kwargs):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_url", offline)
    make("light", "tf_efficientnet_lite0", num_classes=2)


def test_a_package_of_other_weights_is_refused(monkeypatch):
    monkeypatch.setitem(PACKAGED, "tf_efficientnet_lite2", PACKAGED["tf_efficientnet_lite0"])
    with pytest.raises(ConfigError, match="do not fit timm's tf_efficientnet_lite2"):
        packaged_state("tf_efficientnet_lite2")


def test_without_network_lraspp_is_refused_in_one_line(monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("Failed to resolve 'download'\nno route")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(ConfigError, match=r"'mobilenet_v3_large' could not be loaded.*weights: none") as refusal:
        make("lraspp", "mobilenet_v3_large", num_classes=2)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("strides", [(8, 16, 32), (4, 8, 16), (8, 16), (16,)])
def test_the_light_network_fuses_the_strides_asked_for_and_ends_there(strides):
    made = make(num_classes=2, weights="none", strides=strides)
    assert made(torch.rand(1, 3, 64, 96)).shape == (1, 2, 64 // strides[0], 96 // strides[0])
    whole = make(num_classes=2, weights="none")
    count = [sum(p.numel() for p in net.body.encoder.parameters()) for net in (made, whole)]
    assert (count[0] < count[1]) == (strides[-1] < 32)


@pytest.mark.parametrize("strides", [(), (8, 4), (4, 4), (2, 4), (64,)])
def test_strides_no_encoder_has_are_refused(strides):
    with pytest.raises(ConfigError, match="rising order"):
        make(num_classes=2, weights="none", strides=strides)


def test_a_scale_makes_the_body_see_a_smaller_image():
    network = SegmentationNetwork(torch.nn.AvgPool2d(4), ((0.0,) * 3, (1.0,) * 3), scale=0.5)
    assert network(torch.rand(1, 3, 72, 96)).shape == (1, 3, 9, 12)
    torch.testing.assert_close(network(torch.full((1, 3, 70, 90), 0.25))[..., :8, :11], torch.full((1, 3, 8, 11), 0.25))


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_a_scale_that_makes_no_sense_is_refused(scale):
    with pytest.raises(ConfigError, match="scale must be"):
        make(num_classes=2, weights="none", scale=scale)


@pytest.mark.parametrize("width", [16, 64])
def test_the_light_head_is_as_wide_as_asked(width):
    assert make(num_classes=7, weights="none", width=width).body.classifier.weight.shape == (7, width, 1, 1)


def test_a_network_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr("weclick.models.factory.MAX_PARAMETERS", 10_000)
    with pytest.raises(
        ConfigError, match="network light: it has more than 10,000 parameters; choose a smaller encoder"
    ):
        make_network(NetworkOptions("light", "mobilenetv3_small_050", weights="none"), 3)
    torch.nn.Linear(200, 200)  # the limit was of that network only


@pytest.mark.parametrize("encoder", ["hf-hub:timm/resnet18", "tu-hf-hub:timm/resnet18", "tu-hf_hub:timm/resnet18"])
@pytest.mark.parametrize("name", ["light", "fpn", "pspnet"])
def test_promise_11_no_hub_is_asked_for_an_encoder(name, encoder):
    with pytest.raises(ConfigError, match=f"unknown encoder '{encoder}'"):
        make_network(NetworkOptions(name, encoder, weights="none"), 3)
