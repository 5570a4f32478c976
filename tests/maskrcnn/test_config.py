"""The configuration: what is ready made, what is refused, and that it survives a file."""

import json
import subprocess
import sys

import pytest

from wadlib.course.facts import report_facts
from wadlib.errors import ImageError, SegmentationError
from wadlib.maskrcnn import Config
from wadlib.maskrcnn.config import LossWeights
from wadlib.maskrcnn.frames.views import config_for_view

READY = [Config.report(), Config.coco(), Config.classroom()]


def test_report_is_as_published():
    config = Config.report()
    facts = {key: fact.value for key, fact in report_facts().items()}
    size = facts["network_input"]
    assert config.image_shape == (size["height"], size["width"])
    assert config.backbone == facts["backbone"]
    assert list(config.anchor_scales) == facts["anchor_scales"]
    assert config.rois_per_image == facts["train_rois_per_image"]
    assert config.max_gt_instances == facts["max_gt_instances"]
    assert config.proposals_inference == facts["post_nms_rois_inference"]
    assert config.proposals_training == facts["post_nms_rois_training"]
    assert config.learning_rate == facts["learning_rate"]
    assert config.momentum == facts["momentum"]
    assert config.weight_decay == facts["weight_decay"]
    assert config.batch_size == facts["images_per_step"]
    assert config.min_confidence == facts["min_confidence"]


def test_what_follows_from_the_fields():
    config = Config.report()
    assert config.feature_shapes == ((160, 208), (80, 104), (40, 52), (20, 26), (10, 13))
    assert config.mask_shape == (28, 28)
    assert config.positive_rois == 10  # a third of 32, rounded down as in the original
    assert config.wad_classes == (0, 33, 34, 35, 36, 38, 39, 40)


def test_coco_has_six_of_the_seven_classes():
    config = Config.coco()
    found = {number: wad for number, wad in enumerate(config.wad_classes) if wad}
    # Numbers of COCO: 1 person, 2 bicycle, 3 car, 4 motorcycle, 6 bus, 8 truck.
    assert found == {1: 36, 2: 35, 3: 33, 4: 34, 6: 39, 8: 38}


def test_another_view_keeps_the_anchors_as_large_on_the_road():
    there = config_for_view("report", Config.classroom())
    assert (there.view, there.image_shape, there.anchor_scales) == ("report", (640, 832), (5, 10, 22, 48, 104))
    assert config_for_view("strip", there) == Config.classroom()
    assert config_for_view("report", Config.report()) == Config.report()
    for config, view in ((Config.coco(), "strip"), (Config.report(), "whole")):
        with pytest.raises(ImageError, match="one of the views report, strip, got 'whole'"):
            config_for_view(view, config)


@pytest.mark.parametrize("config", READY, ids=lambda config: config.name)
def test_survives_json(config):
    config = config.replace(loss_weights={"mrcnn_class_loss": 0.25})
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert hash(config) == hash(Config.from_dict(config.to_dict()))


def test_is_frozen():
    with pytest.raises(AttributeError):
        Config.report().num_classes = 3


def test_another_number_of_classes_forgets_what_the_classes_were():
    assert Config.report().replace(num_classes=3).wad_classes == (0, 33, 34)
    assert Config.coco().replace(num_classes=8).wad_classes == Config.report().wad_classes


def test_loss_weights_read_like_a_dict():
    weights = LossWeights(mrcnn_class_loss=0.5)
    assert list(weights) == [
        "rpn_class_loss", "rpn_bbox_loss", "mrcnn_class_loss", "mrcnn_bbox_loss", "mrcnn_mask_loss",
    ]  # fmt: skip
    assert sum(weights.values()) == 4.5
    with pytest.raises(KeyError):
        weights["loss"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_shape", (640, 830)),
        ("image_shape", (0, 64)),
        ("image_shape", (640,)),
        ("image_shape", (640_000, 832_000)),
        ("image_shape", (640.0, 832)),
        ("backbone", "vgg16"),
        ("view", "half"),
        ("dtype", "float16"),
        ("optimizer", "rmsprop"),
        ("num_classes", 1),
        ("wad_classes", (0, 33)),
        ("wad_classes", (0, 33, 34, 35, 36, 38, 39, 99)),
        ("strides", (2, 4, 8, 16, 32)),
        ("anchor_scales", (8, 16, 32, 64)),
        ("anchor_scales", (8, 16, 32, 64, 0)),
        ("anchor_ratios", ()),
        ("anchor_stride", 3),
        ("box_std", (0.1, 0.1, 0.2, 0.0)),
        ("mean_pixel", (1.0,)),
        ("mini_mask_shape", (56, 0)),
        ("pool_size", 0),
        ("batch_size", 1.5),
        ("rpn_nms_threshold", 1.5),
        ("min_confidence", -0.1),
        ("roi_positive_share", 0.0),
        ("roi_positive_share", 1.5),
        ("roi_positive_share", -1e308),
        ("learning_rate", 0.0),
        ("pixel_scale", 0.0),
        ("momentum", 1.0),
        ("weight_decay", -1.0),
        ("loss_weights", {"rpn_class_loss": -1.0}),
    ],
)
def test_bad_values_are_refused(field, value):
    with pytest.raises(SegmentationError, match=f"expected {field} to be"):
        Config.report().replace(**{field: value})


def test_truth_as_proposals_needs_room():
    with pytest.raises(SegmentationError, match="max_gt_instances"):
        Config.classroom().replace(max_gt_instances=500)


@pytest.mark.parametrize("build", [Config.report().replace, lambda **values: Config.from_dict(values)])
def test_unknown_names_are_refused(build):
    with pytest.raises(SegmentationError, match="got anchor_scale"):
        build(anchor_scale=3)


WILD = [None, True, -1, 0, 10**400, 1e308, -1e308, float("nan"), float("inf"), "", "7", [], [[]], {}, {"a": 1}, [None]]


@pytest.mark.parametrize("field", sorted(Config.report().to_dict()))
def test_a_field_of_any_kind_is_taken_or_refused(field):
    """The type of every field before its rules: of 479 wild values 119 ended in a traceback."""
    for value in [*WILD, *([value] * 2 for value in WILD), *([value] * 5 for value in WILD)]:
        try:
            config = Config.from_dict({**Config.classroom().to_dict(), field: value})
        except SegmentationError:
            continue
        assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("values", [None, 5, "name", [1], {3: 4, "x": 5}])
def test_what_is_no_configuration(values):
    with pytest.raises(SegmentationError, match="Config: expected"):
        Config.from_dict(values)


def test_unknown_losses_are_refused():
    with pytest.raises(SegmentationError, match=r"got \['loss'\]"):
        Config.report().replace(loss_weights={"loss": 1.0})


def test_reading_a_configuration_does_not_wait_for_tensorflow():
    code = (
        "import sys; from wadlib.maskrcnn import Config; import wadlib.maskrcnn.network.anchors as a; "
        "a.pyramid_anchors(Config.report()); sys.exit('keras' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_attributes_of_the_package():
    import wadlib.maskrcnn

    with pytest.raises(AttributeError, match="MaskRCN"):
        wadlib.maskrcnn.MaskRCN  # noqa: B018
