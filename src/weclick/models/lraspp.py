"""LR-ASPP of torchvision, a common network on phones, for comparison."""

from __future__ import annotations

from torch import Tensor, nn
from torchvision.models import segmentation

from weclick.errors import ConfigError
from weclick.models.weights import no_weights

ENCODER = "mobilenet_v3_large"


class LRASPP(nn.Module):
    """LR-ASPP on MobileNetV3-Large.

    Args:
        encoder: ``mobilenet_v3_large``, the only one torchvision builds it on.
        num_classes: Number of classes.
        pretrained: Start the encoder from ImageNet weights, through torchvision's own loader.

    Shape:
        (B, 3, H, W), H and W divisible by 8, to logits (B, num_classes, H / 8, W / 8).

    Raises:
        ConfigError: Another encoder, or weights that cannot be loaded.

    References:
        Howard et al.: Searching for MobileNetV3, ICCV 2019, section 6.4.
    """

    def __init__(self, encoder: str, num_classes: int, *, pretrained: bool = True) -> None:
        super().__init__()
        if encoder != ENCODER:
            raise ConfigError(f"lraspp is built on {ENCODER} only, found encoder {encoder!r}")
        try:
            network = segmentation.lraspp_mobilenet_v3_large(
                weights=None, weights_backbone="DEFAULT" if pretrained else None, num_classes=num_classes
            )
        except Exception as error:  # a download fails in many ways
            raise no_weights(encoder, error) from None
        self.backbone, self.classifier = network.backbone, network.classifier
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = (
                    0.1  # torchvision's 0.01 has not left the initial 1 after the hundreds of steps of a fit
                )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits at stride 8."""
        logits: Tensor = self.classifier(self.backbone(images))
        return logits
