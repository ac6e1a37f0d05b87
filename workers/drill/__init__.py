"""A bounded fault drill: jobs of known fates on a scratch site, faults at seeded moments, and a look from outside."""
