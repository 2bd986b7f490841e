"""The IPython extension: magics, tab completion, reminders and widgets.

`magics.register` and `magics.unregister` load and unload it; `countdown_widget.Countdown` and
`form.form.InstanceForm` are public. Imports `commands` and the layers below; never `server`, `emulator` or
`helper_kernel`.
"""
