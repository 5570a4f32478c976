"""Where it moves: road, buildings, trees, light, traffic."""
