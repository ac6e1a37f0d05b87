"""A whole site on one machine: real servers on free ports, for the demo, the tests and the benchmarks."""
