"""Identities through time: which instance of a frame is which of the frame before, and what time is worth."""

from wadlib.tracking.clock import frame_times
from wadlib.tracking.fill import Tracked, fill_gaps
from wadlib.tracking.flow import Flow
from wadlib.tracking.lattice import adaptive_keys, fill_between
from wadlib.tracking.link_config import LinkConfig
from wadlib.tracking.linking import Linker, link
from wadlib.tracking.rescore import track_support
from wadlib.tracking.warp import FlowBothWays, flow_both_ways, flow_links, temporal_mean, warp

__all__ = [
    "Flow",
    "FlowBothWays",
    "LinkConfig",
    "Linker",
    "Tracked",
    "adaptive_keys",
    "fill_between",
    "fill_gaps",
    "flow_both_ways",
    "flow_links",
    "frame_times",
    "link",
    "temporal_mean",
    "track_support",
    "warp",
]
