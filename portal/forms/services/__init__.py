"""Writing forms: answering them (`sheets`), designing them (`designs`)."""
