"""The network, stage by stage (section 4.1 of the report)."""
