"""A fleet simulated in virtual time: the real job store, placement, agents' decisions and bills.

What is simulated, the hosts, stands behind the runtime's interface (engine.py) and in the place of the workers' copies
(worker.py); everything that decides is the code that runs a site.
"""
