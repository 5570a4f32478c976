"""The course around the package: notebooks, their frames and figures, the book."""
