"""A table of real trainings, on which samplers, schedulers and statistics are judged in seconds."""
