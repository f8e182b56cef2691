"""The types of a configuration. They look nothing up: no data set, no method, no file but the YAML that is read."""
