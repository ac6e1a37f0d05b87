"""The pure heart of aitrain: words, states, rules and arithmetic. No I/O, no clock, no environment."""
