"""Sweeps whose truth is known, on which every sentence of confidence that a page can say is judged."""
