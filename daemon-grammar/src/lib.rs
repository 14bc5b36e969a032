//! The text grammars shared by the macros, configuration and the command line.
