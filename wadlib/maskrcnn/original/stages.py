"""Which layer of the original network computes which tensor of ours."""

STAGES = {
    "C2": "res2c_out",
    "C3": "res3d_out",
    "C4": "res4f_out",
    "C5": "res5c_out",
    "P2": "fpn_p2",
    "P3": "fpn_p3",
    "P4": "fpn_p4",
    "P5": "fpn_p5",
    "P6": "fpn_p6",
    "rpn_class": "rpn_class",
    "rpn_bbox": "rpn_bbox",
    "rpn_rois": "ROI",
    "roi_align_classifier": "roi_align_classifier",
    "mrcnn_class_logits": "mrcnn_class_logits",
    "mrcnn_class": "mrcnn_class",
    "mrcnn_bbox": "mrcnn_bbox",
    "mrcnn_detection": "mrcnn_detection",
    "roi_align_mask": "roi_align_mask",
    "mrcnn_mask": "mrcnn_mask",
}
"""Name of a tensor in our network (`wadlib.maskrcnn.MaskRCNN.stages`) -> the original's layer."""
