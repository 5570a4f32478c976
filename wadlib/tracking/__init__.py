"""Identities through time: which instance of a frame is which of the frame before."""

from __future__ import annotations

from wadlib.tracking.clock import frame_times
from wadlib.tracking.flow import Flow
from wadlib.tracking.link_config import LinkConfig
from wadlib.tracking.linking import Linker, link

__all__ = ["Flow", "LinkConfig", "Linker", "frame_times", "link"]
