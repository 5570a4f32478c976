"""Segmentation by energies and graph cuts: section 2.1 of the report."""

from wadlib.graphcut.contrast import contrast_weights
from wadlib.graphcut.gaussian import GaussianFit, gaussian_field
from wadlib.graphcut.line import swap_graph_1d
from wadlib.graphcut.modes import icm
from wadlib.graphcut.moves import alpha_beta_swap, alpha_expansion
from wadlib.graphcut.ncut import normalized_cut
from wadlib.graphcut.normalized.affinity import brightness, pixel_affinity, region_affinity
from wadlib.graphcut.normalized.cuts import assoc, cut, ncut_value, sweep
from wadlib.graphcut.normalized.eigen import smallest_eigenvectors
from wadlib.graphcut.probability import unary_from_probabilities
from wadlib.graphcut.problem import energy
from wadlib.graphcut.unary import ColourLocationUnary
from wadlib.graphcut.volume import alpha_expansion_volume

__all__ = [
    "ColourLocationUnary",
    "GaussianFit",
    "alpha_beta_swap",
    "alpha_expansion",
    "alpha_expansion_volume",
    "assoc",
    "brightness",
    "contrast_weights",
    "cut",
    "energy",
    "gaussian_field",
    "icm",
    "ncut_value",
    "normalized_cut",
    "pixel_affinity",
    "region_affinity",
    "smallest_eigenvectors",
    "sweep",
    "swap_graph_1d",
    "unary_from_probabilities",
]
