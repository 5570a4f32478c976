"""Maximum flow and move graphs on a grid, compiled."""
