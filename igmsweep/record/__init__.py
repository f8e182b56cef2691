"""A results folder: who writes it, who reads it, and what its lines mean. Needs neither torch nor Optuna."""
