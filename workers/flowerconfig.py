"""Flower's configuration: bounded, read-only, and with arguments that say which job a task belongs to.

The arguments of every task are `job=ID` already (aitrain/broker.py sets what Flower shows), so nothing has to be hidden
here. Set FLOWER_BASIC_AUTH=user:password before Flower listens on any address but the loopback.
"""

# Flower keeps its view in memory: this many tasks are about 30 MB.
max_tasks = 10_000
purge_offline_workers = 3600
inspect_timeout = 3000.0
tasks_columns = "name,uuid,state,args,result,received,started,runtime,worker"
natural_time = False
