"""Former place of `wadlib.instances.instances_file`, for scripts that were written before it moved."""

from wadlib.instances.instances_file import InstancesFile as DetectionFile
from wadlib.instances.instances_file import frame_name

__all__ = ["DetectionFile", "frame_name"]
