"""Search spaces: pure data, checked before anything starts."""

from igmsweep.spaces.choose import for_training, load_space
from igmsweep.spaces.expand import TunedData
from igmsweep.spaces.shipped import find_space, space_names
from igmsweep.spaces.space import SearchSpace

__all__ = ["SearchSpace", "TunedData", "find_space", "for_training", "load_space", "space_names"]
