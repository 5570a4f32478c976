"""Files of weights: reading, checking, averaging."""
