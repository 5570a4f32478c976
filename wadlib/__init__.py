"""wadlib: the methods of *Instance Level Object Segmentation in Videos*, one module each.

``import wadlib`` is instant: nothing heavy is imported until a module that needs it is.
Layers, low to high (a module imports only from layers below its own)::

    errors files parallel labels frames preprocess dataset rendered metrics interop
    graphcut unet maskrcnn tracking figures viewer cli
"""

__version__ = "0.1.0"
