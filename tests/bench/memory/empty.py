"""Nothing: what a traced process has in any case."""
