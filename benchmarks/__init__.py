"""One file per claim about speed; each prints ratios against a named peer. Run: ``python -m benchmarks``."""
