"""Methods side by side at equal budget: the same data and folds, the same number of trials and of trainings."""

from igmsweep.analysis.comparison.compared import Comparison, compare_sweeps
from igmsweep.analysis.comparison.written import compare

__all__ = ["Comparison", "compare", "compare_sweeps"]
