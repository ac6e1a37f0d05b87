"""`aitrain metrics`: tells Prometheus how a site stands.

`catalogue.py` names every metric, `samples.py` makes them of what was read, `exporter.py` answers the scrapes.
"""
