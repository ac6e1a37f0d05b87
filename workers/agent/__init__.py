"""The agent of a host: long-lived, ours, and in no need of a broker."""
