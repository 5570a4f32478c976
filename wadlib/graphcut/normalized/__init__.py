"""Normalized cut: affinities, eigenvectors, and the cuts they give (equations 1 to 6)."""
