"""Scored instances of a frame."""
