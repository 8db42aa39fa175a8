"""What the context pool costs and saves: `ams bench pool`."""
