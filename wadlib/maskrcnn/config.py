"""What a Mask R-CNN looks like and how it is trained: one frozen `Config`, a comment per field.

Ready made: `Config.report` (as published), `Config.coco` (for the released weights), `Config.classroom` (for a laptop).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from wadlib._shared.typed import wrong_field
from wadlib.errors import SegmentationError
from wadlib.labels import IDS
from wadlib.maskrcnn.config_rules import BACKBONES, MOST_CLASSES, rules
from wadlib.preprocess import NETWORK_SHAPE, VIEWS

__all__ = ["BACKBONES", "Config", "LossWeights"]

# COCO's numbers of the classes that WAD has too (COCO knows no tricycle).
_COCO_TO_WAD = {1: 36, 2: 35, 3: 33, 4: 34, 6: 39, 8: 38}


@dataclass(frozen=True)
class LossWeights(Mapping[str, float]):
    """A weight for each of the five losses; reads like a dict.

    More weight on box and mask loss than on the class loss "could have helped", says the report (section 5).

    Examples
    --------
    >>> dict(LossWeights(mrcnn_class_loss=0.5))["mrcnn_class_loss"]
    0.5
    """

    rpn_class_loss: float = 1.0
    rpn_bbox_loss: float = 1.0
    mrcnn_class_loss: float = 1.0
    mrcnn_bbox_loss: float = 1.0
    mrcnn_mask_loss: float = 1.0

    def __getitem__(self, name: str) -> float:
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return float(getattr(self, name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dataclass_fields__)

    def __len__(self) -> int:
        return len(self.__dataclass_fields__)


@dataclass(frozen=True)
class Config:
    """The numbers behind one Mask R-CNN. Frozen: use `replace` for a changed copy.

    Examples
    --------
    >>> small = Config.report().replace(image_shape=(128, 192), proposals_inference=50)
    >>> small.image_shape, Config.from_dict(small.to_dict()) == small
    ((128, 192), True)
    """

    # --- the picture -----------------------------------------------------------------------------
    name: str = "report"  # names runs and weight files
    image_shape: tuple[int, int] = NETWORK_SHAPE  # height, width; multiples of 64 (the pyramid halves six times)
    mean_pixel: tuple[float, float, float] = (123.7, 116.8, 103.9)  # RGB, subtracted from the picture
    pixel_scale: float = 1.0  # what the picture is divided by afterwards
    view: str = "report"  # what it shows of a 3384x2710 frame, see _SHOWN
    num_classes: int = 8  # background included
    wad_classes: tuple[int, ...] = ()  # WAD id of each network class, 0 for none; () for background and the seven

    # --- the network -----------------------------------------------------------------------------
    backbone: str = "resnet50"  # one of BACKBONES
    strides: tuple[int, ...] = (4, 8, 16, 32, 64)  # pixels per cell on P2 … P6
    fpn_channels: int = 256  # channels of P2 … P6
    rpn_channels: int = 512  # channels of the RPN's shared layer
    head_channels: int = 1024  # width of the two layers of the class and box head
    mask_channels: int = 256  # channels of the mask head
    separable: bool = False  # FPN, RPN and mask head of depthwise + pointwise instead of full 3x3 convolutions
    train_bn: bool = False  # batch statistics in training; False (batches are small): a scale and shift that learn
    dtype: str = "float32"  # or "mixed_bfloat16": convolutions in bfloat16; boxes, NMS and softmax stay float32

    # --- anchors and proposals -------------------------------------------------------------------
    anchor_scales: tuple[float, ...] = (8, 16, 32, 64, 128)  # side of the square anchor in pixels, on P2 … P6
    anchor_ratios: tuple[float, ...] = (0.5, 1, 2)  # width / height
    anchor_stride: int = 1  # an anchor in each cell (1) or in every other cell (2)
    box_std: tuple[float, float, float, float] = (0.1, 0.1, 0.2, 0.2)  # dy, dx, log dh, log dw are divided by these
    pre_nms_limit: int = 6000  # best anchors that go into non-maximum suppression
    rpn_nms_threshold: float = 0.7  # proposals that overlap a better one by more (IoU) are dropped
    proposals_training: int = 1000  # proposals kept in training
    proposals_inference: int = 500  # and in inference

    # --- targets ---------------------------------------------------------------------------------
    rpn_train_anchors: int = 256  # anchors per picture that the RPN learns from, at most half of them positive
    rois_per_image: int = 32  # proposals per picture that the heads learn from
    roi_positive_share: float = 0.33  # of them on an object
    truth_as_proposals: bool = False  # objects' own boxes join the proposals in training: help before the RPN is good
    max_gt_instances: int = 50  # objects per picture used in training
    mini_mask_shape: tuple[int, int] = (56, 56)  # an object's mask is kept as its box, resized to this
    proposal_gradient: bool = False  # True: box targets pass a gradient to the RPN, as in the original (slower)

    # --- heads and detections --------------------------------------------------------------------
    pool_size: int = 7  # RoIAlign cells per side for class and box
    mask_pool_size: int = 14  # RoIAlign cells per side for the mask; the mask head doubles them
    max_instances: int = 100  # detections per picture
    min_confidence: float = 0.9  # a detection's score is at least this
    every_class: bool = False  # a proposal may become a detection of each class; False: of its best one, as originally
    nms_threshold: float = 0.3  # detections of one class that overlap a better one by more (IoU) are dropped

    # --- training --------------------------------------------------------------------------------
    loss_weights: LossWeights = LossWeights()
    optimizer: str = "sgd"  # or "adam": the report's text says adam, its code runs SGD
    learning_rate: float = 0.001
    momentum: float = 0.9  # of SGD
    weight_decay: float = 0.0001  # L2 on kernels and biases, each divided by its size
    clip_norm: float = 5.0  # largest norm of all gradients taken together
    batch_size: int = 1  # pictures per training step
    seed: int = 0  # of the initial weights and of the draws while training

    def __post_init__(self) -> None:
        for name in ("image_shape", "mean_pixel", "wad_classes", "strides", "anchor_scales", "anchor_ratios", "box_std",
                     "mini_mask_shape"):  # fmt: skip
            if isinstance(getattr(self, name), list):  # from JSON
                object.__setattr__(self, name, tuple(getattr(self, name)))
        if isinstance(self.loss_weights, Mapping) and not isinstance(self.loss_weights, LossWeights):
            object.__setattr__(self, "loss_weights", _loss_weights(self.loss_weights))
        wrong = wrong_field(self) or wrong_field(self.loss_weights)
        if wrong is not None:  # the types first: the rules below compare and count
            raise _config_error(*wrong)
        if not self.wad_classes and self.num_classes <= MOST_CLASSES:
            ids = (0, *IDS, *[0] * self.num_classes)[: max(self.num_classes, 0)]
            object.__setattr__(self, "wad_classes", ids)
        for field, expected, holds in rules(self):
            if not holds:
                raise _config_error(field, expected, getattr(self, field))

    # --- what follows from the fields ------------------------------------------------------------

    @property
    def mask_shape(self) -> tuple[int, int]:
        """Height and width of a predicted mask: the transposed convolution doubles its pool size."""
        return 2 * self.mask_pool_size, 2 * self.mask_pool_size

    @property
    def feature_shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width in cells of P2 … P6."""
        height, width = self.image_shape
        return tuple((-(-height // stride), -(-width // stride)) for stride in self.strides)

    @property
    def positive_rois(self) -> int:
        """Most RoIs per picture that can be on an object, hence have a box and a mask to learn."""
        return int(self.rois_per_image * self.roi_positive_share)

    # --- ready made ------------------------------------------------------------------------------

    @classmethod
    def report(cls) -> Config:
        """Configure what the report published: ResNet-50, 832x640, five pictures a step, small anchors."""
        return cls(batch_size=5)

    @classmethod
    def coco(cls) -> Config:
        """Configure what the released COCO weights fit: ResNet-101 and 81 classes, of which WAD has six."""
        return cls(
            name="coco",
            view="whole",
            backbone="resnet101",
            image_shape=(1024, 1024),
            num_classes=81,
            wad_classes=tuple(_COCO_TO_WAD.get(number, 0) for number in range(81)),
            anchor_scales=(32, 64, 128, 256, 512),
            proposals_training=2000,
            proposals_inference=1000,
            rois_per_image=200,
            max_gt_instances=100,
            min_confidence=0.7,
            batch_size=2,
        )

    @classmethod
    def classroom(cls) -> Config:
        """Configure a network for a laptop: a light backbone and thin heads, on the strip that holds the objects.

        Rows 1560 to 2280 hold 99.7 % of all objects. Rows 1536 to 2304 at half resolution have 1.2 times as many
        pixels as the report's 832x640 frame, and show each object with four times as many.
        """
        return cls(
            name="classroom",
            view="strip",
            backbone="lite0",
            image_shape=VIEWS["strip"].shape,
            mean_pixel=(127.0, 127.0, 127.0),
            pixel_scale=128.0,
            fpn_channels=96,
            rpn_channels=96,
            head_channels=384,
            mask_channels=96,
            separable=True,
            anchor_scales=(10, 20, 44, 96, 208),
            pre_nms_limit=2000,
            proposals_training=400,
            proposals_inference=300,
            rois_per_image=128,
            truth_as_proposals=True,
            max_gt_instances=100,
            min_confidence=0.5,
            nms_threshold=0.5,  # 0.3 loses objects that stand close together
            optimizer="adam",
        )

    # --- copies ----------------------------------------------------------------------------------

    def replace(self, **changes: Any) -> Config:
        """Return a copy with some fields changed."""
        _check_names(changes)
        if "num_classes" in changes and "wad_classes" not in changes:
            changes["wad_classes"] = ()
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict that JSON can hold."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in (asdict(self) | {"loss_weights": dict(self.loss_weights)}).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """Build from what `to_dict` gave; fields that are left out have their defaults."""
        if not isinstance(values, Mapping):
            raise _config_error("the configuration", "fields by name", values)
        _check_names(values)
        return cls(**values)


def _loss_weights(values: Mapping[str, float]) -> LossWeights:
    unknown = set(values) - set(LossWeights())
    if unknown:
        raise _config_error("loss_weights", f"names among {', '.join(LossWeights())}", sorted(unknown))
    return LossWeights(**values)


def _config_error(field: str, expected: str, value: object) -> SegmentationError:
    return SegmentationError(
        f"Config: expected {field} to be {expected}, got {value!r}",
        cause="a typing slip, or a value meant for another field",
        fix=f"Config.report().replace({field}=…) with a value as expected; the fields are explained in config.py",
    )


def _check_names(values: Mapping[str, Any]) -> None:
    known = [field.name for field in fields(Config)]
    unknown = sorted(str(name) for name in set(values) - set(known))
    if unknown:
        raise SegmentationError(
            f"Config: expected the names of its fields, got {', '.join(unknown)}",
            cause="a typing slip, or a file written by another version",
            fix=f"use names among {', '.join(known)}",
        )
