"""The command line: what each command takes, runs and returns.

Every invocation imports all of this folder, to know the commands and their options; what a command runs is imported
inside it. So `jobindex healthcheck`, which a container engine runs every few seconds, does not import the service, nor
does the shell's completion, which runs at every press of the tabulator.
"""
