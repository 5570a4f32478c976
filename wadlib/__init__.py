"""wadlib: the methods of *Instance Level Object Segmentation in Videos*, a small core and one room per method.

``import wadlib as wad`` is instant, and offers the names that nearly every script needs; each is loaded when it is
first used. They are listed once, in ``__init__.pyi``, where type checkers and editors find them too.

>>> import wadlib as wad
>>> wad.decode(33007)
(np.uint16(33), np.uint16(7))

The core is read in half an hour: ``errors, labels, frames, preprocess, overlap, iou``. Above it stand the rooms, low
to high; a module imports only from its own or lower ones::

    dataset, instances, interop  rendered  metrics  graphcut  training  unet, maskrcnn  tracking
    figures  viewer  course  cli
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, _, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]


def __dir__() -> list[str]:
    return list(__all__)
