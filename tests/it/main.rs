//! The integration tests: one binary, so that it links once.

mod replies; // recorded exchanges against the rules' expectations
mod rules; // rule files: the shipped ones and broken ones
