"""What moves: cars, buses, trucks, tricycles, two-wheelers, people."""
