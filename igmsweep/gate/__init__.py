"""Where things from outside come in: files, YAML, JSON, paths and numbers, a module each, with its limits.

What has passed holds no more than it should: no control codes, no nesting without end, no number beyond what is meant; or it was
refused in one line. Settings, results and lists come in nowhere else, and every path that somebody typed is resolved here.
"""
