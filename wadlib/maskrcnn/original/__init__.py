"""The original `mrcnn` package on today's TensorFlow, for comparison."""
