from . import losses as losses
from .optimizers import optimizer as optimizer
from .plan import Plan as Plan
from .plan import TrainStage as TrainStage
from .training import copy_paste_of as copy_paste_of
from .training import instances_of_classes as instances_of_classes
from .training import train_maskrcnn as train_maskrcnn
