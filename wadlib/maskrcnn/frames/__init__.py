"""What Mask R-CNN is shown: pictures, views, ground truth, augmentation."""
