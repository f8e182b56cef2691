"""What a trained model can be asked besides its scores: the shape of its loss, its curvature, what a method does to
gradients, the spectra of its layers' inputs.

Every function returns data; drawing is `igmsweep.analysis`' business. All work on a checkpoint of any method
(`read_training`), and none of them changes it.
"""

from igmsweep.diagnostics.cosine import GradientChange, gradient_change
from igmsweep.diagnostics.curvature import Trace, largest_eigenvalue, trace
from igmsweep.diagnostics.directions import filter_normalised, filter_norms
from igmsweep.diagnostics.landscape import Landscape, landscape, landscape_of
from igmsweep.diagnostics.objective import Objective, objective_of
from igmsweep.diagnostics.spectrum import Spectrum, input_spectra
from igmsweep.diagnostics.trained import read_training

__all__ = [
    "GradientChange",
    "Landscape",
    "Objective",
    "Spectrum",
    "Trace",
    "filter_normalised",
    "filter_norms",
    "gradient_change",
    "input_spectra",
    "landscape",
    "landscape_of",
    "largest_eigenvalue",
    "objective_of",
    "read_training",
    "trace",
]
