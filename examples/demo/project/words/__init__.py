"""Counts and sorts words."""
