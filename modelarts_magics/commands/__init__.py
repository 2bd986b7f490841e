"""The commands, shared by the magic and the terminal: grammar, parser, dispatcher, prompts and output.

`parser.parse_line` and `parser.parse_arguments` make a request, `dispatch.run_command` runs it in a
`context.CommandContext`, `render` shows the result. Imports `doctor`, `session` and the layers below, not IPython.
"""
