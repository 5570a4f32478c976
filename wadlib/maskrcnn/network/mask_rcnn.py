"""Mask R-CNN as one forward pass: read `Network.forward` beside section 4.1 of the report.

Each line of it is a stage, and each stage is a file of this folder: `backbone`, `fpn`, `rpn`, `proposals`, `roi`,
`heads`, `detections`. Before the pass, `wadlib.maskrcnn.frames.images` brings a picture to the network's size and
subtracts the mean; after it, the same module turns boxes and masks into instances of that picture. In training
`wadlib.maskrcnn.learning.forward` takes the same layers.
"""

from typing import Any

import keras
from keras import ops

from wadlib.maskrcnn.config import Config
from wadlib.maskrcnn.network.backbone import backbone
from wadlib.maskrcnn.network.detections import detection_layer
from wadlib.maskrcnn.network.fpn import pyramid
from wadlib.maskrcnn.network.gather import take_class
from wadlib.maskrcnn.network.heads import ClassHead, MaskHead
from wadlib.maskrcnn.network.layers import Step
from wadlib.maskrcnn.network.proposals import proposal_layer
from wadlib.maskrcnn.network.roi import RoIAlign
from wadlib.maskrcnn.network.rpn import rpn_model, rpn_on_pyramid


class Network:
    """Holds the layers of a Mask R-CNN and the symbolic tensors of one pass through them.

    Parameters
    ----------
    config : Config

    Attributes
    ----------
    image, window : inputs of `forward`
    tensors : dict
        What `forward` returned for them.
    rpn, class_head, mask_head
        Layers with weights, made once: training and `masks_of_detections` use them too.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.rpn = rpn_model(config)
        self.proposals = proposal_layer(config)
        self.align = RoIAlign(config.pool_size, config, name="roi_align_classifier")
        self.class_head = ClassHead(config)
        self.detections = detection_layer(config)
        self.align_for_mask = RoIAlign(config.mask_pool_size, config, name="roi_align_mask")
        self.mask_head = MaskHead(config)
        self.image = keras.Input((*config.image_shape, 3), name="image")
        self.window = keras.Input((4,), name="window")
        self.tensors = self.forward(self.image, self.window)

    def forward(self, image: Any, window: Any) -> dict[str, Any]:
        """Build the pass from a picture to its objects.

        The sizes below are those of `Config.report`: A = 132,990 anchors, 500 proposals (RoIs), K = 8 classes with
        background, at most 100 objects.

        Parameters
        ----------
        image : (B, H, W, 3)
            Mean subtracted.
        window : (B, 4) normalised
            The part of each input that is picture and not padding.

        Returns
        -------
        dict
            Every result on the way, by the original's names.
        """
        c = backbone(image, self.config)  # C2 (B, H/4, W/4, 256), C3 (B, H/8, W/8, 512), C4, C5 (B, H/32, W/32, 2048)
        p = pyramid(c, self.config)  # P2 (B, H/4, W/4, 256), P3 (B, H/8, W/8, 256) … P6 (B, H/64, W/64, 256)
        maps = [p["P2"], p["P3"], p["P4"], p["P5"]]  # for the heads; P6 serves the largest anchors only

        # First stage: is there an object at an anchor, and how far is its box from the anchor?
        rpn_logits, rpn_scores, rpn_deltas = rpn_on_pyramid(self.rpn, p)  # (B, A, 2), (B, A, 2), (B, A, 4)
        rois = self.proposals(rpn_scores, rpn_deltas)  # (B, 500, 4)

        # Second stage, RoI by RoI: which class, and how far is its box from the RoI?
        pooled = self.align(rois, *maps)  # (B, 500, 7, 7, 256)
        logits, scores, deltas = self.class_head(pooled)  # (B, 500, K), (B, 500, K), (B, 500, K, 4)
        detections = self.detections(rois, scores, deltas, window)  # (B, 100, 6): box, class, score

        # The mask comes last: the box that was found fits the object better than the RoI did.
        mask_pooled = self.align_for_mask(detections[..., :4], *maps)  # (B, 100, 14, 14, 256)
        masks = self.mask_head(mask_pooled)  # (B, 100, 28, 28, K)
        return {
            **c,
            **p,
            "rpn_class_logits": rpn_logits,
            "rpn_class": rpn_scores,
            "rpn_bbox": rpn_deltas,
            "rpn_rois": rois,
            "roi_align_classifier": pooled,
            "mrcnn_class_logits": logits,
            "mrcnn_class": scores,
            "mrcnn_bbox": deltas,
            "mrcnn_detection": detections,
            "roi_align_mask": mask_pooled,
            "mrcnn_mask": masks,
        }

    def masks_of_detections(self, count: int) -> keras.Model:
        """Make the last lines of `forward` a model of its own, for as many objects as were found.

        Parameters
        ----------
        count : int
            Detections per picture.

        Returns
        -------
        keras.Model, from ``detections`` (B, count, 6) and ``P2`` … ``P5`` to (B, count, 28, 28): the mask of each
        one's class.
        """
        detections = keras.Input((count, 6), name="detections")
        maps = {
            name: keras.Input(self.tensors[name].shape[1:], dtype=self.tensors[name].dtype, name=name)
            for name in ("P2", "P3", "P4", "P5")
        }
        masks = self.mask_head(self.align_for_mask(detections[..., :4], *maps.values()))  # (B, count, 28, 28, K)

        def of_own_class(masks: Any, detections: Any) -> Any:
            return take_class(ops.moveaxis(masks, 4, 2), ops.cast(detections[..., 4], "int32"))

        pick = Step(of_own_class, ((count, *self.config.mask_shape), "float32"), name="mask_of_class")
        return keras.Model({"detections": detections, **maps}, pick(masks, detections), name="masks")
