"""The interactive mask viewer: ``from wadlib.viewer import MaskViewer``.

It draws in the browser (an anywidget): frames travel once, as JPEG pictures and deflated labels, and
every change of the view after that costs Python nothing.

Where it runs. JupyterLab, and pages without Python, are tested in a real browser. VS Code and Colab could not be tried
here; what anywidget's documentation and their own sources ask of a widget is met, and each of it is tested:

- one ES module without imports, whose default export has ``render``, which returns its clean-up; nothing is loaded from
  anywhere; of the model only ``get``, ``set``, ``save_changes``, ``on``, ``off`` and ``send`` are used;
- bytes may arrive as ``DataView`` (Jupyter), ``Uint8Array`` (Colab) or ``ArrayBuffer``. A host that loses the bytes in
  a widget's state gets the first frame by message, like all others;
- in Colab the display carries the address of the manager for custom widgets, which anywidget switches on by itself;
- in VS Code, colours come from its theme, and a saved picture from a link inside the page. anywidget's own script is
  found on the disk of the kernel; for a remote one, VS Code asks once whether it may load it from the web;
- where a page may not fill the screen, the viewer fills its frame.
"""

import lazy_loader

# The name stands in __init__.pyi; anywidget and ipywidgets, half a second, come with its first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
