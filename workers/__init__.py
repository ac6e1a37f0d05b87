"""What runs on the fleet: the steps of a job, the agent of a host, the sweeps of the site."""
