"""A scratch deployment on one machine: real servers on free ports, and the processes of a site over them."""
