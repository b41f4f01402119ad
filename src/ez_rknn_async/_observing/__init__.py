"""Statistics, health, profiles and tables of layers."""
