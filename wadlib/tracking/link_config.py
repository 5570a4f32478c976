"""The settings of a linker."""

from dataclasses import dataclass

from wadlib.errors import TrackingError
from wadlib.tracking.motion import Camera


@dataclass(frozen=True)
class LinkConfig:
    """How tracks are linked.

    Attributes
    ----------
    hypotheses : of "stay", "velocity", "flow", "ego"
        See `wadlib.tracking.motion`. "flow" needs images, "ego" needs `camera`.
    box_weight : float
        Similarity is `box_weight` * IoU of grown boxes + the rest * IoU of the shifted mask.
    grow_px : float
        How far boxes are grown, in pixels of an 832-pixel-wide picture.
    gate : float
        Smallest similarity of a link.
    smoothing : float
        Weight of the newest displacement in the velocity, 0 to 1.
    max_age : int
        Frames that a track may be unseen.
    max_age_s : float
        Seconds that it may be unseen: after a longer gap in the video every track is a new one.
    sure : float
        Detections of this score or more are linked first; the others may only go on tracks of the frame before.
    camera : Camera, optional
    """

    hypotheses: tuple[str, ...] = ("stay", "velocity", "flow")
    box_weight: float = 0.7
    grow_px: float = 3.0
    gate: float = 0.05
    smoothing: float = 0.4
    max_age: int = 12
    max_age_s: float = 30.0
    sure: float = 0.3
    camera: Camera | None = None

    def __post_init__(self) -> None:
        unknown = set(self.hypotheses) - {"stay", "velocity", "flow", "ego"}
        if unknown or not self.hypotheses:
            raise TrackingError(
                f"LinkConfig: expected hypotheses of 'stay', 'velocity', 'flow' and 'ego', got {self.hypotheses}",
                cause="a typing slip",
                fix="leave it out: the default is what was found to work best",
            )
        if "ego" in self.hypotheses and self.camera is None:
            raise TrackingError(
                "LinkConfig: the hypothesis 'ego' needs a camera, got none",
                cause="the ground plane is known for a camera, not in general",
                fix="LinkConfig(hypotheses=…, camera=Camera.wad(5))",
            )
