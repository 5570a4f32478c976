"""Exercises that check themselves: what an answer must satisfy, and what to say where it does not."""
