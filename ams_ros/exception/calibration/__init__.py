"""Learning the thresholds of the rules from runs that went well."""
