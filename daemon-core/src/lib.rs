//! Production daemons from annotated structs.
