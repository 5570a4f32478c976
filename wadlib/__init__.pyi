from .dataset import Frame as Frame
from .dataset import Video as Video
from .dataset import open_wad as open_wad
from .frames import read_image as read_image
from .frames import read_label as read_label
from .frames import write_label as write_label
from .instances import Instances as Instances
from .iou import pooled_iou as pooled_iou
from .iou import report_iou as report_iou
from .labels import BACKGROUND as BACKGROUND
from .labels import CLASSES as CLASSES
from .labels import IGNORE as IGNORE
from .labels import decode as decode
from .labels import encode as encode
from .overlap import Overlap as Overlap
from .preprocess import crop_and_downscale as crop_and_downscale
from .viewer import MaskViewer as MaskViewer

__version__: str
