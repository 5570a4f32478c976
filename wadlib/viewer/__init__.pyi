from .widget import MaskViewer as MaskViewer
