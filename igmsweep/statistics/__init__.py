"""What may be said of scores: intervals over seeds and samples, what looking again costs, and the words for it."""
