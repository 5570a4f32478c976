"""Segmentation by energies and graph cuts: sections 2 and 4 of the report."""

from __future__ import annotations

from wadlib.graphcut.unary import ColourLocationUnary

__all__ = ["ColourLocationUnary"]
