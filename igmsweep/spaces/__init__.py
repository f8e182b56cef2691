"""Search spaces: pure data, checked before anything starts."""
