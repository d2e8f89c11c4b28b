"""The command line: the options, the action and the output of each command.

Every invocation imports this whole folder, to know the commands. Each command imports the rest of its code in its
function, so that neither `jobindex healthcheck`, which a container engine runs every few seconds, nor shell completion
imports the service.
"""
