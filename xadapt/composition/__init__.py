"""Which modules act on which rows: values, their text form, and how they run."""
