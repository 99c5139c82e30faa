"""How fast tapekit is, how much memory it takes, and how others do on the same data.

A suite is one file here and one line in `SUITES` (cli.py). It makes its data, runs every contender in turn for some
rounds, checks that tapekit's results are right, and says which targets are met. Slowness never fails a run; wrong
results do.
"""
