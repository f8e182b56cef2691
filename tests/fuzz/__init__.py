"""A fuzzer of every gate by which something comes in from outside; `python -m tests.fuzz --help` runs it by hand.

Each kind is a module of three functions: `load(ground)` gets ready what it draws from, `make(rng)` draws an input as plain data,
`run(given, place)` does with it what a user's command would do. `harness` runs them in forked processes and judges.
"""
