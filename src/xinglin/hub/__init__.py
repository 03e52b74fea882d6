"""Hub: the operator process: identity, catalogue, contracts, relay of runs, evidence log."""
