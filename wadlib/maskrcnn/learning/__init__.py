"""How Mask R-CNN learns: targets, losses, optimizers, the plan of a run."""
