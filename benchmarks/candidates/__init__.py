"""What is measured: each module is one process, started by `benchmarks.processes`."""
