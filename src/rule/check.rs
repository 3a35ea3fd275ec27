//! Proves a rule file.
