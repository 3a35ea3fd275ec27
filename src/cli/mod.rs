//! The command line: it parses, calls the stations and prints. No rule of the domain stands here.

pub mod exit;
pub mod rules;
