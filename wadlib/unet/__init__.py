"""U-Net: section 2.2 of the report. ``import wadlib.unet`` is instant, Keras comes with the first use."""

import lazy_loader

# The names stand in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
