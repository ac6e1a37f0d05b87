"""Benchmarks: aitrain beside what bounds it, in one run. Ratios are what to quote; the machine's own speed varies."""
