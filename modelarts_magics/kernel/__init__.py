"""The half that lives in a kernel: magics, completion and widgets."""
