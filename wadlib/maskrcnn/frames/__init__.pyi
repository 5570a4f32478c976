from .data import TrainingBatches as TrainingBatches
from .ground_truth import GroundTruth as GroundTruth
from .images import as_rgb as as_rgb
from .images import canvas as canvas
from .images import label_canvas as label_canvas
from .images import normalise as normalise
from .views import Placement as Placement
from .views import config_for_view as config_for_view
