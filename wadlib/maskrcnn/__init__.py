"""Mask R-CNN in Keras 3 (section 4.1 of the report), readable module by module.

`Config` describes a network, `MaskRCNN` is one, `Instances` is what it finds in a picture. Each is loaded when it is
first used, so that reading a configuration or a list of instances does not wait for TensorFlow.

>>> from wadlib.maskrcnn import Config
>>> Config.report().image_shape
(640, 832)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wadlib.instances import Instances
    from wadlib.maskrcnn.config import Config
    from wadlib.maskrcnn.model import MaskRCNN

__all__ = ["Config", "Instances", "MaskRCNN"]

_HOME = {"Config": "maskrcnn.config", "Instances": "instances", "MaskRCNN": "maskrcnn.model"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"wadlib.{_HOME[name]}"), name)
