"""Millrace on one machine: embedded services and the command that runs everything."""
