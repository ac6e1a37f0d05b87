"""What stands in the files of a site; see site_files.py."""

from __future__ import annotations

REDIS_CONF = """\
# Redis of an aitrain site: TLS only, nobody without a user, nothing forgotten. Start it with the directory of its data:
# redis-server {place}/redis/redis.conf --dir /var/lib/redis
bind * -::*
port 0
tls-port {port}
tls-cert-file {place}/tls/{server}.pem
tls-key-file {place}/tls/{server}.key
tls-ca-cert-file {place}/tls/ca.pem
# Clients prove themselves by user and password.
tls-auth-clients no
aclfile {place}/redis/users.acl
protected-mode yes
appendonly yes
appendfsync everysec
save ""
# A full server must refuse, and not forget jobs.
maxmemory-policy noeviction
"""

HEAD = """\
# Settings of {who}, for AITRAIN_CONFIG. Holds a password: keep it from everybody else.
# Flavors and data stores of the site belong here, too, the same in the files of all roles.
redis_url = "rediss://{user}:{password}@{address}/0"
redis_ca_file = "{place}/tls/ca.pem"
namespace = "{namespace}"
"""

HOST = """
[host]
name = "{host}"
# Placement passes are run by control workers: so this host's user need not touch other hosts' keys.
places_jobs = false
# ca_file = "{place}/tls/ca.pem" # if data stores and git servers have certificates of the site's authority

[host.units]
# v100s = 4 # what it offers: a number of units, or the ids of its GPUs
"""

CONTROL = """
[secrets]
key_file = "{place}/keys/secrets.key"

[receipts]
key_file = "{place}/keys/receipts.pem"
"""

CLIENT = """
[secrets]
# Secrets are sealed with this key only, whatever stands in the job store.
public_key = "{public_key}"
"""
